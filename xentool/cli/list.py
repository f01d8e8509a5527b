"""``xentool list``."""

from contextlib import closing
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from traces.foreign import printable
from xentool.cli.common import listing, options
from xentool.cli.screens import views
from xentool.tools.domains.stats import Domain
from xentool.tools.store.nodes import complain

ORDERS: listing.Orders[Domain] = {
    "id": lambda domain: None if domain.domid is None else -domain.domid,
    "name": lambda domain: domain.name,
    "type": lambda domain: domain.type,
    "state": lambda domain: domain.state,
    "vcpus": lambda domain: domain.vcpus,
    "memory": lambda domain: domain.memory_bytes,
    "cpu": lambda domain: domain.cpu_seconds,
    "disks": lambda domain: len(domain.blocks),
    "nets": lambda domain: len(domain.nets),
}


@click.command("list", cls=listing.Listing)
@options.where
@options.connect
@listing.listed(tuple(ORDERS))
def command(where: str | None, uri: str | None, form: listing.Form) -> None:
    """List the domains of a host.

    Memory is what a domain has now; CPU is the time that its vCPUs have run. --json tells each vCPU, disk and interface
    as well, with their counters.
    """
    with closing(options.toolstack(where, uri)) as toolstack:

        def look() -> listing.Answer:
            toolstack.unlisted.clear()
            domains = listing.ordered(toolstack.sample().domains, ORDERS, form.sort)
            return listing.Answer(
                text=lambda console: _write(domains, console),
                names=lambda: (printable(domain.name or str(domain.domid)) for domain in domains),
                document=lambda: {
                    "schema": "xentool.domains/1",
                    "domains": [asdict(domain) for domain in domains],
                },
            )

        listing.tell(look, form)
    complain(toolstack.unlisted)


def _write(domains: list[Domain], console: Console) -> None:
    table = views.table(">ID", "~Name", "Type", "State", ">vCPUs", ">Memory", ">CPU s", ">Disks", ">Nets")
    for domain in domains:
        table.add_row(*_row(domain))
    console.print(table)


def _row(domain: Domain) -> list[Text]:
    return [
        views.words(domain.domid),
        views.words(domain.name),
        views.words(domain.type),
        views.state(domain.state),
        views.words(domain.vcpus),
        views.size(domain.memory_bytes),
        views.seconds(domain.cpu_seconds),
        views.words(len(domain.blocks)),
        views.words(len(domain.nets)),
    ]
