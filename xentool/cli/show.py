"""``xentool show``."""

from contextlib import closing
from dataclasses import asdict

import click

from xentool import output
from xentool.cli.common import options
from xentool.cli.screens import devices as device_view
from xentool.cli.screens import domain as screen
from xentool.cli.screens import pci as pci_view
from xentool.tools import xl
from xentool.tools.store.nodes import complain


@click.command("show")
@click.argument("domain")
@options.where
@options.connect
@options.as_json
def command(domain: str, where: str | None, uri: str | None, as_json: bool) -> None:
    """Tell all about DOMAIN (a name or a number): CPUs, memory, devices with both their ends, and what looks wrong.

    PCI functions that were given to it are shown as well; of dom0 those that are held for guests.

    By way of libvirt there are no ends of devices, for those are in XenStore.
    """
    with closing(options.toolstack(where, uri)) as toolstack:
        found = xl.choose(toolstack.sample().domains, domain)
        devices = None if found.domid is None else toolstack.devices(found.domid)
        functions = None if found.domid is None else toolstack.functions(found.domid)
    if as_json:
        told = None if devices is None else [device_view.document(device) for device in devices]
        pci = None if functions is None else [asdict(each) for each in functions]
        output.write_json({"schema": "xentool.domain/1", "domain": asdict(found), "devices": told, "pci": pci})
    else:
        screen.write(found, devices, output.stdout())
        if functions and found.domid is not None:
            pci_view.write(functions, {found.domid: found.name}, output.stdout(), indent=2)
    complain(toolstack.unlisted)
