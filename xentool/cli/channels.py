"""``xentool channels``."""

from contextlib import closing

import click

from xentool import output
from xentool.cli.common import options
from xentool.cli.screens import channels as screen
from xentool.cli.screens import survey as survey_view
from xentool.hosts import resolve
from xentool.tools.channels.graph import edges
from xentool.tools.channels.survey import survey


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
        for line in screen.dot(found, connections):
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
        screen.write(found, connections)
    survey_view.check(found, ports=True, grants=True)
