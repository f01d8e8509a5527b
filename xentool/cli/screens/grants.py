"""The grants of a domain, as a table: a line for each page that has a name, or for all."""

from traces.exporters.fitted import Fitted
from traces.plural import plural
from xentool.cli.screens import survey as survey_view
from xentool.cli.screens import views
from xentool.tools.channels.grants import Grant, GrantTable
from xentool.tools.channels.serves import grant_name
from xentool.tools.channels.survey import Survey


def drawn(found: Survey, table: GrantTable, every: bool) -> Fitted:
    """Draw a domain's grants.

    :param every: a line for each page of data too
    """
    made = views.table(">gref", "~for", "~used by", ">maps", "access", ">gfn", ">mfn")
    data: dict[tuple[int, bool], list[Grant]] = {}
    for grant in table.grants:
        name = grant_name(found.grant_names, table.domid, grant.gref)
        if name or every:
            made.add_row(
                str(grant.gref),
                views.words(name or "data"),
                views.words(survey_view.domain(found, grant.mapper)),
                str(grant.writable_maps + grant.read_only_maps),
                _access(grant),
                f"{grant.gfn:#x}",
                f"{grant.mfn:#x}",
            )
        else:
            data.setdefault((grant.mapper, grant.read_only), []).append(grant)
    for (mapper, _), grants in data.items():
        maps = sum(grant.writable_maps + grant.read_only_maps for grant in grants)
        pages = f"{plural(len(grants), 'page')} of data"
        made.add_row("", pages, views.words(survey_view.domain(found, mapper)), str(maps), _access(grants[0]), "", "")
    return made


def _access(grant: Grant) -> str:
    if grant.kind != "access":
        return grant.kind
    return "read only" if grant.read_only else "read, write"
