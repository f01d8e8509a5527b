"""`xentool lab up`."""

import click

from traces.plural import plural
from xentool import output
from xentool.cli.lab import options
from xentool.cli.lab.progress import shown
from xentool.lab import api


@click.command("up")
@click.option(
    "--hypervisor",
    type=click.Choice(list(api.HYPERVISORS)),
    default=api.XEN.name,
    show_default=True,
    help="What it boots: Xen with a dom0, or Linux with KVM, of the same Debian.",
)
@options.xen
@options.new_name
@click.option(
    "--memory", type=click.IntRange(1536), metavar="MIB", default=3072, show_default=True, help="Memory of the machine."
)
@click.option(
    "--vcpus", type=click.IntRange(1, 16), metavar="N", default=2, show_default=True, help="CPUs that it has."
)
@click.option("--boot", is_flag=True, help="Boot it, whether or not there is a snapshot of such a lab.")
def command(hypervisor: str, xen: str, name: str, memory: int, vcpus: int, boot: bool) -> None:
    """Start real Xen, or KVM, in the background and wait for its host; the image is built first when it is missing.

    On an emulated machine the first lab of a kind boots, and is saved as a snapshot; those after it go on from that.
    """
    with shown() as progress:
        lab = api.up(name, hypervisor=hypervisor, xen=xen, memory_mib=memory, vcpus=vcpus, anew=boot, progress=progress)
    how = "restored from a snapshot" if lab.restored else "booted"
    machine = f"{lab.accel}, {plural(lab.vcpus, 'CPU')}, {lab.memory_mib} MiB"
    output.line(f"lab {lab.name} is up: {lab.runs}, {machine}; {how}")
