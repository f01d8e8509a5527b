"""The kit's half of a device in XenStore, of whatever kind: what it writes, and what it waits for of its peer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.end import error_path, put
from pvdrivers.bus.nodes import Peer
from pvdrivers.conformance import waits
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import NEVER, Inconclusive, Noticed, Observation, Seen
from pvdrivers.errors import DriverError
from pvdrivers.xenstore.client import Client, XenStoreError

#: What a backend is in that has made up its mind about a frontend.
_DECIDED = (S.CONNECTED, S.CLOSING, S.CLOSED)
#: Seconds within which drivers look at what they need not look at, if they do.
_SOON = 10.0
#: As often a device is offered anew to a frontend that closes meanwhile.
_TRIES = 3


class Half:
    """Either end.

    :param here: this end's directory
    :param there: the directory of the driver under test
    :param toolstack: XenStore as its domain sees it, where what is wrong is for nobody else to read; None for as here
    """

    def __init__(self, store: Client, here: str, there: str, level: Level, toolstack: Client | None = None) -> None:
        self.store, self.here, self.peer, self.level = store, here, Peer(store, there), level
        self._toolstack = toolstack or store

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
        return waits.until_state(self.store, self.peer, states, self.level.deadline if seconds is None else seconds)

    def complaint(self) -> str:
        """Give what the peer says is wrong, where Linux's drivers say it too; empty if it says nothing."""
        try:
            return self._toolstack.read(f"{error_path(self.peer.path)}/error").decode("ascii", "replace")
        except XenStoreError:
            return ""

    def await_word(self, *states: S, old: str = "", seconds: float | None = None) -> None:
        """Wait until the peer is in one of some states, or says that something is wrong.

        :param old: what it has said before
        """
        paths, nothing = [f"{self.peer.path}/state", error_path(self.peer.path)], {"", old}
        most = self.level.deadline if seconds is None else seconds
        waits.until(self.store, paths, lambda: self.state() in states or self.complaint() not in nothing, most)

    def leave(self) -> None:
        """Part, as this end does, and give all back."""
        raise NotImplementedError

    def follows(self, path: str, condition: Callable[[], bool], seconds: float = _SOON) -> bool:
        """Wait for what a peer may do or not: no longer than one does that does it."""
        return waits.until(self.store, [path], condition, min(self.level.deadline, seconds))


_Half = TypeVar("_Half", bound=Half)


@contextmanager
def leaving(half: _Half) -> Iterator[_Half]:
    """Have a half, which leaves whatever becomes of the case."""
    try:
        yield half
    finally:
        half.leave()


def sound(first: Seen) -> None:
    """Go on only if the first use of a device went as it should.

    :raises Inconclusive: it did not
    :raises Noticed: it went as no driver may have it go
    """
    said = first.detail or first.observation.says
    if first.observation in NEVER:
        raise Noticed(first.observation, said, f"first, {first.what}")
    if first.observation is not Observation.OKAY:
        raise Inconclusive(f"{first.what} at first: {said}")


class FrontHalf(Half):
    """A frontend's, of which the backend is under test.

    :cvar announced: the state in which this kind of frontend has published all that its backend waits for
    :ivar dead: whether its domain's half has ended, with all that was its own
    """

    announced = S.INITIALISED
    dead = False

    def nodes(self) -> dict[str, object]:
        """Make a queue, and give the nodes that publish it, as the header says."""
        raise NotImplementedError

    def proves(self) -> Seen:
        """Use the device; tell how that went."""
        raise NotImplementedError

    def drop(self) -> None:
        """Let go of all queues."""
        raise NotImplementedError

    def release(self) -> None:
        """Give all of this domain's back."""
        raise NotImplementedError

    def leave(self) -> None:
        """Part as a frontend does, and give all back; a dead one does neither."""
        if not self.dead:
            try:
                self.part()
            finally:
                self.release()

    def join(self, nodes: Mapping[str, object], *, plain: bool) -> None:
        """Publish nodes that are sound, and be connected.

        :param plain: whether nothing is asked that a backend need not offer
        :raises Inconclusive: what is plain is not served: for a reason of the machine's
        :raises Noticed: what was offered is not
        """
        seen = self.publish(nodes)
        if seen.observation is Observation.SERVED:
            return
        if not plain:
            raise Noticed(seen.observation, f"what it offers is not served: {seen.detail}")
        raise Inconclusive(f"a sound frontend is not served: {seen.detail or seen.observation.says}")

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
        old = self.complaint()
        self.announce(nodes)
        # What is not refused is connected at once; one that does nothing at all is waited for as long as for that.
        self.await_word(*_DECIDED, old=old)
        return self.became(old)

    def announce(self, nodes: Mapping[str, object]) -> None:
        """Publish nodes, whatever they say, and wait for nothing."""
        self.write({name: str(value) for name, value in nodes.items()}, self.announced)

    def has_decided(self) -> bool:
        """Tell whether the backend has made something of what was published."""
        return self.state() in _DECIDED or self.complaint() != ""

    def became(self, old: str = "") -> Seen:
        """Tell what the backend has made of what was published, and follow it.

        :param old: what it complained of before
        """
        if self.state() is S.CONNECTED:
            self.write({}, S.CONNECTED)
            return Seen("", Observation.SERVED)
        if self.state() in {S.CLOSING, S.CLOSED} or self.complaint() not in {"", old}:
            return Seen("", Observation.REFUSED, self.complaint() or self.state().name)
        return Seen("", Observation.WAITS, f"it stays in state {self.state().name}")

    def part(self) -> S:
        """Close as a frontend does; give the state that the backend comes to."""
        with suppress(XenStoreError):
            self.write({}, S.CLOSING)
            self.await_state(S.CLOSING, S.CLOSED, S.UNKNOWN)
            self.write({}, S.CLOSED)
        return self.await_state(S.CLOSED, S.UNKNOWN)

    def reach(self, state: S) -> None:
        """Come to a state as a frontend does, by those before it; what is no frontend's own, by having been connected.

        :raises Inconclusive: a sound frontend is not served
        """
        if state is S.INITIALISING:
            self.await_state(S.INIT_WAIT)
            return
        self.begin()
        if state is S.INITIALISED:
            self.write({name: str(value) for name, value in self.nodes().items()}, state)
            # Network backends wait for more.
            self.await_state(S.CONNECTED if state is self.announced else S.INIT_WAIT)
            return
        self.join(self.nodes(), plain=True)
        if state is S.CLOSED:
            self.part()
        else:
            self.write({}, state)

    def again(self, seconds: float = _SOON) -> Seen:
        """Begin anew on the same device, with another queue, and use it; tell how that went.

        :param seconds: within which it is offered again, if it is
        """
        for _ in range(_TRIES):
            self.drop()
            self.write({"multi-queue-num-queues": None, "ring-page-order": None}, S.INITIALISING)
            state = self.await_state(S.INIT_WAIT, seconds=seconds)
            if state is not S.INIT_WAIT:
                return Seen("coming again", Observation.CLOSED, f"it stays in state {state.name}")
            # It may still be about to close, for what was said before.
            if self.publish(self.nodes()).observation is Observation.SERVED:
                used = self.proves()
                return Seen("coming again", Observation.REOPENED) if used.observation is Observation.OKAY else used
            self.part()
        return Seen("coming again", Observation.SILENT, f"it is in state {self.state().name}: {self.complaint()}")


class BackHalf(Half):
    """A backend's, of which the frontend is under test."""

    def served(self) -> object:
        """Do all of the handshake, offering nothing that is optional, and see that the device is used.

        :raises Inconclusive: a sound backend is not used
        """
        raise NotImplementedError

    def drop(self) -> None:
        """Let go of all queues."""
        raise NotImplementedError

    def leave(self) -> None:
        """Part as a backend does, and let go of all queues."""
        try:
            self.part()
        finally:
            self.drop()

    def offer(self, nodes: Nodes, seconds: float | None = None) -> S:
        """Offer what nodes say; give the state that the frontend comes to, once it has made something of it.

        :param seconds: for which one is looked at that need do nothing; None for one that has to
        """
        old = self.complaint()
        self.write(nodes, S.INIT_WAIT)
        self.await_word(S.INITIALISED, S.CONNECTED, S.CLOSING, S.CLOSED, old=old, seconds=seconds)
        return self.state()

    def connect(self, nodes: Nodes) -> S:
        """Say that all is there; give the state that the frontend comes to."""
        self.write(nodes, S.CONNECTED)
        return self.await_state(S.CONNECTED, S.CLOSING, S.CLOSED)

    def part(self) -> S:
        """Close as a backend does; give the state that the frontend comes to."""
        with suppress(XenStoreError):
            self.write({"online": 0}, S.CLOSING)
            self.await_state(S.CLOSING, S.CLOSED, S.UNKNOWN, S.INITIALISING)
            self.drop()
            self.write({}, S.CLOSED)
        done = (S.CLOSED, S.UNKNOWN, S.INITIALISING)
        state = self.await_state(*done, seconds=min(self.level.deadline, _SOON))
        if state is S.CLOSING and self.complaint():
            # One that has given its device up, and said why, may say nothing more.
            return state
        return self.await_state(*done)

    def reach(self, state: S) -> None:
        """Come to a state as a backend does, by those before it; what is no backend's own, by having been connected.

        :raises Inconclusive: a sound backend is not used
        """
        if state is S.INITIALISING:
            return
        if state is S.INIT_WAIT:
            self.offer({})
            return
        self.served()
        if state is S.CLOSED:
            self.part()
        else:
            self.write({}, state)

    def again(self, seconds: float = _SOON) -> Seen:
        """Begin anew on the same device, and have it used; tell how that went.

        :param seconds: within which it begins anew, too, if it does
        """
        for _ in range(_TRIES):
            self.drop()
            self.write({"online": 1}, S.CLOSED)
            state = self.await_state(S.INITIALISING, seconds=seconds)
            if state is not S.INITIALISING:
                return Seen("coming again", Observation.CLOSED, f"it stays in state {state.name}")
            # It may still be about to close, for what was said before.
            with suppress(Inconclusive):
                self.served()
                return Seen("coming again", Observation.REOPENED)
        return Seen("coming again", Observation.SILENT, f"it is in state {self.state().name}: {self.complaint()}")
