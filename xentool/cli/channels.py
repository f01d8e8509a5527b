"""``xentool channels``."""

import json
from collections import Counter
from contextlib import closing

import click

from traces.foreign import printable
from traces.plural import plural
from xentool import output
from xentool.cli.common import options
from xentool.cli.screens import survey as survey_view
from xentool.cli.screens import views
from xentool.hosts import resolve
from xentool.tools.channels.graph import Edge, edges
from xentool.tools.channels.survey import Survey, survey


@click.command()
@options.where
@click.option("--dot", is_flag=True, help="Write it for Graphviz: xentool channels --dot | dot -Tsvg.")
@options.as_json
def command(where: str | None, dot: bool, as_json: bool) -> None:
    """Show which domains are connected, by event channels and grants, and for which devices.

    Xen is asked by its debug keys e and g, which leave some lines in its console (`xl dmesg`).
    """
    with closing(resolve(where)) as host:
        found = survey(host)
    connections = edges(found)
    if dot:
        for line in _dot(found, connections):
            output.line(line)
    elif as_json:
        output.write_json(
            {
                "schema": "xentool.channels/1",
                "domains": [{"domid": domid, "name": name} for domid, name in found.names.items()],
                "connections": [
                    {
                        "domids": edge.domids,
                        "channels": [{"ports": ends, "name": name} for ends, name in edge.channels],
                        "grants": [{"granter": g, "mapper": m, "pages": n} for (g, m), n in edge.grants.items()],
                    }
                    for edge in connections
                ],
                **survey_view.besides(found, None),
            }
        )
    else:
        _write(found, connections)
    survey_view.check(found, ports=True, grants=True)


def _write(found: Survey, connections: list[Edge]) -> None:
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


def _dot(found: Survey, connections: list[Edge]) -> list[str]:
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
