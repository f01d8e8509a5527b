"""`xentool lab up`."""

import click

from traces.plural import plural
from xentool import output
from xentool.cli.lab import options
from xentool.cli.lab.progress import shown
from xentool.lab import api


@click.command("up")
@options.xen
@options.new_name
@click.option(
    "--memory", type=click.IntRange(1536), metavar="MIB", default=3072, show_default=True, help="Memory of the machine."
)
@click.option(
    "--vcpus", type=click.IntRange(1, 16), metavar="N", default=2, show_default=True, help="CPUs that Xen sees."
)
def command(xen: str, name: str, memory: int, vcpus: int) -> None:
    """Boot real Xen in the background and wait for its dom0; the image is built first when it is missing."""
    with shown() as progress:
        lab = api.up(name, xen=xen, memory_mib=memory, vcpus=vcpus, progress=progress)
    output.line(f"lab {lab.name} is up: Xen {lab.xen}, {lab.accel}, {plural(lab.vcpus, 'CPU')}, {lab.memory_mib} MiB")
