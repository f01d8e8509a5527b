"""A frontend that a program runs as long as it needs its device."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.device import Device
from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import Peer
from pvdrivers.errors import MachineError
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import Role, Table

#: Seconds that a backend may take to connect, and to part.
PATIENCE = 30.0
_POLL = 0.01


@contextmanager
def joined(transport: Transport, here: str, make: Callable[[str, int], Device], table: Table) -> Iterator[End]:
    """Run the frontend of a directory, as long as the context lasts; both ends are connected when it begins.

    :param make: makes it, given the backend's directory and domid
    :raises MachineError: there is no such device, or its backend does not connect; the message tells why
    """
    own = Peer(transport.store, here)
    if not own.has("backend"):
        raise MachineError(f"there is no device at {here}")
    there, domid = own.text("backend"), own.number("backend-id", 0, 0x7FFF)
    peer = Peer(transport.store, there)
    end = End(transport.store, here, there, make(there, domid), role=Role.FRONT, table=table)
    end.start()
    try:
        deadline = time.monotonic() + PATIENCE
        connected = end.wait([XenbusState.CONNECTED], PATIENCE)
        # A vif's frontend says so before its backend does.
        while connected and not end.over and peer.state() is not XenbusState.CONNECTED and time.monotonic() < deadline:
            time.sleep(_POLL)
        if not connected or peer.state() is not XenbusState.CONNECTED:
            if end.lost:
                raise end.lost
            if end.over:
                # Plugged out meanwhile, whether or not it has been connected.
                raise MachineError(f"the device at {there} is gone")
            state = peer.state().name.title().replace("_", "")
            raise MachineError(f"the backend at {there} does not connect: {end.error or f'it is in state {state}'}")
        yield end
    finally:
        end.leave()
        end.join(PATIENCE)
        end.stop()
        end.join()
