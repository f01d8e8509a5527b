"""Frontends of ours on a loopback, each with a backend of which every message is the test's own; it may do anything."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from pvdrivers.abi.netif import RX_RING, TX_REQUEST, TX_RESPONSE, TX_RING, NetifRsp
from pvdrivers.abi.ring import HEADER
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.end import End, error_path, put
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.net.back.backend import OFFER
from pvdrivers.net.frame import Frame
from pvdrivers.net.front import frontend
from pvdrivers.net.front.frontend import Frontend, Options
from pvdrivers.net.front.frontqueue import FrontQueue
from pvdrivers.net.nodes import offer_nodes
from pvdrivers.net.packet import rx_back
from pvdrivers.net.packet.slots import Place
from pvdrivers.ring import Back
from pvdrivers.transport.base import Channel, Mapping, Piece
from pvdrivers.transport.loopback import Loopback
from pvdrivers.xenbus import NET_FRONT, Role
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.hostile.vifs import BACK, Yard, accounts
from tests.pvdrivers.net.lanes import STUCK, TestsPackedLane, TestsPort
from tests.pvdrivers.net.messages import received

#: Of each direction.
PAGES = 64
_PROOF = bytes(range(60))
_WRITABLE = 8


class BareBack:
    """The backend's end of one frontend's queue."""

    def __init__(self, dom0: Loopback, spot: Spot) -> None:
        self._dom0, self._spot = dom0, spot
        front = Peer(dom0.store, spot.front)
        grefs = [front.number(f"{name}-ring-ref", 0, 2**32 - 1) for name in ("tx", "rx")]
        ports = [front.number(f"event-channel-{name}", 1, 2**32 - 1) for name in ("tx", "rx")]
        self.pages: list[Mapping] = [dom0.map(spot.domid, [gref]) for gref in grefs]
        self.channels: list[Channel] = [dom0.bind_interdomain(spot.domid, port) for port in ports]
        kinds = (TX_RING, RX_RING)
        self.tx, self.rx = (Back(page.memory, kind) for page, kind in zip(self.pages, kinds, strict=True))
        #: Pages that the frontend has posted, in order; all that were ever.
        self.posted: deque[Place] = deque()
        self.count = 0

    def close(self) -> None:
        """Give all back."""
        for ring in (self.tx, self.rx):
            ring.release()
        for one in self.pages:
            one.unmap()
        for channel in self.channels:
            channel.close()

    def asked(self, count: int) -> list[tuple[int, int, int, int, int]]:
        """Wait for so many requests to send; give their fields."""
        found = _waited(self.tx.take, count * TX_REQUEST.size)
        return [(a, b, c, d, e) for a, b, c, d, e in TX_REQUEST.struct.iter_unpack(found)]

    def post(self, count: int) -> None:
        """Wait until so many pages more are posted."""
        self.count += count
        self.posted += rx_back.posted(_waited(self.rx.take, count * RX_RING.request.size))

    def answer(self, *answers: tuple[int, int]) -> None:
        """Answer requests to send, or what was never one."""
        self._send(self.tx, 0, b"".join(TX_RESPONSE.struct.pack(*answer) for answer in answers))

    def respond(self, *responses: bytes) -> None:
        """Answer posted pages."""
        self._send(self.rx, 1, b"".join(responses))

    def _send(self, ring: Back, line: int, messages: bytes) -> None:
        ring.put(messages)
        ring.push()
        self.channels[line].notify()

    def produce(self, line: int, index: int) -> None:
        """Claim to have produced up to an index, whatever there is."""
        self.pages[line].memory[_WRITABLE : _WRITABLE + 4] = (index & 0xFFFFFFFF).to_bytes(4, "little")
        self.channels[line].notify()

    def produced(self, line: int) -> int:
        """Give its producer index."""
        return int(HEADER.struct.unpack_from(self.pages[line].memory)[2])

    def read(self, gref: int, length: int, offset: int = 0) -> bytes:
        """Copy out of a page of the frontend's."""
        content = bytearray(length)
        assert self._dom0.copy_from(self._spot.domid, [Piece(gref, offset, 0, length)], memoryview(content)) == [0]
        return bytes(content)

    def write(self, gref: int, content: bytes, offset: int = 0) -> None:
        """Copy into a page of the frontend's."""
        pieces = [Piece(gref, offset, 0, len(content))]
        assert self._dom0.copy_to(self._spot.domid, pieces, memoryview(bytearray(content))) == [0]


def _waited(take: Callable[[], bytes], size: int) -> bytes:
    found = b""
    deadline = time.monotonic() + STUCK
    while len(found) < size:
        found += take()
        assert time.monotonic() < deadline, f"{len(found)} bytes of {size}"
        time.sleep(0.0005)
    assert len(found) == size
    return found


@dataclass
class Fronted:
    """A frontend, run as a program runs it, and its backend, which may do anything."""

    dom0: Loopback
    spot: Spot
    port: TestsPort
    device: Frontend
    end: End
    lines: list[str]
    back: BareBack
    seen: int = 0

    def state(self, state: int) -> None:
        """Write its backend's state."""
        self.dom0.store.write(f"{self.spot.back}/state", b"%d" % state)

    def frames(self, count: int) -> list[Frame]:
        """Wait for so many more frames at the port."""
        got = self.port.lanes[0].got(self.seen + count)[self.seen :]
        self.seen += len(got)
        return got

    def proves(self) -> None:
        """Hold that frames go both ways."""
        self.port.lanes[0].give([Frame(_PROOF)])
        ((gref, offset, flags, ident, size),) = self.back.asked(1)
        assert (offset, flags, self.back.read(gref, size)) == (0, 0, _PROOF)
        self.back.answer((ident, NetifRsp.OKAY))
        ident, gref = self.back.posted.popleft()
        self.back.write(gref, _PROOF[::-1], 100)
        self.back.respond(received(len(_PROOF), 0, 100, ident))
        assert [frame.data for frame in self.frames(1)] == [_PROOF[::-1]]
        # The page is posted again.
        self.back.post(1)

    def error(self) -> str:
        """Wait until XenStore says what is wrong; give that."""
        path = f"{error_path(self.spot.front)}/error"
        until(lambda: self.dom0.store.exists(path))
        return self.dom0.store.read(path).decode()

    def parted(self, why: str) -> None:
        """Hold that it parts from its backend for one reason, which is told in XenStore and in the log."""
        assert self.end.wait([XenbusState.CLOSING, XenbusState.CLOSED], STUCK)
        assert why in self.error()
        assert len(self.lines) == 1
        assert why in self.lines[0]
        assert [lane.closed for lane in self.port.lanes] == [True]

    def begins_anew(self) -> None:
        """Hold that it joins a backend that makes sense."""
        self.back.close()
        self.state(6)
        assert self.end.wait([XenbusState.CLOSED, XenbusState.INITIALISING], STUCK)
        self.connects()
        self.proves()

    def connects(self) -> None:
        """Make an offer, and join what the frontend publishes."""
        self.state(2)
        assert self.end.wait([XenbusState.CONNECTED], STUCK), self.end.error
        self.seen = 0
        self.back = BareBack(self.dom0, self.spot)
        self.state(4)
        self.back.post(PAGES)


@contextmanager
def fronted(yard: Yard, options: Options | None = None, *, pages: int = PAGES, **nodes: object) -> Iterator[Fronted]:
    """Run a frontend, joined to a backend of the test's.

    :param pages: that it has, for each direction
    :param nodes: what the backend offers besides, or instead
    """
    spot = yard.spot()
    plug(yard.dom0.store, spot, {}, {})
    given = {name.replace("_", "-"): str(value) for name, value in nodes.items()}
    put(yard.dom0.store, spot.back, {**offer_nodes(OFFER._replace(max_queues=1, control=False)), **given})
    port, lines = TestsPort(TestsPackedLane), list[str]()
    device = Frontend(yard.guest, spot.back, BACK, port, options or Options(pages=pages))
    end = End(yard.guest.store, spot.front, spot.back, device, role=Role.FRONT, table=NET_FRONT, log=lines.append)
    yard.dom0.store.write(f"{spot.back}/state", b"2")
    end.start()
    with ExitStack() as stack:
        stack.callback(_removed, yard, spot)
        stack.callback(_left, end)
        assert end.wait([XenbusState.CONNECTED], STUCK), end.error
        made = Fronted(yard.dom0, spot, port, device, end, lines, BareBack(yard.dom0, spot))
        stack.callback(_closed, made)
        made.state(4)
        made.back.post(pages)
        yield made


def _closed(made: Fronted) -> None:
    # That which it has by then.
    made.back.close()


def _left(end: End) -> None:
    end.stop()
    end.join(STUCK)
    assert not end.is_alive()
    end.device.close()


def _removed(yard: Yard, spot: Spot) -> None:
    for path in (spot.back, spot.front, error_path(spot.front)):
        if yard.dom0.store.exists(path):
            yard.dom0.store.remove(path)


@contextmanager
def case(yard: Yard, options: Options | None = None, **nodes: object) -> Iterator[Fronted]:
    """Run a frontend for one case: it carries frames before; after it, a sibling does, and nothing of it is left."""
    assert yard.sibling
    before = accounts(yard.machine)
    with fronted(yard, options, pages=PAGES, **nodes) as front:
        front.proves()
        yield front
        yard.sibling.proves()
    assert accounts(yard.machine) == before


def only_the_reference(patch: pytest.MonkeyPatch) -> None:
    """Have frontends go the readable way."""
    patch.setattr(frontend, "FrontQueue", partial(FrontQueue, compiled=False))
