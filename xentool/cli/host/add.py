"""``xentool host add``."""

import click

from xentool.hosts import named


@click.command()
@click.argument("name")
@click.argument("where", metavar="HOST")
def command(name: str, where: str) -> None:
    """Call HOST, which is ssh://[user@]host[:port], local, lab or lab:NAME, by a NAME.

    How ssh logs in there, by which key and through which hosts, is for ~/.ssh/config to say. Nothing is connected to.
    """
    named.add(name, where)
