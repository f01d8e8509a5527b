"""``xentool destroy``, ``pause``, ``unpause`` and ``shutdown``: a domain that runs ends, stops or goes on."""

import shlex
from collections.abc import Sequence
from contextlib import closing

import click

from xentool import hosts, output
from xentool.cli.common import completing, options
from xentool.cli.common.numbers import Number
from xentool.hosts import Host
from xentool.tools import xl
from xentool.tools.domains import lifecycle


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@options.dry_run
@options.where
def destroy(domain: str, dry_run: bool, where: str | None) -> None:
    """End DOMAIN at once, as pulling its plug would."""
    _change("destroy", domain, "is destroyed", dry_run, where)


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@options.dry_run
@options.where
def pause(domain: str, dry_run: bool, where: str | None) -> None:
    """Keep DOMAIN from running until it is unpaused."""
    _change("pause", domain, "is paused", dry_run, where)


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@options.dry_run
@options.where
def unpause(domain: str, dry_run: bool, where: str | None) -> None:
    """Let a paused DOMAIN run again."""
    _change("unpause", domain, "runs again", dry_run, where)


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@click.option("-w", "--wait", is_flag=True, help="Return when it has ended.")
@click.option("--timeout", type=Number(0), default=60, show_default=True, metavar="SECONDS", help="For --wait.")
@options.dry_run
@options.where_alone
def shutdown(domain: str, wait: bool, timeout: float, dry_run: bool, where: str | None) -> None:
    """Ask DOMAIN to shut down; it may take its time, or not listen."""
    with closing(hosts.resolve(where)) as host:
        found = xl.find_domain(host, domain)
        _run(host, lifecycle.command("shutdown", found), dry_run)
        if dry_run:
            return
        if wait:
            lifecycle.wait_for_end(host, found, timeout)
        output.line(f"{xl.called(found)} " + ("has shut down" if wait else "was asked to shut down"))


def _change(verb: str, name: str, done: str, dry_run: bool, where: str | None) -> None:
    with closing(hosts.resolve(where)) as host:
        domain = xl.find_domain(host, name)
        _run(host, lifecycle.command(verb, domain), dry_run)
        if not dry_run:
            output.line(f"{xl.called(domain)} {done}")


def _run(host: Host, command: Sequence[str], dry_run: bool) -> None:
    if dry_run:
        output.line(shlex.join(command))
    else:
        xl.change(host, command)
