"""`xentool lab guest list`."""

import json
from dataclasses import asdict

import click

from xentool import output
from xentool.cli.lab import options
from xentool.cli.screens import views
from xentool.lab import api


@click.command("list")
@options.name
@options.where
@options.as_json
def command(name: str | None, where: str | None, as_json: bool) -> None:
    """List the guests that run."""
    guests = api.guest_list(name, where=where)
    if as_json:
        click.echo(json.dumps({"schema": "xentool.guests/1", "guests": [asdict(guest) for guest in guests]}))
        return
    table = views.table(">domid", "!name", "type", ">CPUs", "~workload")
    for guest in guests:
        cells = (guest.domid, guest.name, guest.type or "?", guest.vcpus, guest.workload or "?")
        table.add_row(*map(views.words, cells))
    output.stdout().print(table)
