"""``xentool device list``."""

from contextlib import closing
from dataclasses import asdict

import click

from xentool import hosts, output
from xentool.cli.common import options
from xentool.cli.screens import devices as device_view
from xentool.cli.screens import pci as pci_view
from xentool.tools import xl
from xentool.tools.devices import pci
from xentool.tools.devices.inspect import inspect
from xentool.tools.store.nodes import complain


@click.command("list")
@click.argument("domain", required=False)
@options.where
@options.as_json
def command(domain: str | None, where: str | None, as_json: bool) -> None:
    """List the PV devices of a host, or those of which DOMAIN has an end, and say what looks wrong.

    The states are those that the ends write to XenStore; Connected on both sides is a device that works. The list of a
    whole host also tells what domains that are gone have left there. Below are PCI functions that were given to a
    guest, are held for one, or belong to a card that is cut up for guests by SR-IOV.
    """
    with closing(hosts.resolve(where)) as host:
        domains = xl.rows(host)
        domid = None if domain is None else xl.choose(domains, domain).domid
        found = inspect(host, domid)
        functions = pci.of(pci.read(host), domid)
    if as_json:
        devices = [device_view.document(device) for device in found.devices]
        unlisted = [each.path for each in found.unlisted]
        told = {"schema": "xentool.devices/1", "devices": devices, "stale": found.stale}
        output.write_json({**told, "unlisted": unlisted, "pci": [asdict(each) for each in functions]})
    else:
        names = {each.domid: each.name for each in domains}
        device_view.write_table(found, names, output.stdout())
        pci_view.write(functions, names, output.stdout())
    complain(found.unlisted)
