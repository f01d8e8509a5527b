"""Vifs of ours side by side on a loopback, each with a frontend of the test's, and what all of them have in use.

Whoever leaves a vif has checked that its backend has given all back, and that a sibling is still served.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pvdrivers.abi.netif import RX_REQUEST, NetifRsp, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.end import End, error_path
from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.net.back.backend import Backend
from pvdrivers.net.frame import Frame
from pvdrivers.net.ports.base import Port
from pvdrivers.net.watched import Watched
from pvdrivers.transport.base import Grant
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.transport.loopback.hypervisor import InUse
from pvdrivers.xenbus import NET_BACK, Role
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.bare import Bare
from tests.pvdrivers.net.lanes import STUCK, TestsPackedLane, TestsPort
from tests.pvdrivers.net.messages import answers, received, sent, xdp

BACK, GUEST, STRANGER = 0, 5, 6
#: A reference that nobody has granted.
NOBODYS = 0x00FF_FFFF
_MAC = "00:16:3e:01:02:03"
#: Pages that a frontend here has for what it sends.
PAGES = 24
#: Of the id and content of what proves that a vif is served.
_PROBE = 0x7E
_PROOF = bytes(range(60))


class Accounts(NamedTuple):
    """What is in use: by each domain, by this process."""

    domains: tuple[InUse, ...]
    watches: int
    threads: int
    descriptors: int


def accounts(running: Machine) -> Accounts:
    """Count what is in use."""
    # What another test has left goes now, and not meanwhile.
    gc.collect()
    store = running._store.store
    return Accounts(
        tuple(running.hypervisor.in_use(domid) for domid in running.domids),
        sum(store.domains.known(domid).watches for domid in running.domids),
        threading.active_count(),
        len(list(Path("/proc/self/fd").iterdir())),
    )


class Mute:
    """Who watches and says nothing: queues go the readable way then."""

    def saw(self, _queue: int, packets: object) -> None:
        """Look at nothing."""


@dataclass
class Vif:
    """A vif: its backend, run as a program runs it, and its frontend, which may do anything."""

    guest: Loopback
    dom0: Loopback
    spot: Spot
    port: TestsPort
    device: Backend
    end: End
    bare: Bare
    lines: list[str]
    #: For what proves that it is served: from, and to.
    proof: tuple[Grant, Grant]
    #: Pages for what is sent.
    sending: Grant
    #: Frames that have come out at the port, as far as they were looked at.
    seen: int = 0
    #: Bytes that its frontend wants free in each page.
    headroom: int = 0

    def gref(self, page: int) -> int:
        """Give a page's reference."""
        return self.sending.grefs[page]

    def content(self, page: int, offset: int, length: int) -> bytes:
        """Give what stands in a page."""
        return bytes(self.sending.memory[page * PAGE_SIZE + offset : page * PAGE_SIZE + offset + length])

    def slot(self, page: int, flags: int = 0, size: int = 100, offset: int = 0) -> bytes:
        """Form a request for part of a page, whose number is its id."""
        return sent(page, flags, size, offset, self.gref(page))

    @property
    def granted(self) -> bytes:
        """All that its backend may read."""
        return bytes(self.sending.memory)

    def frames(self, count: int) -> list[Frame]:
        """Wait for so many more frames at the port."""
        got = self.port.lanes[0].got(self.seen + count)[self.seen :]
        self.seen += len(got)
        return got

    def proves(self) -> None:
        """Hold that frames go both ways."""
        source, target = self.proof
        source.memory[: len(_PROOF)] = _PROOF
        target.memory[:] = bytes(PAGE_SIZE)
        self.bare.tx.put(sent(_PROBE, size=len(_PROOF), gref=source.grefs[0]))
        assert answers(self.bare.tx.take(1)) == [(_PROBE, NetifRsp.OKAY)]
        assert [frame.data for frame in self.frames(1)] == [_PROOF]
        slots = [received(len(_PROOF), RxFlag.EXTRA_INFO * bool(self.headroom), self.headroom, _PROBE)]
        slots += [xdp(self.headroom)] if self.headroom else []
        self.bare.rx.put(RX_REQUEST.struct.pack(_PROBE, 0, target.grefs[0]) * len(slots))
        self.port.lanes[0].give([Frame(_PROOF[::-1])])
        assert self.bare.rx.take(len(slots)) == b"".join(slots)
        # Nothing but the frame is written.
        assert bytes(target.memory) == (bytes(self.headroom) + _PROOF[::-1]).ljust(PAGE_SIZE, b"\0")

    def error(self) -> str:
        """Wait until XenStore says what is wrong; give that."""
        path = f"{error_path(self.spot.back)}/error"
        until(lambda: self.dom0.store.exists(path))
        return self.dom0.store.read(path).decode()

    def ended(self, why: str) -> None:
        """Hold that its queue has ended, for a reason that is told in XenStore and in the log, and for none other."""
        said = self.error()
        assert why in said
        assert [line for line in self.lines if why in line]
        assert len(self.lines) == 1
        until(lambda: self.port.lanes[0].closed)
        # The device stays connected, as Linux's does, and what is asked for is not looked at any more.
        assert self.end.state is XenbusState.CONNECTED
        before = self.bare.tx.answered, self.bare.rx.answered
        for ring in (self.bare.tx, self.bare.rx):
            ring.channel.notify()
        assert (self.bare.tx.answered, self.bare.rx.answered) == before


@dataclass
class Yard:
    """A machine with a vif that stays, and others that come and go."""

    machine: Machine
    dom0: Loopback
    guest: Loopback
    sibling: Vif | None = None
    numbers: int = 0

    def spot(self) -> Spot:
        """Give a place for one vif more."""
        self.numbers += 1
        return Spot("vif", "uvif", BACK, GUEST, self.numbers - 1)

    @contextmanager
    def plugged(self, *, readable: bool = False, port: Port | None = None) -> Iterator[Vif]:
        """Make a vif, whose backend waits for its frontend."""
        spot = self.spot()
        plug(self.dom0.store, spot, {"handle": spot.devid, "mac": _MAC}, {"handle": spot.devid, "mac": _MAC})
        seen, own = Watched(), TestsPort(TestsPackedLane)
        seen.by = Mute() if readable else None
        lines: list[str] = []
        device = Backend(self.dom0, spot, port or own, seen=seen)
        end = End(self.dom0.store, spot.back, spot.front, device, role=Role.BACK, table=NET_BACK, log=lines.append)
        bare = Bare(self.guest, BACK)
        proof = self.guest.grant(BACK, writable=False), self.guest.grant(BACK)
        sending = self.guest.grant(BACK, PAGES, writable=False)
        vif = Vif(self.guest, self.dom0, spot, own, device, end, bare, lines, proof, sending)
        # No two stretches of them are alike.
        sending.memory[:] = b"".join(at.to_bytes(4, "big") for at in range(0, PAGES * PAGE_SIZE, 4))
        end.start()
        assert end.wait([XenbusState.INIT_WAIT], STUCK), end.error
        try:
            yield vif
        finally:
            end.stop()
            end.join(STUCK)
            assert not end.is_alive()
            vif.bare.close()
            for page in (*proof, sending):
                page.revoke()
            for path in (spot.back, spot.front):
                self.dom0.store.remove(path)

    @contextmanager
    def vif(self, *, readable: bool = False, port: Port | None = None, **nodes: object) -> Iterator[Vif]:
        """Make a vif that serves its frontend.

        :param readable: the readable way, and not the compiled one
        :param nodes: what the frontend writes besides, or instead
        """
        with self.plugged(readable=readable, port=port) as vif:
            given = {name.replace("_", "-"): value for name, value in nodes.items()}
            vif.headroom = int(str(given.get("xdp-headroom", 0)))
            vif.bare.publish(vif.spot.front, {**vif.bare.nodes(), **given})
            assert vif.end.wait([XenbusState.CONNECTED], STUCK), vif.end.error
            yield vif

    @contextmanager
    def case(self, *, readable: bool = False, **nodes: object) -> Iterator[Vif]:
        """Make a vif for one case: served before it; after it, its sibling is, and nothing of it is left."""
        assert self.sibling
        before = accounts(self.machine)
        with self.vif(readable=readable, port=None, **nodes) as vif:
            vif.proves()
            granted = vif.granted
            yield vif
            assert vif.granted == granted
            self.sibling.proves()
        assert accounts(self.machine) == before


@contextmanager
def yard(directory: Path) -> Iterator[Yard]:
    """Run a machine of our backend's domain, a frontend's and a stranger's."""
    with (
        machine(directory, [BACK, GUEST, STRANGER]) as running,
        Loopback(directory, BACK) as dom0,
        Loopback(directory, GUEST) as guest,
    ):
        made = Yard(running, dom0, guest)
        with made.vif() as sibling:
            made.sibling = sibling
            # What is opened once and kept is opened now.
            for readable in (False, True):
                with made.vif(readable=readable) as vif:
                    vif.proves()
            sibling.proves()
            yield made
            assert sibling.lines == []
