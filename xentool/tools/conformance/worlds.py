"""Where our own drivers are judged: domains, one for each half, and what is in use between them."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from pvdrivers.bus.device import NOTHING, Nodes
from pvdrivers.conformance.subject import Resources
from pvdrivers.transport.base import Transport
from pvdrivers.transport.loopback import Loopback, Machine, machine


class World(Protocol):
    """Domains that can be.

    :ivar back: the backends'
    :ivar front: the frontends'
    :ivar stranger: one that is neither
    :ivar mark: nodes that the directories of all devices have there
    """

    back: int
    front: int
    stranger: int
    mark: Nodes

    def join(self, domid: int) -> Transport:
        """Be one of the domains."""
        ...

    def in_use(self) -> Resources:
        """Count what both ends have in use of each other."""
        ...


#: Has a world as long as the context lasts.
Where = Callable[[], AbstractContextManager[World]]


class OnLoopback:
    """A loopback's machine."""

    back, front, stranger = 0, 5, 6
    mark: Nodes = NOTHING

    def __init__(self, running: Machine) -> None:
        self._machine = running

    def join(self, domid: int) -> Loopback:
        """Be one of the machine's domains."""
        return Loopback(self._machine.directory, domid)

    def in_use(self) -> Resources:
        """Tell what the machine counts."""
        used = [self._machine.hypervisor.in_use(domid) for domid in (self.back, self.front)]
        return {
            "grants": sum(each.grants for each in used),
            "mappings": sum(each.mappings for each in used),
            "ports": sum(each.ports for each in used),
        }


@contextmanager
def on_loopback() -> Iterator[OnLoopback]:
    """Have a machine of its own."""
    domids = [OnLoopback.back, OnLoopback.front, OnLoopback.stranger]
    with (
        tempfile.TemporaryDirectory(prefix="xentool-conformance-") as folder,
        machine(Path(folder), domids) as running,
    ):
        yield OnLoopback(running)
