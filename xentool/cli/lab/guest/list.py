"""`xentool lab guest list`."""

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from xentool.cli.lab import options
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
    table = Table(box=None, pad_edge=False)
    for title in ("domid", "name", "type", "CPUs", "workload"):
        table.add_column(title, justify="right" if title in {"domid", "CPUs"} else "left")
    for guest in guests:
        table.add_row(str(guest.domid), guest.name, guest.type or "?", str(guest.vcpus), guest.workload or "?")
    Console(highlight=False).print(table)
