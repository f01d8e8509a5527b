"""What a backend can read of its frontend: of all pages that are granted each byte is zero, or was meant for it.

All of them are dumped as they lie in memory, and compared with what was sent and received byte by byte, as they stand
in rings and pages. Other vifs and the process have other bytes, which are nowhere to be found.
"""

import os

import pytest

from pvdrivers.abi.netif import RX_REQUEST, TX_REQUEST, GsoType, HashType, NetifRsp
from pvdrivers.abi.ring import HEADER, PAGE_SIZE
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.net.control.front import spread
from pvdrivers.net.frame import Checksum, FlowHash, Frame, Offload
from pvdrivers.net.front.controlqueue import FrontControl
from tests.pvdrivers.net.hostile import backs
from tests.pvdrivers.net.hostile.backs import PAGES, Fronted, fronted
from tests.pvdrivers.net.hostile.vifs import BACK, GUEST, Yard
from tests.pvdrivers.net.lanes import STUCK
from tests.pvdrivers.net.messages import received

#: Of the process, of another vif, of this one's frames, of what comes to it.
SECRET, THEIRS, OURS, COMES = b"\xc3", b"\x5a", b"\xa5", b"\x77"
#: Each shorter than the one before in the same pages, and longer again.
SIZES = (9000, 4097, 4096, 1514, 100, 60, 14, 65535, 61, 15)
CUT = Offload(Checksum.BLANK, GsoType.TCPV4, 1448)
FLOW = FlowHash(HashType.IPV4_TCP, 0xA5A5A5A5)


@pytest.fixture(autouse=True)
def _way(readable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if readable:
        backs.only_the_reference(monkeypatch)
    # What the process has freed is full of what must not be seen.
    kept = [SECRET * size for size in (64, 4096, 65536, 1 << 20) for _ in range(64)]
    kept.clear()


def regions(made: Yard) -> set[int]:
    """Tell which pages are granted by now, each lot by its number."""
    return set(made.machine.hypervisor._domains[GUEST].regions)


def dumped(made: Yard, numbers: set[int]) -> dict[int, bytes]:
    """Read pages as they lie in memory, each by its reference."""
    found = {}
    for number in numbers:
        region = made.machine.hypervisor._domains[GUEST].regions[number]
        assert region.peer == BACK
        for page, gref in enumerate(region.grefs):
            found[gref] = os.pread(region.fd, PAGE_SIZE, page * PAGE_SIZE)
    return found


class Expected:
    """What has to stand in pages and rings, from what the backend has seen of both."""

    def __init__(self, front: Fronted) -> None:
        read = front.dom0.store.read
        self._tx, self._rx = (int(read(f"{front.spot.front}/{name}-ring-ref")) for name in ("tx", "rx"))
        self.pages: dict[int, bytearray] = {self._tx: bytearray(PAGE_SIZE), self._rx: bytearray(PAGE_SIZE)}
        self._back = front.back
        self._requests = self._posts = 0
        self.posts(list(front.back.posted))

    def page(self, gref: int) -> bytearray:
        return self.pages.setdefault(gref, bytearray(PAGE_SIZE))

    def _slot(self, ring: int, index: int, stride: int, message: bytes) -> None:
        place = HEADER.size + index % 256 * stride
        self.pages[ring][place : place + len(message)] = message

    def request(self, message: bytes) -> None:
        self._slot(self._tx, self._requests, TX_REQUEST.size, message)
        self._requests += 1

    def posts(self, places: list[tuple[int, int]]) -> None:
        for ident, gref in places:
            self.page(gref)
            self._slot(self._rx, self._posts, RX_REQUEST.size, RX_REQUEST.struct.pack(ident, 0, gref))
            self._posts += 1

    def answers(self, index: int, message: bytes) -> None:
        self._slot(self._tx, index, TX_REQUEST.size, message)

    def responds(self, index: int, message: bytes) -> None:
        self._slot(self._rx, index, RX_REQUEST.size, message)


def sends(front: Fronted, expected: Expected, frame: Frame) -> None:
    """Send a frame, and note what has to stand in rings and pages."""
    size = len(frame.data)
    extras = bool(frame.offload.gso) + bool(frame.hash)
    count = -(-size // PAGE_SIZE)
    first = front.back.produced(0)
    front.port.lanes[0].give([frame])
    asked = front.back.asked(count + extras)
    slots = [asked[0], *asked[1 + extras :]]
    flags = (3 if frame.offload.checksum is Checksum.BLANK else 0) | (8 if extras else 0)
    idents = []
    for number, (gref, _, _, ident, _) in enumerate(slots):
        piece = bytes(frame.data[number * PAGE_SIZE : (number + 1) * PAGE_SIZE])
        expected.page(gref)[: len(piece)] = piece
        more = 4 if number < count - 1 else 0
        told = size if not number else len(piece)
        expected.request(TX_REQUEST.struct.pack(gref, 0, (0 if number else flags) | more, ident, told))
        if not number and frame.offload.gso:
            more_extras = bytes([1, bool(frame.hash)])
            expected.request(more_extras + frame.offload.gso_size.to_bytes(2, "little") + b"\1" + bytes(7))
        if not number and frame.hash:
            expected.request(b"\4\0\1\1" + frame.hash.value.to_bytes(4, "little") + bytes(4))
        idents.append(ident)
    answers = [(idents[0], NetifRsp.OKAY), *[(0, NetifRsp.NULL)] * extras]
    answers += [(ident, NetifRsp.OKAY) for ident in idents[1:]]
    for at, (ident, status) in enumerate(answers):
        message = ident.to_bytes(2, "little") + int(status).to_bytes(2, "little", signed=True)
        expected.answers(first + at, message)
    front.back.answer(*answers)


def gets(front: Fronted, expected: Expected, size: int) -> None:
    """Pass a frame on to it, and note that."""
    count = -(-size // PAGE_SIZE)
    first = front.back.produced(1)
    responses = []
    for number in range(count):
        ident, gref = front.back.posted.popleft()
        piece = COMES * min(PAGE_SIZE, size - number * PAGE_SIZE)
        front.back.write(gref, piece)
        expected.page(gref)[: len(piece)] = piece
        responses.append(received(len(piece), 4 if number < count - 1 else 0, ident=ident))
        expected.responds(first + number, responses[-1])
    front.back.respond(*responses)
    assert [frame.data for frame in front.frames(1)] == [COMES * size]
    front.back.post(count)
    expected.posts(list(front.back.posted)[-count:])


def holds(front: Fronted, expected: Expected, dump: dict[int, bytes]) -> None:
    """Hold that all that is granted is what is expected, and zero else."""
    for gref, page in dump.items():
        sound = bytes(expected.page(gref))
        # A ring's header has indices, each of its own end's; behind them is nothing.
        begin = 16 if gref in list(expected.pages)[:2] else 0
        assert page[begin:] == sound[begin:], (gref, front.spot.devid)
        assert SECRET * 8 not in page
        assert THEIRS * 8 not in page


def carries(made: Yard, front: Fronted, numbers: set[int]) -> None:
    expected = Expected(front)
    holds(front, expected, dumped(made, numbers))
    for size in SIZES:
        sends(front, expected, Frame(OURS * size))
        gets(front, expected, min(size, 18 * PAGE_SIZE))
    sends(front, expected, Frame(OURS * 5000, CUT))
    sends(front, expected, Frame(OURS * 60, Offload(Checksum.BLANK)))
    # What it has not taken back yet is as it was; ask for something that comes after it has.
    gets(front, expected, 60)
    dump = dumped(made, numbers)
    holds(front, expected, dump)
    assert sum(page.count(OURS) for page in dump.values()) > 65535
    # Rings, and as many pages for either direction.
    assert len(dump) == 2 + 2 * PAGES


def test_each_byte_that_is_granted_is_zero_or_was_meant_for_the_backend(made: Yard) -> None:
    before = regions(made)
    with fronted(made) as front:
        numbers = regions(made) - before
        with fronted(made) as other:
            # Another vif of the same process, with other frames.
            expected = Expected(other)
            for size in SIZES:
                sends(other, expected, Frame(THEIRS * size))
            carries(made, front, numbers)
        # Parted from by then, and made anew, with nothing of its former life.
        front.back.produce(0, front.back.produced(0) + 100)
        front.parted("the peer's producer index")
        front.back.close()
        front.state(6)
        assert front.end.wait([XenbusState.CLOSED, XenbusState.INITIALISING], STUCK)
        front.connects()
        anew = regions(made) - before
        assert not anew & numbers
        carries(made, front, anew)


def test_pages_that_a_backend_keeps_show_what_it_was_given_and_nothing_more(made: Yard) -> None:
    before = regions(made)
    with fronted(made) as front:
        regions_ = [made.machine.hypervisor._domains[GUEST].regions[number] for number in regions(made) - before]
        kept = [made.dom0.map(GUEST, region.grefs, writable=region.writable) for region in regions_]
        expected = Expected(front)
        for size in SIZES:
            sends(front, expected, Frame(OURS * size))
            gets(front, expected, min(size, 18 * PAGE_SIZE))
        held = [bytes(each.memory) for each in kept]
        front.back.produce(0, front.back.produced(0) + 100)
        front.parted("the peer's producer index")
        # Whoever has them mapped still may do so; from now on they are nobody's, whatever others send.
        with fronted(made) as other:
            theirs = Expected(other)
            for size in SIZES:
                sends(other, theirs, Frame(THEIRS * size))
        for each, page in zip(kept, held, strict=True):
            assert THEIRS * 8 not in bytes(each.memory)
            if len(page) > PAGE_SIZE:
                assert bytes(each.memory) == page
            each.unmap()


def test_what_is_asked_for_by_the_control_ring_is_all_that_its_page_holds(made: Yard) -> None:
    before = regions(made)
    steps = spread(HashType.IPV4, b"\xa5" * 40, [1, 0] * 32)
    control = FrontControl(made.guest, BACK, lambda *_, **__: None)
    numbers = regions(made) - before
    assert all(not any(page) for page in list(dumped(made, numbers).values())[1:])
    page = bytearray(PAGE_SIZE)
    control.ask(steps)
    ring = bytearray(PAGE_SIZE)
    for number, step in enumerate(steps):
        assert control._turn()
        request = step.request(number + 1, control._page.grefs[0]).pack()
        ring[HEADER.size + number * 16 : HEADER.size + number * 16 + 16] = request
        page[: len(step.page)] = step.page
        found = dumped(made, numbers)
        assert found[control._page.grefs[0]] == page
        assert found[control.gref][HEADER.size :] == ring[HEADER.size :]
        control._asked = None
    control.close()
