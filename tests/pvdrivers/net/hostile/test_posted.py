"""Frontends that post for frames what cannot be: each slot tells what became of it, in its order; nothing is written
but the frame, to pages that were granted for it.
"""

from collections.abc import Sequence
from struct import pack_into

import pytest

from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.netif import RX_REQUEST, RX_RESPONSE, GsoType, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.transport.base import Grant
from tests.pvdrivers.net.hostile.vifs import BACK, NOBODYS, STRANGER, Vif, Yard
from tests.pvdrivers.net.messages import gso, received, xdp

MORE, EXTRA, BLANK = RxFlag.MORE_DATA, RxFlag.EXTRA_INFO, RxFlag.CSUM_BLANK | RxFlag.DATA_VALIDATED
_POISON = 0xEE


def text(size: int, seed: int = 1) -> bytes:
    return b"".join((seed << 24 | at).to_bytes(4, "big") for at in range(size // 4 + 1))[:size]


def pages(made: Yard, count: int, domid: int = BACK, *, writable: bool = True) -> list[Grant]:
    """Grant pages full of what no frame has."""
    granted: list[Grant] = [made.guest.grant(domid, writable=writable) for _ in range(count)]
    for page in granted:
        page.memory[:] = bytes([_POISON]) * PAGE_SIZE
    return granted


def post(vif: Vif, places: Sequence[tuple[int, int]]) -> None:
    vif.bare.rx.put(b"".join(RX_REQUEST.struct.pack(ident, 0xFFFF, gref) for ident, gref in places))


def holds(page: Grant, content: bytes, offset: int = 0) -> None:
    """Hold that a page has this and nothing else of a backend's."""
    expected = bytearray([_POISON]) * PAGE_SIZE
    expected[offset : offset + len(content)] = content
    assert bytes(page.memory) == expected


def test_pages_that_were_not_granted_so_are_not_written_to(readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        good, (strangers,), (fixed,), (gone,) = (
            pages(made, 4),
            pages(made, 1, STRANGER),
            pages(made, 1, writable=False),
            pages(made, 1),
        )
        lane = vif.port.lanes[0]
        # Once written to, so that whoever keeps pages has it.
        post(vif, [(1, gone.grefs[0])])
        lane.give([Frame(text(60))])
        assert vif.bare.rx.take(1) == received(60, ident=1)
        lost = gone.grefs[0]
        gone.revoke()
        bad = [strangers.grefs[0], fixed.grefs[0], lost, NOBODYS, 2**32 - 1]
        post(vif, [(at, gref) for at, gref in enumerate(bad)] + [(9, good[0].grefs[0])])
        lane.give([Frame(text(100, at)) for at in range(len(bad))] + [Frame(text(100, 9))])
        found = list(RX_RESPONSE.struct.iter_unpack(vif.bare.rx.take(6)))
        assert [ident for ident, *_ in found] == [0, 1, 2, 3, 4, 9]
        assert [status < 0 for *_, status in found] == [True] * 5 + [False]
        assert {status for *_, status in found[2:5]} == {GntSt.BAD_GNTREF}
        holds(good[0], text(100, 9))
        for page in (strangers, fixed):
            holds(page, b"")
        # In the middle of a frame, its slot alone tells.
        post(vif, [(20, good[1].grefs[0]), (21, NOBODYS), (22, good[2].grefs[0]), (23, good[3].grefs[0])])
        frame = text(3 * PAGE_SIZE - 10)
        lane.give([Frame(frame), Frame(text(60, 7))])
        assert vif.bare.rx.take(4) == b"".join(
            [
                received(PAGE_SIZE, MORE, ident=20),
                received(int(GntSt.BAD_GNTREF), MORE, ident=21),
                received(PAGE_SIZE - 10, ident=22),
                received(60, ident=23),
            ]
        )
        holds(good[1], frame[:PAGE_SIZE])
        holds(good[2], frame[2 * PAGE_SIZE :])
        holds(good[3], text(60, 7))
        assert vif.device.statistics()["rx_errors"] == 6
        for page in (*good, strangers, fixed):
            page.revoke()


@pytest.mark.parametrize("size", [14, 60, 1514, 4095, 4096, 4097, 65535])
def test_beyond_a_frames_end_a_page_stays_the_frontends(size: int, readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        granted = pages(made, 20)
        post(vif, [(at, page.grefs[0]) for at, page in enumerate(granted)])
        lane, used = vif.port.lanes[0], -(-size // PAGE_SIZE)
        lane.give([Frame(text(size)), Frame(text(14, 5))])
        vif.bare.rx.take(used + 1)
        for at in range(used):
            holds(granted[at], text(size)[at * PAGE_SIZE : (at + 1) * PAGE_SIZE])
        holds(granted[used], text(14, 5))
        for page in granted[used + 1 :]:
            holds(page, b"")
        # A page of which the backend has not been told that it is posted again is not written to.
        lane.give([Frame(text(5000, 3))])
        vif.bare.rx.take(2)
        holds(granted[used], text(14, 5))
        for page in granted:
            page.revoke()


def test_response_i_answers_request_i_whatever_ids_there_are(readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        granted = pages(made, 6)
        idents = [7, 0xFFFF, 7, 0, 300, 7]
        post(vif, [(ident, page.grefs[0]) for ident, page in zip(idents, granted, strict=True)])
        data = text(2 * PAGE_SIZE)
        large = Frame(data, Offload(Checksum.BLANK, GsoType.TCPV6, 536))
        vif.port.lanes[0].give([Frame(text(60)), large, Frame(text(61))])
        assert vif.bare.rx.take(5) == b"".join(
            [
                received(60, ident=7),
                # The extra takes a slot; its page goes unused.
                received(PAGE_SIZE, MORE | EXTRA | BLANK, ident=0xFFFF),
                gso(536, GsoType.TCPV6),
                received(PAGE_SIZE, ident=0),
                received(61, ident=300),
            ]
        )
        holds(granted[1], data[:PAGE_SIZE])
        holds(granted[2], b"")
        holds(granted[3], data[PAGE_SIZE:])
        holds(granted[5], b"")
        for page in granted:
            page.revoke()


def test_headroom_and_its_extra_count_as_pages_that_a_frame_needs(readable: bool, made: Yard) -> None:
    with made.case(readable=readable, xdp_headroom=256) as vif:
        target = vif.proof[1]
        before = vif.bare.rx.answered
        granted = pages(made, 3)
        # For the data two would do without headroom, and three without the slot that tells of it.
        frame = text(3840 + 1)
        vif.port.lanes[0].give([Frame(frame)])
        post(vif, [(at, page.grefs[0]) for at, page in enumerate(granted[:2])])
        # Something that is answered after the frame could have been.
        vif.bare.tx.put(vif.slot(3))
        vif.bare.tx.take(1)
        assert vif.bare.rx.answered == before
        post(vif, [(2, granted[2].grefs[0])])
        assert vif.bare.rx.take(3) == b"".join([received(3840, MORE | EXTRA, 256), xdp(256), received(1, 0, 256, 2)])
        holds(granted[0], frame[:3840], 256)
        holds(granted[1], b"")
        holds(granted[2], frame[3840:], 256)
        assert bytes(target.memory[:256]) == bytes(256)
        for page in granted:
            page.revoke()


def test_a_page_posted_twice_is_written_twice_and_nothing_else(readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        (page,) = pages(made, 1)
        post(vif, [(1, page.grefs[0]), (2, page.grefs[0])])
        vif.port.lanes[0].give([Frame(text(100)), Frame(text(60, 2))])
        assert vif.bare.rx.take(2) == received(100, ident=1) + received(60, ident=2)
        holds(page, text(60, 2) + text(100)[60:])
        page.revoke()


def test_a_ring_that_is_posted_as_a_page_for_frames_is_the_frontends_own_loss(readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        # A frame that looks like a producer index that cannot be, laid over the ring's own header.
        lie = bytearray(64)
        pack_into("<I", lie, 0, vif.bare.tx.answered + 1000)
        post(vif, [(1, vif.bare.tx.page.grefs[0])])
        vif.port.lanes[0].give([Frame(bytes(lie))])
        vif.bare.rx.take(1)
        vif.bare.tx.channel.notify()
        vif.ended("the peer's producer index")
