"""`xentool lab adopt`."""

from pathlib import Path

import click

from xentool import output
from xentool.cli.lab.progress import shown
from xentool.lab import api


@click.command("adopt")
@click.option(
    "--vagrant",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    is_flag=False,
    flag_value=".",
    required=True,
    metavar="[DIR]",
    help="The machine of this folder's Vagrantfile, by default of the one you are in.",
)
def command(folder: Path) -> None:
    """Take a dom0 that `vagrant up` has made as a lab, and use it from now on.

    It is called as in its Vagrantfile. Guests are started there as in a lab, and every command that is told no other
    host goes there; `xentool host use --none` ends that. Adopt it again if its address has changed.
    """
    with shown() as progress:
        name, version = api.adopt(folder, progress)
    output.line(f"{name} is adopted, and in use: Xen {version}")
