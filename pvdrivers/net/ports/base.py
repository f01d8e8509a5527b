"""What a port is to a backend: where a frontend's frames come out, and where those for it come in.

Law: what a port cannot carry it finishes, or drops and counts. Nothing here knows rings, grants or XenStore.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pvdrivers.bus.queued import Sums
from pvdrivers.net.frame import Abilities, Frame


@dataclass(slots=True)
class PortStats(Sums):
    """What went through a port, or not."""

    sent: int = 0
    received: int = 0
    #: Frames that the port's other side did not take: full, down, or no sense in them.
    dropped: int = 0
    #: Frames of which something was finished in software.
    finished: int = 0
    syscalls: int = 0


class Lane(Protocol):
    """One queue of a port; used by one thread. A port's lanes are as good as each other.

    Frames stay valid until the next call of `receive`.
    """

    stats: PortStats

    def fileno(self) -> int:
        """Give a descriptor that is readable while frames wait; -1 where none ever come."""
        ...

    def receive(self, limit: int) -> Sequence[Frame]:
        """Take frames that wait, in their order; never blocks.

        :param limit: how many at most
        :raises MachineError: the port is gone
        """
        ...

    def send(self, frames: Sequence[Frame]) -> int:
        """Send frames on; never blocks. What is not taken is dropped, as on any wire, and counted.

        :returns: how many were taken
        :raises MachineError: the port is gone
        """
        ...

    def close(self) -> None:
        """Give it back."""
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

        :param lanes: how many queues the frontend has; a port without so many gives as many that share one
        :param reader: what the frontend can be told of frames that it receives
        :raises MachineError: it cannot be had; the message says what to do
        """
        ...

    def close(self) -> None:
        """Give all back; not an error if it is not open."""
        ...
