"""``xentool console``."""

import sys
from contextlib import closing

import click

from xentool import hosts, output
from xentool.cli.common import completing, options
from xentool.tools import xl


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@options.where
@click.pass_context
def command(ctx: click.Context, domain: str, where: str | None) -> None:
    """Attach this terminal to the console of DOMAIN. Ctrl-] leaves it.

    What the guest prints goes to the terminal as it is, escape sequences too: the terminal is the guest's meanwhile. Do
    not attach one that matters to a guest that you do not trust; xenconsoled can keep its console in a file.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("a console needs a terminal")
    with closing(hosts.resolve(where)) as host:
        found = xl.find_domain(host, domain)
        output.say(f"the console of {found.name}; Ctrl-] leaves it")
        ctx.exit(host.interact(["xl", "console", str(found.domid)]))
