"""What a port is to a backend: where a frontend's frames come out, and where those for it come in.

Law: what a port cannot carry it finishes, or drops and counts. Nothing here knows rings, grants or XenStore.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pvdrivers.bus.queued import Sums
from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Abilities, Frame

#: Bytes of the longest frame: an IP packet of 65,535 bytes behind Ethernet's header with a VLAN's tag.
LONGEST = 65535 + 18
#: Of whoever can be told everything.
ALL = Abilities(checksum_v4=True, checksum_v6=True, gso_v4=True, gso_v6=True, longest=LONGEST)


class PortLost(MachineError):
    """What a port stands for is gone, or takes nothing more, and may come back: it can be opened anew."""


@dataclass(slots=True)
class PortStats(Sums):
    """What went through a port, or not."""

    sent: int = 0
    received: int = 0
    #: Frames that the port's other side did not take: full, down, or no sense in them.
    dropped: int = 0
    #: Frames for the frontend that came faster than they were read, or in pieces.
    lost: int = 0
    #: Frames of which something was finished in software.
    finished: int = 0
    syscalls: int = 0


class Lane(Protocol):
    """One queue of a port; used by one thread.

    Frames stay valid until the next call of `receive`. A lane may have them without an object for each as well, for
    whoever asks for that: `PackedLane`.
    """

    stats: PortStats

    def fileno(self) -> int:
        """Give a descriptor that is readable while frames wait; -1 where none ever come."""
        ...

    def receive(self, limit: int) -> Sequence[Frame]:
        """Take frames that wait, in their order; never blocks.

        :param limit: how many at most
        :raises PortLost: the port is gone
        """
        ...

    def send(self, frames: Sequence[Frame]) -> None:
        """Send frames on; never blocks. What is not taken is dropped, as on any wire, and counted (`stats`).

        :raises PortLost: the port is gone
        """
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@runtime_checkable
class PackedLane(Lane, Protocol):
    """A lane that gives and takes records (`pvdrivers.net.record.RECORD`) as well; what it does is the same."""

    @property
    def arena(self) -> memoryview:
        """Where frames lie that are received, writable; valid until the next call of `receive_packed`."""
        ...

    def receive_packed(self, records: memoryview) -> int:
        """Take frames that wait; never blocks.

        :param records: room for as many as are wanted at most
        :returns: how many records were written, from the beginning on
        :raises PortLost: the port is gone
        """
        ...

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        """Send frames on; never blocks.

        :param arena: where they lie, for as long as this call lasts
        :raises PortLost: the port is gone
        """
        ...


class Port(Protocol):
    """Where a vif's traffic goes to and comes from."""

    @property
    def name(self) -> str:
        """What it is, as the command line writes it: ``tap:NAME``, ``switch``."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What it can be told of frames that are sent."""
        ...

    @property
    def carrier(self) -> bool:
        """Whether there is anybody at its other side."""
        ...

    def open(self, lanes: int, reader: Abilities) -> Sequence[Lane]:
        """Begin to carry, for a frontend that has just connected.

        :param lanes: how many queues the frontend has. Of a port that has one way in, the first lane alone receives:
            two that took turns would put frames of one connection out of order.
        :param reader: what the frontend can be told of frames that it receives
        :raises MachineError: it cannot be had; the message says what to do
        """
        ...

    def close(self) -> None:
        """Give all back; not an error if it is not open."""
        ...
