"""What a driver is to the bus: an answer to each action of the handshake's tables.

A method does its action and gives the nodes that are to be written with the new state, in one transaction: paths under
the end's own directory, and None for a node that is to go. What it raises (`pvdrivers.errors`) closes the device.
"""

from collections.abc import Mapping
from typing import Protocol

from pvdrivers.errors import DriverError

Nodes = Mapping[str, str | int | None]
#: Changes nothing.
NOTHING: Nodes = {}


class Fault(Protocol):
    """The way to tell, from any thread, that something is wrong: `end.End.fault`."""

    def __call__(self, error: DriverError, *, fatal: bool = False, over: bool = False) -> object:
        """Tell it.

        :param fatal: whether the device is of no use any more, and must begin anew
        :param over: this is what was told last, and it is so no longer
        """
        ...


class Device(Protocol):
    """One end of a device; its methods are called by one thread. `Plain` has what many do not need."""

    def begin(self, fault: Fault) -> None:
        """Take note of the way to tell that something is wrong, which is how it comes into XenStore."""
        ...

    def resume(self) -> bool:
        """Go on where a former life of this end, which was connected, was killed; False if that cannot be."""
        ...

    def offer(self) -> Nodes:
        """Write what this end can do."""
        ...

    def publish(self) -> Nodes:
        """Choose from what the peer offers, grant rings, allocate channels."""
        ...

    def connect(self) -> Nodes:
        """Read what the peer has written, join, and serve or use it from now on."""
        ...

    def reread(self) -> Nodes:
        """Look again at what the peer has written, being connected."""
        ...

    def reconfigure(self) -> Nodes:
        """Take up what the peer wants changed while connected."""
        ...

    def close(self) -> Nodes:
        """Give back all that joins the two; not an error if there is nothing."""
        ...

    def pause(self) -> None:
        """As `close`, but the peer is told nothing, and a successor may `resume`."""
        ...

    def restart(self) -> Nodes:
        """Begin anew."""
        ...

    def lost(self) -> DriverError | None:
        """Now that XenStore is gone: if its transport is too, do as in `close`, and tell why."""
        ...

    def over(self) -> None:
        """Take note that this end is no more."""
        ...

    def tick(self) -> tuple[Nodes, bool]:
        """Look after things, every now and then while connected: nodes to write, and whether the peer is to be told.

        It is told by the same state being written again.
        """
        ...


class Plain:
    """A device that does nothing; to be derived from."""

    def begin(self, fault: Fault) -> None:
        """See `Device.begin`."""
        self.fault = fault

    def resume(self) -> bool:
        """See `Device.resume`."""
        return False

    def offer(self) -> Nodes:
        """See `Device.offer`."""
        return NOTHING

    def publish(self) -> Nodes:
        """See `Device.publish`."""
        return NOTHING

    def connect(self) -> Nodes:
        """See `Device.connect`."""
        return NOTHING

    def reread(self) -> Nodes:
        """See `Device.reread`."""
        return NOTHING

    def reconfigure(self) -> Nodes:
        """See `Device.reconfigure`."""
        return NOTHING

    def close(self) -> Nodes:
        """See `Device.close`."""
        return NOTHING

    def pause(self) -> None:
        """See `Device.pause`."""
        self.close()

    def restart(self) -> Nodes:
        """See `Device.restart`."""
        return NOTHING

    def lost(self) -> DriverError | None:
        """See `Device.lost`."""
        return None

    def over(self) -> None:
        """See `Device.over`."""

    def tick(self) -> tuple[Nodes, bool]:
        """See `Device.tick`."""
        return NOTHING, False
