"""``xentool create``."""

import shlex
from contextlib import closing
from typing import IO

import click

from xentool import hosts, output
from xentool.cli.common import options
from xentool.tools.domains import lifecycle


@click.command()
@click.argument("config", type=click.File("rb"))
@options.dry_run
@options.where
def command(config: IO[bytes], dry_run: bool, where: str | None) -> None:
    """Make and start the domain that the file CONFIG (xl.cfg(5); - for stdin) describes.

    The file is here; the paths in it, kernels and disks, are dom0's.
    """
    if dry_run:
        output.line(shlex.join(["xl", "create", "-q", config.name]))
        return
    with closing(hosts.resolve(where)) as host:
        domain = lifecycle.create(host, config.read(), config.name)
        output.line(f"{domain.name} is created: domid {domain.domid}")
