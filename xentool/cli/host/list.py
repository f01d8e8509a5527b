"""``xentool host list``."""

import click

from xentool import output
from xentool.cli.common import options
from xentool.cli.screens import views
from xentool.hosts import named


@click.command("list")
@options.as_json
def command(as_json: bool) -> None:
    """List the hosts that have names; the one in use is marked. Nothing is connected to."""
    known = named.read()
    if as_json:
        hosts = [{"name": name, "host": place} for name, place in known.hosts.items()]
        output.write_json({"schema": "xentool.hosts/1", "in_use": known.used, "hosts": hosts})
        return
    table = views.table("", "!~Name", "~Host")
    for name, place in known.hosts.items():
        table.add_row("*" if name == known.used else "", views.words(name), views.words(place))
    output.stdout().print(table if known.hosts else "no host has a name; `xentool host add NAME HOST` gives one")
