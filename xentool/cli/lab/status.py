"""`xentool lab status`."""

import json
from dataclasses import asdict

import click

from xentool import output
from xentool.cli.lab import options
from xentool.cli.screens import views
from xentool.lab import api


@click.command("status")
@options.as_json
def command(as_json: bool) -> None:
    """Show the labs that were started and not ended, and how they are."""
    labs = api.status()
    if as_json:
        rows = [{**asdict(each.lab), "state": each.state, "reason": each.reason} for each in labs]
        click.echo(json.dumps({"schema": "xentool.labs/1", "labs": rows}))
    elif not labs:
        output.line("no lab is running; `xentool lab up` starts one")
    else:
        table = views.table("name", "state", "runs", "by", ">CPUs", ">MiB", ">minutes", ">ssh port")
        for each in labs:
            lab = each.lab
            numbers = (lab.vcpus, lab.memory_mib, round(lab.age_s() / 60), lab.ssh_port)
            table.add_row(*map(views.words, (lab.name, each.state, lab.runs, lab.accel, *numbers)))
        output.stdout().print(table)
        for each in labs:
            if each.reason:
                output.line(
                    f"{each.lab.name}: {each.reason}; `xentool lab logs --name {each.lab.name}` shows its console"
                )
