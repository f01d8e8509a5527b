"""Peers that change a slot, or a page, while it is looked at: what happens is what one snapshot of it says (XSA-155).

Another process changes a byte in all slots of a ring, between one of two values, as fast as it can. Each value that is
used was judged: a driver that judges one and uses the other does what neither of them explains. That this is noticed is
shown by one that does so.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from struct import pack
from typing import NamedTuple

import pytest

from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.netif import (
    RX_REQUEST,
    RX_RESPONSE,
    TX_REQUEST,
    TX_RESPONSE,
    CtrlStatus,
    CtrlType,
    ExtraType,
    NetifRsp,
    TxFlag,
)
from pvdrivers.abi.ring import HEADER, PAGE_SIZE
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.frame import Checksum, Frame
from pvdrivers.net.packet import tx_back
from pvdrivers.net.toeplitz import Toeplitz
from tests.pvdrivers.block.flipper import flipping
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.hostile import backs
from tests.pvdrivers.net.hostile.vifs import BACK, PAGES, Vif, Yard
from tests.pvdrivers.net.messages import gso, multicast, received, wide

#: Batches at least, once all has happened that can.
BATCHES = int(os.environ.get("XENTOOL_FUZZ", "40"))
OKAY, ERROR = NetifRsp.OKAY, NetifRsp.ERROR
MORE, EXTRA = TxFlag.MORE_DATA, TxFlag.EXTRA_INFO
#: Seconds within which all happens, however little processor time there is.
_FOUND = 120.0
SLOTS = 256

#: A place in a slot, and its two values.
Flip = tuple[int, int, int]


class Target(NamedTuple):
    """Which byte of a packet's slots changes, and what may come of it.

    :param messages: the packet's, whose first page is ``page`` and second ``page + 1``; of as many slots in any case
    :param changes: in which of its slots, and how
    :param outcomes: given the two pages' contents, all frames that may come of it, each packet's together; and by which
        statuses it is answered then
    """

    name: str
    messages: Callable[[Vif, int], bytes]
    changes: tuple[int, Flip]
    outcomes: Callable[[bytes, bytes], list[tuple[list[bytes], list[int]]]]


TARGETS = [
    Target(
        "the size",
        lambda vif, page: vif.slot(page, 0, 60),
        (0, (10, 60, 100)),
        lambda one, _: [([one[:60]], [OKAY]), ([one[:100]], [OKAY])],
    ),
    Target(
        "a size that is too short",
        lambda vif, page: vif.slot(page, 0, 60),
        (0, (10, 60, 13)),
        lambda one, _: [([one[:60]], [OKAY]), ([], [ERROR])],
    ),
    Target(
        "the offset",
        lambda vif, page: vif.slot(page, 0, 60),
        (0, (4, 0, 100)),
        lambda one, _: [([one[:60]], [OKAY]), ([one[100:160]], [OKAY])],
    ),
    Target(
        "the page, which is none",
        lambda vif, page: vif.slot(page, 0, 60),
        (0, (3, 0, 0x7F)),
        lambda one, _: [([one[:60]], [OKAY]), ([], [ERROR])],
    ),
    Target(
        "whether there is more",
        lambda vif, page: vif.slot(page, MORE, 60) + vif.slot(page + 1, 0, 20),
        (0, (6, 0, MORE)),
        lambda one, other: [([one[:60], other[:20]], [OKAY] * 2), ([one[:40] + other[:20]], [OKAY] * 2)],
    ),
    Target(
        "the size of a second slot, more than the packet's",
        lambda vif, page: vif.slot(page, MORE, 60) + vif.slot(page + 1, 0, 20),
        (1, (10, 20, 100)),
        lambda one, other: [([one[:40] + other[:20]], [OKAY] * 2), ([], [ERROR] * 2)],
    ),
    Target(
        "the size of a second slot",
        lambda vif, page: vif.slot(page, MORE, 60) + vif.slot(page + 1, 0, 20),
        (1, (10, 20, 30)),
        lambda one, other: [([one[:40] + other[:20]], [OKAY] * 2), ([one[:30] + other[:30]], [OKAY] * 2)],
    ),
]


@contextmanager
def changing(made: Yard, gref: int, stride: int, flips: Sequence[tuple[int, Flip]], every: int = 1) -> Iterator[None]:
    """Let another process change bytes in all slots of a ring.

    :param every: packets have so many slots each
    """
    places = [
        (HEADER.size + (slot + number) * stride + at, one, other)
        for slot in range(0, SLOTS - every + 1, every)
        for number, (at, one, other) in flips
    ]
    with flipping(made.machine.directory, [gref], places):
        yield


def stamped(number: int, page: int) -> bytes:
    """Give bytes of which no two stretches are alike, nor those of two pages or batches."""
    return b"".join(bytes([number & 0xFF, page, at, number >> 8 & 0xFF]) for at in range(50))


def batches() -> Iterator[tuple[int, bool]]:
    """Count batches; tells of each whether there were enough, if all has happened."""
    deadline = time.monotonic() + _FOUND
    for number in count(1):
        yield number, number >= BATCHES
        assert time.monotonic() < deadline, "not all happens that can"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_one_snapshot_explains_what_is_sent(target: Target, readable: bool, made: Yard) -> None:
    with made.vif(readable=readable) as vif:
        place, flip = target.changes
        slots = len(target.messages(vif, 0)) // TX_REQUEST.size
        ring = vif.bare.tx.page.grefs[0]
        with changing(made, ring, TX_REQUEST.size, [(place, flip)], slots):
            explained(vif, target, slots)


def explained(vif: Vif, target: Target, slots: int) -> None:
    """Send until all has happened that can.

    :raises AssertionError: something happened that no snapshot explains
    """
    seen: set[int] = set()
    wanted = len(target.outcomes(b"", b""))
    pages = range(0, PAGES - 1, 2)
    for number, enough in batches():
        for page in range(PAGES):
            vif.sending.memory[page * PAGE_SIZE : page * PAGE_SIZE + 200] = stamped(number, page)
        vif.bare.tx.put(b"".join(target.messages(vif, page) for page in pages))
        # Where a request's page was changed is an answer's upper half.
        answers = TX_RESPONSE.struct.iter_unpack(vif.bare.tx.take(len(pages) * slots))
        found = [status & 0xFF for _, status in answers]
        came = [bytes(frame.data) for frame in vif.port.lanes[0].got(vif.seen)[vif.seen :]]
        vif.seen += len(came)
        for at, page in enumerate(pages):
            one, other = vif.content(page, 0, 200), vif.content(page + 1, 0, 200)
            statuses = found[at * slots : (at + 1) * slots]
            outcomes = target.outcomes(one, other)
            fits = [
                which
                for which, (frames, sound) in enumerate(outcomes)
                if came[: len(frames)] == frames and statuses == [status & 0xFF for status in sound]
            ]
            assert fits, f"{[frame.hex() for frame in came[:2]]}, {statuses}: no snapshot explains it"
            # The longest that fits is what it was: a shorter one is its beginning.
            best = max(fits, key=lambda which: len(outcomes[which][0]))
            came = came[len(outcomes[best][0]) :]
            seen.add(best)
        assert came == []
        if enough and len(seen) == wanted:
            break


class Offload(NamedTuple):
    """Which byte of an extra changes, and what may be said of its frame then."""

    name: str
    extra: bytes
    flip: Flip
    said: set[tuple[object, ...]]


EXTRAS = [
    Offload("the size of segments", gso(0x510), (2, 0x10, 0x20), {(1, 0x510, None), (1, 0x520, None)}),
    Offload("the type of segments", gso(1448), (4, 1, 2), {(1, 1448, None), (2, 1448, None)}),
    Offload("what the extra is", gso(0x0101), (0, ExtraType.GSO, ExtraType.HASH), {(1, 0x101, None), (0, 0, (2, 1))}),
]


@pytest.mark.parametrize("target", EXTRAS, ids=lambda target: target.name)
def test_one_snapshot_explains_what_extras_say(target: Offload, readable: bool, made: Yard) -> None:
    with made.vif(readable=readable) as vif:
        seen: set[tuple[object, ...]] = set()
        with changing(made, vif.bare.tx.page.grefs[0], TX_REQUEST.size, [(1, target.flip)], 2):
            for _, enough in batches():
                vif.bare.tx.put(b"".join(vif.slot(page, EXTRA, 60) + wide(target.extra) for page in range(PAGES)))
                vif.bare.tx.take(2 * PAGES)
                frames = vif.frames(PAGES)
                assert [frame.data for frame in frames] == [vif.content(page, 0, 60) for page in range(PAGES)]
                for frame in frames:
                    assert not frame.offload.gso or frame.offload.checksum is Checksum.BLANK
                    seen.add((frame.offload.gso, frame.offload.gso_size, frame.hash))
                assert seen <= target.said
                if enough and seen == target.said:
                    break


def test_one_snapshot_explains_a_multicast_address(readable: bool, made: Yard) -> None:
    group, other = bytes.fromhex("01005e000001"), bytes.fromhex("01005e000002")
    with made.vif(readable=readable) as vif:
        changed = (7, 1, 2)
        with changing(made, vif.bare.tx.page.grefs[0], TX_REQUEST.size, [(1, changed)], 2):
            seen = set()
            for _, enough in batches():
                for kind in (ExtraType.MCAST_ADD, ExtraType.MCAST_DEL):
                    vif.bare.tx.put((vif.slot(0, EXTRA, 0) + wide(multicast(kind, group))) * 8)
                    vif.bare.tx.take(16)
                    seen |= set(vif.device.wishes.multicast._addresses)
                assert seen <= {group, other}
                for address in list(vif.device.wishes.multicast._addresses):
                    vif.device.wishes.multicast.remove(address)
                if enough and seen == {group, other}:
                    break


def test_an_offset_that_is_beyond_the_page_now_and_then_is_used_never(readable: bool, made: Yard) -> None:
    ended = served = 0
    while not (ended and served):
        with made.vif(readable=readable) as vif:
            sound = vif.content(0, 0, 60)
            with changing(made, vif.bare.tx.page.grefs[0], TX_REQUEST.size, [(0, (5, 0, 0xFF))]):
                for _ in range(50):
                    before = vif.bare.tx.answered
                    vif.bare.tx.put(vif.slot(0, 0, 60))
                    until(partial(looked, vif, before))
                    if vif.port.lanes[0].closed:
                        break
                answers = vif.bare.tx.ring.take()
            served += len(answers) // TX_RESPONSE.size
            assert {status for _, status in TX_RESPONSE.struct.iter_unpack(answers)} <= {OKAY}
            assert {bytes(frame.data) for frame in vif.port.lanes[0].got(0)} <= {sound}
            if vif.port.lanes[0].closed:
                ended += 1
                assert "60 bytes at 65280 of a page of 4096" in vif.error()


def looked(vif: Vif, before: int) -> bool:
    return vif.bare.tx.answered != before or vif.port.lanes[0].closed


@pytest.mark.parametrize("bad", [False, True], ids=["another page", "a page that is none"])
def test_one_snapshot_explains_where_a_frame_is_written_to(bad: bool, readable: bool, made: Yard) -> None:
    with made.vif(readable=readable) as vif:
        # Their references differ in one byte alone.
        granted = made.guest.grant(BACK, 64)
        one = next(at for at in range(62) if granted.grefs[at] >> 8 == granted.grefs[at + 1] >> 8)
        first, second = granted.grefs[one], granted.grefs[one + 1]
        flip = (7, 0, 0x7F) if bad else (4, first & 0xFF, second & 0xFF)
        seen = set()
        with changing(made, vif.bare.rx.page.grefs[0], RX_REQUEST.size, [(0, flip)]):
            for number, enough in batches():
                frame = pack(">I", number) * 25
                granted.memory[:] = bytes(len(granted.memory))
                vif.bare.rx.put(RX_REQUEST.struct.pack(9, 0, first))
                vif.port.lanes[0].give([Frame(frame)])
                # Where requests are changed so are responses: of the status its lower half is left.
                status = vif.bare.rx.take(1)[6]
                there = [page for page in (one, one + 1) if any(granted.memory[page * PAGE_SIZE :][:PAGE_SIZE])]
                assert (status == 100 and len(there) == 1) or (bad and status == GntSt.BAD_GNTREF & 0xFF and not there)
                for page in there:
                    content = bytes(granted.memory[page * PAGE_SIZE :][:PAGE_SIZE])
                    assert content == frame.ljust(PAGE_SIZE, b"\0")
                seen.add(tuple(there))
                if enough and len(seen) == 2:
                    break
        granted.revoke()


class Answer(NamedTuple):
    """Which byte of responses changes, and which parts of the page may come of it; nothing, if it is dropped."""

    name: str
    flip: Flip
    parts: list[tuple[int, int] | None]


ANSWERS = [
    Answer("the status", (6, 60, 100), [(0, 60), (0, 100)]),
    Answer("a status below zero", (7, 0, 0x80), [(0, 60), None]),
    Answer("a status beyond the page", (7, 0, 0x70), [(0, 60), None]),
    Answer("the offset", (2, 0, 100), [(0, 60), (100, 160)]),
    Answer("an offset beyond the page", (3, 0, 0xFF), [(0, 60), None]),
]


@pytest.mark.parametrize("target", ANSWERS, ids=lambda target: target.name)
def test_one_snapshot_explains_what_is_received(
    target: Answer, readable: bool, made: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    if readable:
        backs.only_the_reference(monkeypatch)
    with backs.fronted(made) as front:
        ring = front.dom0.store.read(f"{front.spot.front}/rx-ring-ref")
        # By then, what it posts is changed as well: which page an id is of is known from before.
        grefs = dict(front.back.posted)
        sound = [part for part in target.parts if part]
        seen: set[tuple[int, int] | None] = set()
        with changing(made, int(ring), RX_RESPONSE.size, [(0, target.flip)]):
            for number, enough in batches():
                places = [front.back.posted.popleft() for _ in range(8)]
                pages = [stamped(number, ident) for ident, _ in places]
                for (ident, _), page in zip(places, pages, strict=True):
                    front.back.write(grefs[ident], page)
                front.back.respond(*[received(60, ident=ident) for ident, _ in places])
                front.back.post(8)
                # What is asked for by now comes after all that was received.
                front.port.lanes[0].give([Frame(bytes(60))])
                ((*_, ident, _),) = front.back.asked(1)
                front.back.answer((ident, OKAY))
                came = [bytes(frame.data) for frame in front.port.lanes[0].got(front.seen)[front.seen :]]
                front.seen += len(came)
                for page in pages:
                    fits = [part for part in sound if came and came[0] == page[part[0] : part[1]]]
                    assert fits or None in target.parts, "no snapshot explains it"
                    seen.add(fits[0] if fits else None)
                    came = came[1:] if fits else came
                assert came == [], "no snapshot explains it"
                if enough and seen == set(target.parts):
                    break
        assert front.lines == []


def test_one_snapshot_explains_which_page_is_given_back(
    readable: bool, made: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    if readable:
        backs.only_the_reference(monkeypatch)
    with backs.fronted(made, pages=2) as front:
        ring = int(front.dom0.store.read(f"{front.spot.front}/tx-ring-ref"))
        lane, back = front.port.lanes[0], front.back
        seen = set()
        # The first of each four answers is to either page.
        with changing(made, ring, TX_REQUEST.size, [(0, (0, 0, 1))], 4):
            for _, enough in batches():
                lane.give([Frame(bytes(60))] * 2)
                assert sorted(ident for *_, ident, _ in back.asked(2)) == [0, 1]
                back.answer((0, OKAY))
                until(partial(pending, front, 1))
                # The next takes the page that came back; were that another than is asked for no more, it is in use.
                lane.give([Frame(bytes(61))])
                ((*_, ident, _),) = back.asked(1)
                seen.add(ident)
                back.answer((0, OKAY), (1, OKAY))
                until(partial(pending, front, 0))
                lane.give([Frame(bytes(62))])
                ((*_, ident, _),) = back.asked(1)
                back.answer((ident, OKAY))
                until(partial(pending, front, 0))
                if enough and seen == {0, 1}:
                    break
        assert front.lines == []


def pending(front: backs.Fronted, count: int) -> bool:
    assert front.lines == []
    return front.device._queues.busy == count


class Asked(NamedTuple):
    """Which byte changes, of a control request or of the page that it is about; and what may come of it.

    :param outcomes: statuses, each with the key and the mapping that there are then
    """

    name: str
    request: tuple[CtrlType, int, int]
    flip: Flip
    in_page: bool
    outcomes: set[tuple[int, bytes, tuple[int, ...]]]


CONTROL = [
    Asked(
        "the size of a key, which is too large",
        (CtrlType.SET_HASH_KEY, 40, 0),
        (8, 40, 41),
        False,
        {(CtrlStatus.SUCCESS, bytes(40), (0, 0)), (CtrlStatus.BUFFER_OVERFLOW, b"", (0, 0))},
    ),
    Asked(
        "the size of a key",
        (CtrlType.SET_HASH_KEY, 2, 0),
        (8, 2, 3),
        False,
        {(CtrlStatus.SUCCESS, bytes(2), (0, 0)), (CtrlStatus.SUCCESS, bytes(3), (0, 0))},
    ),
    Asked(
        "where a mapping begins, which is beyond its end",
        (CtrlType.SET_HASH_MAPPING, 1, 0),
        (12, 1, 2),
        False,
        {(CtrlStatus.SUCCESS, b"", (0, 0)), (CtrlStatus.INVALID_PARAMETER, b"", (0, 0))},
    ),
    Asked(
        "a queue that there is not",
        (CtrlType.SET_HASH_MAPPING, 2, 0),
        (4, 0, 200),
        True,
        {(CtrlStatus.SUCCESS, b"", (0, 0)), (CtrlStatus.INVALID_PARAMETER, b"", (0, 0))},
    ),
]


@pytest.mark.parametrize("target", CONTROL, ids=lambda target: target.name)
def test_one_snapshot_explains_what_is_asked_for(target: Asked, made: Yard) -> None:
    with made.vif() as vif:
        # The other process has it as a backend may.
        vif.bare.pages.append(made.guest.grant(BACK))
        page, control = vif.bare.pages[0].grefs[0], vif.bare.control
        kind, size, offset = target.request
        flips = [(target.flip[0], *target.flip[1:])] if target.in_page else []
        where = [page] if target.in_page else [control.page.grefs[0]]
        places = flips or [(HEADER.size + slot * 16 + target.flip[0], *target.flip[1:]) for slot in range(128)]
        seen = set()
        with flipping(made.machine.directory, where, places):
            for _, enough in batches():
                # As it was at first; sizes that may be changed meanwhile are of no use to these.
                vif.device.wishes.steering = vif.device.wishes.steering._replace(key=Toeplitz(), mapping=(0, 0))
                control.put(Request(1, kind, (page, size, offset)).pack())
                status = Response.parse(control.take(1)).status & 0xFF
                steering = vif.device.wishes.steering
                seen.add((status, steering.key.key, steering.mapping))
                assert seen <= target.outcomes
                if enough and seen == target.outcomes:
                    break


def test_a_backend_that_looks_twice_is_found_out(made: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    with made.vif(readable=True) as vif:
        sound, memory = tx_back.parse, vif.bare.tx.page.memory
        at = vif.bare.tx.answered

        def twice(messages: bytes) -> tx_back.Taken:
            # Judged by what was copied, and used as it stands in the ring by then.
            nonlocal at
            taken, packets = sound(messages), []
            for packet in taken.packets:
                size = memory[HEADER.size + at % SLOTS * TX_REQUEST.size + 10]
                slots = (packet.slots[0]._replace(length=size),)
                packets.append(packet if packet.refused else packet._replace(size=size, slots=slots))
                at += packet.messages
            return taken._replace(packets=tuple(packets))

        monkeypatch.setattr(tx_back, "parse", twice)
        target = next(each for each in TARGETS if each.name == "a size that is too short")
        ring = vif.bare.tx.page.grefs[0]
        changes = changing(made, ring, TX_REQUEST.size, [target.changes])
        with changes, pytest.raises(AssertionError, match="no snapshot explains it"):
            again_and_again(vif, target)


def again_and_again(vif: Vif, target: Target) -> None:
    for _ in batches():
        explained(vif, target, 1)
