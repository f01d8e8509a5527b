"""``xentool info``."""

from contextlib import closing
from dataclasses import asdict

import click
from rich.text import Text

from xentool import output
from xentool.cli.common import options
from xentool.cli.screens import views
from xentool.tools.domains.stats import Machine


@click.command("info")
@options.where
@options.connect
@options.as_json
def command(where: str | None, uri: str | None, as_json: bool) -> None:
    """Tell what a host is: its hypervisor, CPUs, memory, and what it has for guests."""
    with closing(options.toolstack(where, uri)) as toolstack:
        machine = toolstack.machine()
    if as_json:
        output.write_json({"schema": "xentool.host/1", **asdict(machine)})
        return
    table = views.table("", "~", headed=False)
    for title, value in _lines(machine):
        if value:
            table.add_row(Text(title, "bold"), views.words(value))
    output.stdout().print(table)


def _lines(machine: Machine) -> list[tuple[str, str | None]]:
    memory = f"{views.size(machine.memory_bytes)}, {views.size(machine.free_bytes)} free"
    cores = [
        f"{views.counted(count, each)}{of}"
        for count, each, of in (
            (machine.nodes, "NUMA node", ""),
            (machine.cores_per_socket, "core", " a socket"),
            (machine.threads_per_core, "thread", " a core"),
        )
        if count
    ]
    return [
        ("host", machine.name),
        ("hypervisor", f"{machine.hypervisor} {machine.version}"),
        ("dom0 kernel", machine.kernel),
        ("machine", machine.machine),
        ("CPUs", ", ".join([f"{machine.pcpus}", *([f"{machine.hz / 1e6:,.3f} MHz"] if machine.hz else []), *cores])),
        ("memory", memory),
        ("scheduler", machine.scheduler),
        ("for guests", " ".join(machine.virtualization)),
        ("guest ABIs", ", ".join(machine.guests)),
        ("command line", machine.command_line),
        *((key.replace("_", " "), value) for key, value in (machine.build or {}).items()),
    ]
