"""A dom0 as both halves' domain, for our own drivers; see `xentool.tools.conformance.worlds`."""

from collections.abc import Iterator
from contextlib import contextmanager

from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from pvdrivers.transport.xen import Xen
from xentool.hosts.local import LocalHost
from xentool.tools.conformance.xen.devices import marked, sweep
from xentool.tools.conformance.xen.held import held

#: A domain that is neither end's: nobody can be it.
STRANGER = 0x7FEF


class OnXen:
    """A dom0, whose drivers are each other's peers."""

    back = front = 0
    stranger = STRANGER

    def __init__(self) -> None:
        self.mark = marked()
        self._host = LocalHost()

    def join(self, _domid: int) -> Xen:
        """Be dom0."""
        return Xen()

    def in_use(self) -> Resources:
        """Tell what Xen counts."""
        return held(self._host, [0], (0, 0))


@contextmanager
def dom0() -> Iterator[Xen]:
    """Be dom0, without devices of the kit's that nobody has any more: neither before, nor afterwards.

    :raises MachineError: this is no dom0
    """
    with Xen() as transport:
        if transport.domid != 0:
            raise MachineError(f"this is domain {transport.domid}, and the kit needs a dom0")
        sweep(transport.store)
        try:
            yield transport
        finally:
            sweep(transport.store)


@contextmanager
def on_xen() -> Iterator[OnXen]:
    """Have this dom0."""
    with dom0():
        yield OnXen()
