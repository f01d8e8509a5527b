"""`xentool lab build`."""

import click

from xentool import output
from xentool.cli.lab import options
from xentool.cli.lab.progress import shown
from xentool.lab import api


@click.command("build")
@options.xen
def command(xen: str) -> None:
    """Make the image that labs run, from Debian packages; nothing happens when it is made already."""
    with shown() as progress:
        image = api.build(api.RELEASES[xen], progress)
    output.line(f"Xen {xen}, Debian {image.release.suite}, Linux {image.kernel}: {image.folder}")
