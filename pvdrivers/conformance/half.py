"""The kit's half of a device in XenStore, of whatever kind: what it writes, and what it waits for of its peer."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.end import error_path, put
from pvdrivers.bus.nodes import Peer
from pvdrivers.conformance import waits
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Inconclusive, Noticed, Observation, Seen
from pvdrivers.errors import DriverError
from pvdrivers.xenstore.client import Client, XenStoreError

#: Seconds within which drivers look at what they need not look at, if they do.
_SOON = 10.0


class Half:
    """Either end.

    :param here: this end's directory
    :param there: the directory of the driver under test
    """

    def __init__(self, store: Client, here: str, there: str, level: Level) -> None:
        self.store, self.here, self.peer, self.level = store, here, Peer(store, there), level

    def state(self) -> S:
        """Give the peer's state."""
        return self.peer.state()

    def write(self, nodes: Nodes, state: S | None = None) -> None:
        """Write nodes of this end, and its state, in this order."""
        put(self.store, self.here, nodes)
        if state is not None:
            self.store.write(f"{self.here}/state", b"%d" % state)

    def await_state(self, *states: S, seconds: float | None = None) -> S:
        """Wait until the peer is in one of some states; give the one it is in, whatever that is."""
        limit = self.level.deadline if seconds is None else seconds
        waits.until(self.store, [f"{self.peer.path}/state"], lambda: self.state() in states, limit)
        return self.state()

    def complaint(self) -> str:
        """Give what the peer says is wrong, where Linux's drivers say it too; empty if it says nothing."""
        try:
            return self.store.read(f"{error_path(self.peer.path)}/error").decode("ascii", "replace")
        except XenStoreError:
            return ""

    def await_word(self, *states: S) -> None:
        """Wait until the peer is in one of some states, or says that something is wrong."""
        paths = [f"{self.peer.path}/state", error_path(self.peer.path)]
        waits.until(self.store, paths, lambda: self.state() in states or self.complaint() != "", self.level.deadline)

    def follows(self, path: str, condition: Callable[[], bool]) -> bool:
        """Wait for what a peer may do or not: no longer than one does that does it."""
        return waits.until(self.store, [path], condition, min(self.level.deadline, _SOON))


class FrontHalf(Half):
    """A frontend's, of which the backend is under test.

    :cvar announced: the state in which this kind of frontend has published all that its backend waits for
    """

    announced = S.INITIALISED

    def offered(self, name: str, default: int = 0) -> int:
        """Give a number that the backend offers.

        :raises Noticed: it is none
        """
        try:
            return self.peer.number(name, 0, 2**64 - 1, default)
        except DriverError as error:
            raise Noticed(Observation.STRAYED, str(error)) from error

    def begin(self) -> None:
        """Wait for the backend's offer.

        :raises Inconclusive: there is none
        """
        state = self.await_state(S.INIT_WAIT)
        if state is not S.INIT_WAIT:
            raise Inconclusive(f"the backend does not offer anything, and is in state {state.name}")

    def publish(self, nodes: Mapping[str, object]) -> Seen:
        """Publish nodes, whatever they say; tell what the backend makes of them."""
        self.write({name: str(value) for name, value in nodes.items()}, self.announced)
        # What is not refused is connected at once; one that does nothing at all is waited for as long as for that.
        self.await_word(S.CONNECTED, S.CLOSING, S.CLOSED)
        if self.state() is S.CONNECTED:
            self.write({}, S.CONNECTED)
            return Seen("", Observation.SERVED)
        if self.state() in {S.CLOSING, S.CLOSED} or self.complaint():
            return Seen("", Observation.REFUSED, self.complaint() or self.state().name)
        return Seen("", Observation.WAITS, f"it stays in state {self.state().name}")

    def part(self) -> S:
        """Close as a frontend does; give the state that the backend comes to."""
        with suppress(XenStoreError):
            self.write({}, S.CLOSING)
            self.await_state(S.CLOSING, S.CLOSED, S.UNKNOWN)
            self.write({}, S.CLOSED)
        return self.await_state(S.CLOSED, S.UNKNOWN, S.INIT_WAIT)
