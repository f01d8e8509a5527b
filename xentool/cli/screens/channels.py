"""Which domains are connected, as a table and as a graph."""

import json
from collections import Counter

from traces.foreign import printable
from traces.plural import plural
from xentool import output
from xentool.cli.screens import survey as survey_view
from xentool.cli.screens import views
from xentool.tools.channels.graph import Edge
from xentool.tools.channels.survey import Survey


def write(found: Survey, connections: list[Edge]) -> None:
    """Print who is connected with whom, by how much, and for what."""
    console = output.stdout()
    if not connections:
        console.print("no domain is connected with another")
    table = views.table("~domains", ">channels", "~for", "~pages in use")
    for edge in connections:
        one, other = (survey_view.domain(found, domid) for domid in edge.domids)
        table.add_row(
            views.words(f"{one} - {other}"),
            str(len(edge.channels)),
            views.words(_purposes(edge)),
            views.words(", ".join(f"{pages} of d{granter}" for (granter, _), pages in edge.grants.items())),
        )
    console.print(table)
    survey_view.write_besides(found, None, console)


def _purposes(edge: Edge) -> str:
    # By device: of "vif0 queue 1 tx" the first word.
    counted = Counter((name or "unknown").split()[0] for _, name in edge.channels)
    return ", ".join(name if count == 1 else f"{name} ({count})" for name, count in counted.items())


def dot(found: Survey, connections: list[Edge]) -> list[str]:
    """Write the same as lines for Graphviz."""
    # JSON's strings are dot's as well, and what a domain is called cannot leave one.
    lines = ["graph domains {", "  node [shape=box];"]
    known = {domid: None for edge in connections for domid in edge.domids} | found.names
    lines += (f"  d{domid} [label={json.dumps(printable(survey_view.domain(found, domid)))}];" for domid in known)
    for edge in connections:
        pages = [f"{plural(pages, 'page')} of d{granter}" for (granter, _), pages in edge.grants.items()]
        label = "\n".join([*(printable(name or "unknown") for _, name in edge.channels), *pages])
        one, other = edge.domids
        lines.append(f"  d{one} -- d{other} [label={json.dumps(label)}];")
    return [*lines, "}"]
