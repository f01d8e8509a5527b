"""`xentool lab guest start`."""

import click

from traces.plural import plural
from xentool import output
from xentool.cli.lab import options
from xentool.cli.lab.progress import shown
from xentool.lab import api

_TYPES = "; ".join(f"{name}: {does}" for name, does in api.TYPES.items())
_NONE = " and ".join(api.LEFT_OUT)
_WORKLOADS = "; ".join(f"{name}: {does}" for name, does in api.WORKLOADS.items())


@click.command("start")
@click.argument("guest")
@options.name
@options.where
@click.option(
    "--type",
    "kind",
    type=click.Choice([*api.TYPES, *api.LEFT_OUT]),
    help=f"How it is run; by default by the first way of the lab's hypervisor. {_TYPES}; {_NONE}: a lab says why not.",
)
@click.option("--vcpus", type=click.IntRange(1, 16), metavar="N", default=1, show_default=True, help="Its CPUs.")
@click.option("--memory", type=click.IntRange(128), metavar="MIB", default=192, show_default=True, help="Its memory.")
@click.option(
    "--workload",
    type=click.Choice(list(api.WORKLOADS)),
    default="idle",
    show_default=True,
    help=f"What it does. {_WORKLOADS}.",
)
def command(
    guest: str, name: str | None, where: str | None, kind: str | None, vcpus: int, memory: int, workload: str
) -> None:
    """Start a guest with a disk and a network interface, and wait until it runs and they are connected."""
    kind = kind or api.guest_types(name, where=where)[0]
    with shown() as progress:
        domid = api.guest_start(api.Guest(guest, kind, vcpus, memory, workload), name, progress, where=where)
    output.line(f"{guest} is up: domid {domid}, {kind}, {plural(vcpus, 'CPU')}, {memory} MiB, workload {workload}")
