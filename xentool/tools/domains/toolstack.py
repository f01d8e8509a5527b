"""The Toolstack seam: who knows the domains of a host. xl, or any driver of libvirt; no caller knows which."""

from collections.abc import Callable, Iterator
from typing import Protocol

from xentool import hosts
from xentool.tools.devices.inspect import Inspected
from xentool.tools.devices.pci import Function
from xentool.tools.domains.libvirt_stats import LibvirtToolstack
from xentool.tools.domains.stats import Frame, Machine, Sample, rates
from xentool.tools.domains.xl_stats import XlToolstack
from xentool.tools.store.nodes import Unlisted


class Toolstack(Protocol):
    """A connection to a toolstack.

    ``name`` is what messages call it; ``unlisted`` grows by what of XenStore it could not read.
    """

    name: str
    unlisted: list[Unlisted]

    def sample(self, *, details: bool = True) -> Sample:
        """Return all domains as they are now.

        :param details: also what changes rarely and takes longer to ask for
        :raises XentoolError: the toolstack failed, or cannot be reached
        """
        ...

    def devices(self, domid: int) -> tuple[Inspected, ...] | None:
        """Return the PV devices of which a domain has an end; None where there is no XenStore to ask.

        :raises XentoolError: as above
        """
        ...

    def functions(self, domid: int) -> list[Function] | None:
        """Return the PCI functions that a domain has, of dom0 those held for guests; None where nobody tells.

        :raises XentoolError: as above
        """
        ...

    def machine(self) -> Machine:
        """Return what the toolstack says about the host.

        :raises XentoolError: as above
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...


def connect(where: str | None, uri: str | None, *, traced: bool = False) -> Toolstack:
    """Connect to libvirt when there is a URI, else to xl in dom0.

    :param where: the value of --host (see `hosts.resolve`)
    :param uri: of a libvirt driver
    :param traced: trace dom0's host as well, to count hypercalls
    :raises Unavailable: there is no such host, or no libvirt there
    """
    if uri:
        return LibvirtToolstack(uri)
    host = hosts.resolve(where)
    if not traced:
        return XlToolstack(host)
    from xentool.tools.tracing.traced_stats import TracedToolstack  # noqa: PLC0415 - brings numpy

    return TracedToolstack(host)


def frames(toolstack: Toolstack, wait: Callable[[], bool]) -> Iterator[Frame]:
    """Yield the rates between one sample and the next.

    :param wait: is called between samples, to let time pass; false ends it
    """
    before = toolstack.sample(details=False)
    while wait():
        now = toolstack.sample(details=False)
        yield rates(before, now)
        before = now
