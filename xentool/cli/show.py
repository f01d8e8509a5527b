"""``xentool show``."""

from contextlib import closing
from dataclasses import asdict

import click
from rich.console import Console

from traces.foreign import printable
from xentool.cli.common import completing, listing, options
from xentool.cli.screens import devices as device_view
from xentool.cli.screens import domain as screen
from xentool.cli.screens import pci as pci_view
from xentool.tools import xl
from xentool.tools.store.nodes import complain


@click.command("show", cls=listing.Listing)
@click.argument("domain", shell_complete=completing.domains)
@options.where
@options.connect
@listing.listed()
def command(domain: str, where: str | None, uri: str | None, form: listing.Form) -> None:
    """Tell all about DOMAIN (a name or a number): CPUs, memory, devices with both their ends, and what looks wrong.

    PCI functions that were given to it are shown as well; of dom0 those that are held for guests.

    By way of libvirt there are no ends of devices, for those are in XenStore.
    """
    with closing(options.toolstack(where, uri)) as toolstack:

        def look() -> listing.Answer:
            toolstack.unlisted.clear()
            found = xl.choose(toolstack.sample().domains, domain)
            devices = functions = None
            if found.domid is not None and form.form != "name":
                devices, functions = toolstack.devices(found.domid), toolstack.functions(found.domid)

            def write(console: Console) -> None:
                screen.write(found, devices, console)
                if functions and found.domid is not None:
                    pci_view.write(functions, {found.domid: found.name}, console, indent=2)

            def document() -> object:
                told = None if devices is None else [device_view.document(device) for device in devices]
                pci = None if functions is None else [asdict(each) for each in functions]
                return {"schema": "xentool.domain/1", "domain": asdict(found), "devices": told, "pci": pci}

            return listing.Answer(write, lambda: [printable(found.name or str(found.domid))], document)

        listing.tell(look, form)
    complain(toolstack.unlisted)
