"""``xentool device list``."""

from contextlib import closing
from dataclasses import asdict, replace
from typing import NamedTuple

import click
from rich.console import Console

from traces.foreign import printable
from xentool import hosts
from xentool.cli.common import completing, listing, options
from xentool.cli.screens import devices as device_view
from xentool.cli.screens import pci as pci_view
from xentool.tools import xl
from xentool.tools.devices import pci
from xentool.tools.devices.inspect import Inspected, inspect
from xentool.tools.devices.paired import End
from xentool.tools.store.nodes import Unlisted, complain


class _Line(NamedTuple):
    # A device, and how its frontend's domain is called.
    whose: str
    found: Inspected


def _state(end: End | None) -> float | None:
    return None if end is None or end.state is None else -end.state


ORDERS: listing.Orders[_Line] = {
    "domain": lambda line: line.whose,
    "device": lambda line: line.found.device.name,
    "frontend": lambda line: _state(line.found.device.front),
    "backend": lambda line: _state(line.found.device.back),
    "in": lambda line: None if line.found.device.back is None else -line.found.device.back.domid,
}


@click.command("list", cls=listing.Listing)
@click.argument("domain", required=False, shell_complete=completing.domains)
@options.where
@listing.listed(tuple(ORDERS))
def command(domain: str | None, where: str | None, form: listing.Form) -> None:
    """List the PV devices of a host, or those of which DOMAIN has an end, and say what looks wrong.

    The states are those that the ends write to XenStore; Connected on both sides is a device that works. The list of a
    whole host also tells what domains that are gone have left there. Below are PCI functions that were given to a
    guest, are held for one, or belong to a card that is cut up for guests by SR-IOV.

    -o name prints domain and device of each, as `device detach` takes them.
    """
    unlisted: tuple[Unlisted, ...] = ()
    with closing(hosts.resolve(where)) as host:

        def look() -> listing.Answer:
            nonlocal unlisted
            domains = xl.rows(host)
            domid = None if domain is None else xl.choose(domains, domain).domid
            found = inspect(host, domid)
            unlisted = found.unlisted
            functions = pci.of(pci.read(host), domid)
            names = {each.domid: each.name for each in domains}
            called = [_Line(names.get(one.device.domid) or str(one.device.domid), one) for one in found.devices]
            called = listing.ordered(called, ORDERS, form.sort)
            found = replace(found, devices=tuple(line.found for line in called))

            def write(console: Console) -> None:
                device_view.write_table(found, names, console)
                pci_view.write(functions, names, console)

            def document() -> object:
                devices = [device_view.document(device) for device in found.devices]
                told = {"schema": "xentool.devices/1", "devices": devices, "stale": found.stale}
                left = [each.path for each in found.unlisted]
                return {**told, "unlisted": left, "pci": [asdict(each) for each in functions]}

            return listing.Answer(
                write, lambda: (printable(f"{line.whose} {line.found.device.name}") for line in called), document
            )

        listing.tell(look, form)
    complain(unlisted)
