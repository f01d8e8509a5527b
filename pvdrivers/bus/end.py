"""One end of a device, in a thread of its own: looks at both states, does what the table says, writes the new state.

A peer may write whatever it likes as often as it likes: it keeps this thread busy and nobody else, and what waits to be
looked at never grows. Who is killed is noticed by its state, or by its nodes' going.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import TypeVar

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.device import NOTHING, Device, Nodes
from pvdrivers.bus.nodes import Peer
from pvdrivers.errors import DriverError, MachineError, mistake
from pvdrivers.xenbus import BACK, JOINED, Action, Role, Table, begin, is_over, may_resume, parting
from pvdrivers.xenstore.client import Client, Transaction, View, Watch, XenStoreError
from pvdrivers.xenstore.client.client import join

_Result = TypeVar("_Result")

#: Seconds between looks after a device: at what it serves, what there is to tell.
TICK = 1.0
#: Seconds between looks at states of which no watch has told: each costs several requests to XenStore, and an idle disk
#: is to cost next to nothing.
LOOK = 10.0
#: Seconds that an end rests when something went wrong: a peer that is wrong all the time costs little.
_REST = 0.2
#: Steps taken before others' watches are looked at: a peer may go round in circles.
_STEPS = 16


class Gone(Exception):
    """The toolstack has removed this end."""


class End(threading.Thread):
    """An end, begun by ``start``; `wait` waits for it to be connected, or over.

    :param here: its directory in XenStore
    :param there: its peer's
    :param table: what it does when
    :param log: is told what went wrong, a line each
    """

    def __init__(
        self,
        store: Client,
        here: str,
        there: str,
        device: Device,
        *,
        role: Role = Role.BACK,
        table: Table = BACK,
        log: Callable[[str], object] = lambda _: None,
    ) -> None:
        super().__init__(name=here.rpartition("/local/domain/")[2], daemon=True)
        self.here, self.there, self.device, self.role = here, there, device, role
        self.state = XenbusState.INITIALISING
        #: The last thing that went wrong, until it goes right.
        self.error: DriverError | None = None
        self._store, self._table, self._log = store, table, log
        self._awake = threading.Event()
        self._changed = threading.Condition()
        self._faults: list[tuple[DriverError, bool, bool]] = []
        #: Why the device can do nothing for now.
        self.lost: DriverError | None = None
        self._stopping = self._leaving = self.over = False

    def stop(self) -> None:
        """End the thread, the device's work done first; states stay as they are, so that a successor may go on."""
        self._stopping = True
        self._awake.set()

    def leave(self) -> None:
        """Let a frontend part from its backend, and not begin anew; it is over then."""
        self._leaving = True
        self._awake.set()

    def fault(self, error: DriverError, *, fatal: bool = False, over: bool = False) -> None:
        """Say in XenStore what is wrong, or is no longer; from any thread (see `Fault`)."""
        with self._changed:
            self._faults.append((error, fatal, over))
        self._awake.set()

    def wait(self, states: Sequence[XenbusState], timeout: float | None = None) -> bool:
        """Wait until this end is in one of some states, over, or lost; tell whether it is in one of them."""
        with self._changed:
            self._changed.wait_for(lambda: self.over or self.lost or self.state in states, timeout)
            return self.state in states and not self.lost

    def parts(self, timeout: float) -> bool:
        """Wait until this end is connected no longer, or lost; tell whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.lost) or self.state is not XenbusState.CONNECTED, timeout)

    def run(self) -> None:
        """Run the end until it is over or stopped."""
        self.device.begin(self.fault)
        while not (self.over or self._stopping):
            try:
                self._watched()
            except Gone:
                self._finish()
            except XenStoreError as error:
                # It may come back: a daemon that was restarted, or a quota that is not used up any more.
                self._say(f"XenStore: {error}")
                if reason := self._tried(self.device.lost):
                    self._lose(reason)
                if self._leaving:
                    break
                self._rest(TICK)
        if not self.over:
            self._finish(self.device.pause)

    def _watched(self) -> None:
        with ExitStack() as stack:
            paths = [join(self.here, "state"), join(self.there, "state")]
            paths += [join(self.here, "online")] if self.role is Role.BACK else []
            watches = [stack.enter_context(self._store.watch(path, self._awake.set)) for path in paths]
            self.lost = None
            self._first()
            due = 0.0
            while not (self.over or self._stopping):
                told = self._awake.wait(TICK)
                self._awake.clear()
                if told or time.monotonic() >= due:
                    due = time.monotonic() + LOOK
                    self._seen(watches)
                self._tick()

    def _seen(self, watches: Sequence[Watch]) -> None:
        for watch in watches:
            watch.drain()
        self._complain()
        for _ in range(_STEPS):
            if self.over or not self._turn():
                break
        else:
            self._awake.set()

    def _tick(self) -> None:
        if self.state is XenbusState.CONNECTED:
            nodes, told = self._tried(self.device.tick) or (NOTHING, False)
            if nodes or told:
                self._write(self.state if told else None, nodes)

    def _first(self) -> None:
        # Where it begins depends on what its former life has left.
        if self.state is not XenbusState.INITIALISING:
            return
        written, peer = Peer(self._store, self.here).state(), Peer(self._store, self.there).state()
        if self.role is Role.FRONT:
            self._enter(begin(written))
        elif may_resume(written, peer) and self._tried(self.device.resume):
            self._enter(XenbusState.CONNECTED)

    def _turn(self) -> bool:
        # One step; tells whether there may be another.
        own = Peer(self._store, self.here)
        if not own.has("state"):
            raise Gone
        peer = Peer(self._store, self.there).state()
        state = parting(self.role, self.state, own.state(), peer, leaving=self._leaving)
        if state is not None:
            self._part(state)
            return True
        if is_over(self.role, self.state, peer, leaving=self._leaving, online=self._online(own)):
            # A toolstack that unplugs what was closed already waits to see it closed.
            if self.role is Role.BACK and own.state() is not XenbusState.CLOSED:
                self._write(XenbusState.CLOSED, NOTHING)
            self._finish()
            return False
        step = self._table.get((self.state, peer))
        if step is None or (step.action is Action.RESTART and self._leaving):
            return False
        before = self.state
        nodes = self._tried(getattr(self.device, step.action.value))
        if nodes is None:
            self._close(XenbusState.CLOSED if before is XenbusState.CLOSING else XenbusState.CLOSING)
            self._rest(_REST)
            return False
        if step.state is XenbusState.CONNECTED and before is not XenbusState.CONNECTED:
            self._well()
        if nodes or step.state is not before:
            self._write(step.state, nodes)
        return step.state is not before

    def _online(self, own: Peer) -> bool:
        # Asked for where it counts alone: each look is a request.
        closed = self.role is Role.BACK and self.state is XenbusState.CLOSED
        return not closed or own.text("online", "1").strip() != "0"

    def _part(self, state: XenbusState) -> None:
        if self.role is Role.FRONT:
            # It gives its pages back once the backend has let go of them: what that copies meanwhile would be an error.
            self._write(state, NOTHING)
        else:
            self._close(state)

    def _close(self, state: XenbusState) -> None:
        self._write(state, self._tried(self.device.close) or NOTHING)

    def _finish(self, last: Callable[[], object] | None = None) -> None:
        self._tried(last or self.device.close)
        self._tried(self.device.over)
        with self._changed:
            self.over = True
            self._changed.notify_all()

    def _tried(self, action: Callable[[], _Result]) -> _Result | None:
        # None when it failed.
        try:
            return action()
        except DriverError as error:
            self._bad(error)
        except OSError as error:
            self._bad(MachineError(f"{error.strerror or error}"))
        except Exception as error:  # noqa: BLE001 - a peer must not be left waiting for a thread that is no more
            self._bad(mistake(error))
        return None

    def _complain(self) -> None:
        with self._changed:
            faults, self._faults = self._faults, []
        for error, fatal, over in faults:
            if over:
                self._mended(error)
                continue
            self._bad(error)
            if fatal and self.state in JOINED:
                self._close(XenbusState.CLOSING)

    def _bad(self, error: DriverError) -> None:
        # Where Linux's drivers say it too (xenbus_dev_error).
        self.error = error
        self._say(str(error))
        with suppress(XenStoreError):
            self._store.write(join(error_path(self.here), "error"), f"22 {error}".encode()[:1024])

    def _mended(self, error: DriverError) -> None:
        self._say(f"no longer so: {error}")
        # Something else may be wrong by now.
        if self.error is error:
            self._well()

    def _well(self) -> None:
        self.error = None
        with suppress(XenStoreError):
            if self._store.exists(error_path(self.here)):
                self._store.remove(error_path(self.here))

    def _say(self, line: str) -> None:
        self._log(f"{self.name}: {line}")

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def _write(self, state: XenbusState | None, nodes: Nodes) -> None:
        def write(transaction: Transaction) -> None:
            # A write would bring back a directory that the toolstack has removed meanwhile.
            if not transaction.exists(join(self.here, "state")):
                raise Gone
            put(transaction, self.here, nodes)
            if state is not None:
                transaction.write(join(self.here, "state"), b"%d" % state)

        self._store.transact(write)
        if state is not None:
            self._enter(state)

    def _lose(self, reason: DriverError) -> None:
        # It begins anew, where there is something to begin with.
        with self._changed:
            self.lost = reason
        self._enter(XenbusState.INITIALISING)

    def _enter(self, state: XenbusState) -> None:
        with self._changed:
            self.state = state
            self._changed.notify_all()


def error_path(here: str) -> str:
    """Give where an end says what is wrong: ``/local/domain/0/error/backend/vbd/5/51712``."""
    _, local, domain, domid, rest = here.split("/", 4)
    return f"/{local}/{domain}/{domid}/error/{rest}"


def put(view: View, directory: str, nodes: Nodes) -> None:
    """Write or remove nodes."""
    for name, value in nodes.items():
        if value is None:
            view.remove(join(directory, name))
        else:
            view.write(join(directory, name), str(value).encode())
