"""``xentool list``."""

from contextlib import closing
from dataclasses import asdict

import click
from rich.text import Text

from xentool import output
from xentool.cli.common import options
from xentool.cli.screens import views
from xentool.tools.domains.stats import Domain
from xentool.tools.store.nodes import complain


@click.command("list")
@options.where
@options.connect
@options.as_json
def command(where: str | None, uri: str | None, as_json: bool) -> None:
    """List the domains of a host.

    Memory is what a domain has now; CPU is the time that its vCPUs have run. --json tells each vCPU, disk and interface
    as well, with their counters.
    """
    with closing(options.toolstack(where, uri)) as toolstack:
        domains = toolstack.sample().domains
    if as_json:
        output.write_json({"schema": "xentool.domains/1", "domains": [asdict(domain) for domain in domains]})
    else:
        table = views.table(">ID", "~Name", "Type", "State", ">vCPUs", ">Memory", ">CPU s", ">Disks", ">Nets")
        for domain in domains:
            table.add_row(*_row(domain))
        output.stdout().print(table)
    complain(toolstack.unlisted)


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
