"""``xentool grants``."""

from contextlib import closing
from dataclasses import asdict

import click
from rich.text import Text

from traces.foreign import printable
from xentool import output
from xentool.cli.common import completing, options
from xentool.cli.screens import grants as screen
from xentool.cli.screens import survey as survey_view
from xentool.cli.screens import views
from xentool.errors import PeerError
from xentool.hosts import resolve
from xentool.tools import xl
from xentool.tools.channels.serves import grant_name
from xentool.tools.channels.survey import survey


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@options.where
@click.option("-l", "--long", "every", is_flag=True, help="A line for each page of data too.")
@options.as_json
def command(domain: str, where: str | None, every: bool, as_json: bool) -> None:
    """Tell which pages DOMAIN (a name or a number) has granted, who uses them, and for what.

    Only grants in use are told: those that are mapped, or copied at this moment. A count of maps that grows and grows
    is a leak. Xen is asked by its debug key g, which leaves some lines in its console (`xl dmesg`).
    """
    with closing(resolve(where)) as host:
        domid = xl.choose(xl.list_domains(host), domain).domid
        found = survey(host)
    if (table := found.tables.get(domid)) is None:
        raise PeerError(f"Xen's console tells nothing of the grants of domain {domid}")
    if as_json:
        rows = [{**asdict(grant), "name": grant_name(found.grant_names, domid, grant.gref)} for grant in table.grants]
        told = {**asdict(table), "grants": rows, **survey_view.besides(found, domid)}
        output.write_json({"schema": "xentool.grants/1", **told})
        survey_view.check(found, grants=True)
        return
    console = output.stdout()
    frames = "" if table.frames is None else f", {table.frames} of {table.frames_max} frames of its table used"
    count = f"{'at least ' if found.lost_grants else ''}{views.counted(len(table.grants), 'grant')} in use"
    console.print(Text(f"{printable(survey_view.domain(found, domid))}: {count}{frames}"))
    if table.grants:
        console.print()
        console.print(screen.drawn(found, table, every))
    survey_view.write_besides(found, domid, console)
    survey_view.check(found, grants=True)
