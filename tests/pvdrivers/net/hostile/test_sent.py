"""Frontends that send what cannot be: an error for each slot, or the end of that queue with its reason; no page of
theirs is changed, nothing comes out at the port but what they may send, and who is beside them is served.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pytest

from pvdrivers.abi.netif import TX_REQUEST, ExtraType, NetifRsp, TxFlag
from pvdrivers.abi.ring import HEADER
from tests.pvdrivers.net.hostile.vifs import NOBODYS, STRANGER, Vif, Yard
from tests.pvdrivers.net.messages import answers, extra, gso, hashed, multicast, sent, wide, xdp

MORE, EXTRA = TxFlag.MORE_DATA, TxFlag.EXTRA_INFO
OKAY, ERROR, NULL = NetifRsp.OKAY, NetifRsp.ERROR, NetifRsp.NULL
_NULLED = (0, NULL)
GROUP = bytes.fromhex("01005e000001")


class Case(NamedTuple):
    """What a frontend sends, and what has to become of it.

    :param answers: ids and statuses, in order; where the queue ends, of what comes before its end
    :param frames: which parts of which pages come out at the port: (page, offset, length), those of a frame together
    :param ended: why the queue ends, if it does
    """

    name: str
    messages: Callable[[Vif], bytes]
    answers: Sequence[tuple[int, int]] = ()
    frames: Sequence[Sequence[tuple[int, int, int]]] = ()
    ended: str = ""


def following(vif: Vif, count: int, size: int = 10) -> bytes:
    """Form a packet of a slot and so many after it."""
    slots = [vif.slot(at, MORE if at < count else 0, size) for at in range(1, count + 1)]
    return vif.slot(0, MORE, 60 + count * size) + b"".join(slots)


def of_sizes(vif: Vif, sizes: Sequence[int]) -> bytes:
    """Form a packet of slots that hold so much."""
    last = len(sizes) - 1
    slots = [vif.slot(at, MORE if at < last else 0, sizes[at]) for at in range(1, last + 1)]
    return vif.slot(0, MORE, sum(sizes)) + b"".join(slots)


def rest(sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    return [(at, 0, size) for at, size in enumerate(sizes) if at]


def cut_as(vif: Vif, kind: int) -> bytes:
    """Form a packet that is to be cut in a way that may be none."""
    return vif.slot(0, EXTRA) + wide(gso(kind=kind))


def refused(count: int) -> list[tuple[int, int]]:
    return [(at, ERROR) for at in range(count)]


def whole(count: int) -> list[tuple[int, int]]:
    return [(at, OKAY) for at in range(count)]


ANSWERED = [
    Case("a packet of no bytes", lambda vif: vif.slot(0, size=0), refused(1)),
    Case("a packet a byte shorter than a header", lambda vif: vif.slot(0, size=13), refused(1)),
    Case(
        "a short packet in two slots, with an extra",
        lambda vif: vif.slot(0, MORE | EXTRA, 13) + wide(gso()) + vif.slot(1, 0, 6),
        [(0, ERROR), _NULLED, (1, ERROR)],
    ),
    Case(
        "18 slots after the first, as many as may be",
        lambda vif: following(vif, 18),
        whole(19),
        [[(0, 0, 60), *[(at, 0, 10) for at in range(1, 19)]]],
    ),
    Case("19 slots after the first", lambda vif: following(vif, 19), refused(20)),
    Case("20 slots after the first", lambda vif: following(vif, 20), refused(21)),
    Case(
        "slots after the first of a byte more than the packet",
        lambda vif: vif.slot(0, MORE, 99) + vif.slot(1, 0, 100),
        refused(2),
    ),
    Case(
        "slots after the first of far more than any packet",
        lambda vif: vif.slot(0, MORE, 60) + b"".join(vif.slot(at, MORE, 4096) for at in range(1, 17)) + vif.slot(17),
        refused(18),
    ),
    *(
        Case(f"no bytes in slot {at}", partial(of_sizes, sizes=sizes), whole(3), [[(0, 0, sizes[0]), *rest(sizes)]])
        for at, sizes in enumerate([(0, 30, 30), (60, 0, 30), (60, 30, 0)])
    ),
    Case(
        "headers of which each byte is in a slot of its own",
        lambda vif: vif.slot(0, MORE, 18) + b"".join(vif.slot(at, MORE * (at < 17), 1, 100) for at in range(1, 18)),
        whole(18),
        [[(0, 0, 1), *[(at, 100, 1) for at in range(1, 18)]]],
    ),
    Case(
        "an extra that only Linux knows",
        lambda vif: vif.slot(0, EXTRA) + wide(xdp(256)),
        [(0, OKAY), _NULLED],
        [[(0, 0, 100)]],
    ),
    Case(
        "a hash of a kind that there is not",
        lambda vif: vif.slot(0, EXTRA) + wide(hashed(200, 5, 9)),
        [(0, OKAY), _NULLED],
        [[(0, 0, 100)]],
    ),
    Case(
        "a page that nobody granted, between good ones",
        lambda vif: vif.slot(0, MORE, 90) + sent(1, MORE, 30, gref=NOBODYS) + vif.slot(2, 0, 30) + vif.slot(3, 0, 50),
        [(0, OKAY), (1, ERROR), (2, OKAY), (3, OKAY)],
        [[(3, 0, 50)]],
    ),
    Case(
        "pages beyond any grant table",
        lambda vif: sent(0, 0, 60, gref=2**32 - 1) + sent(1, 0, 60, gref=0) + vif.slot(2, 0, 60),
        [(0, ERROR), (1, ERROR), (2, OKAY)],
        [[(2, 0, 60)]],
    ),
    Case(
        "the same id again and again",
        lambda vif: sent(7, 0, 60, 0, vif.gref(1)) * 40,
        [(7, OKAY)] * 40,
        [[(1, 0, 60)]] * 40,
    ),
    Case(
        "a multicast address to be deleted that is not there, and what is no multicast address",
        lambda vif: (
            vif.slot(0, EXTRA, 0xFFFF)
            + wide(multicast(ExtraType.MCAST_DEL, GROUP))
            + vif.slot(1, EXTRA, 0, 0xFFFF)
            + wide(multicast(ExtraType.MCAST_ADD, bytes(6)))
        ),
        [(0, OKAY), _NULLED, (1, OKAY), _NULLED],
    ),
    Case(
        "flags that mean nothing",
        lambda vif: vif.slot(0, 0xFFF0, 60),
        whole(1),
        [[(0, 0, 60)]],
    ),
]

ENDED = [
    Case("21 slots after the first", lambda vif: following(vif, 21), ended="more than 20 slots after the first"),
    Case(
        "slots without end",
        lambda vif: vif.slot(0, MORE, 4000) + vif.slot(1, MORE, 1) * 200,
        ended="more than 20 slots after the first",
    ),
    Case("a byte beyond the page", lambda vif: vif.slot(0, 0, 60, 4037), ended="60 bytes at 4037 of a page of 4096"),
    Case("more than a page in one slot", lambda vif: vif.slot(0, 0, 0xFFFF), ended="65535 bytes at 0"),
    Case("nothing, far beyond the page", lambda vif: vif.slot(0, 0, 14, 0xFFFF), ended="14 bytes at 65535"),
    Case(
        "a second slot beyond its page",
        lambda vif: vif.slot(0, MORE, 200) + vif.slot(1, 0, 100, 3997),
        ended="100 bytes at 3997",
    ),
    Case(
        "what other slots leave to the first is more than a page",
        lambda vif: vif.slot(0, MORE, 4197) + vif.slot(1),
        ended="4097 bytes at 0",
    ),
    Case("an extra of no type", lambda vif: vif.slot(0, EXTRA) + wide(extra(0)), ended="an extra of type 0"),
    Case("an extra of a type too many", lambda vif: vif.slot(0, EXTRA) + wide(extra(6)), ended="an extra of type 6"),
    Case(
        "an extra that is none behind a good one",
        lambda vif: vif.slot(0, EXTRA) + wide(gso(more=True), extra(255)),
        ended="an extra of type 255",
    ),
    Case(
        "extras without end",
        lambda vif: vif.slot(0, EXTRA) + wide(*[gso(more=True)] * 200),
        ended="more than 5 extras",
    ),
    Case("segments of no bytes", lambda vif: vif.slot(0, EXTRA) + wide(gso(0)), ended="segments of no bytes"),
    *(
        Case(f"segments of type {kind}", partial(cut_as, kind=kind), ended=f"segments of type {kind}")
        for kind in (0, 3, 9, 255)
    ),
]


def named(case: Case) -> str:
    return case.name


def parts(vif: Vif, frames: Sequence[Sequence[tuple[int, int, int]]]) -> list[bytes]:
    return [b"".join(vif.content(*part) for part in frame) for frame in frames]


@pytest.mark.parametrize("case", ANSWERED, ids=named)
def test_what_cannot_be_is_answered(case: Case, readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        messages = case.messages(vif)
        vif.bare.tx.put(messages)
        assert answers(vif.bare.tx.take(len(messages) // TX_REQUEST.size)) == list(case.answers)
        assert [frame.data for frame in vif.frames(len(case.frames))] == parts(vif, case.frames)
        vif.proves()
        assert vif.lines == []


@pytest.mark.parametrize("case", ENDED, ids=named)
def test_what_ends_a_queue_ends_it_alone(case: Case, readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        before = vif.bare.tx.answered
        # What comes before it is served, what comes after it is not.
        vif.bare.tx.put(vif.slot(20, 0, 60) + case.messages(vif) + vif.slot(21, 0, 60))
        vif.ended(case.ended)
        assert answers(vif.bare.tx.take(1)) == [(20, OKAY)]
        assert vif.bare.tx.answered == before + 1
        assert [frame.data for frame in vif.port.lanes[0].got(vif.seen)[vif.seen :]] == [vif.content(20, 0, 60)]


@pytest.mark.parametrize("ahead", [257, 2**31, 2**32 - 1])
@pytest.mark.parametrize("ring", ["tx", "rx"])
def test_a_producer_index_that_cannot_be_ends_a_queue(ring: str, ahead: int, readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        bare = getattr(vif.bare, ring)
        copies = vif.device.statistics()["grant_copies"]
        index = bare.answered + ahead & 0xFFFFFFFF
        bare.produce(index)
        vif.ended(f"the peer's producer index {index} is not within")
        assert vif.device.statistics()["grant_copies"] == copies
        assert vif.port.lanes[0].count == vif.seen


def test_pages_that_were_not_granted_so_are_not_read(readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        strangers, gone = made.guest.grant(STRANGER), made.guest.grant(0)
        strangers.memory[:60] = gone.memory[:60] = b"s" * 60
        # Once read, so that whoever keeps pages has it.
        vif.bare.tx.put(sent(1, 0, 60, gref=gone.grefs[0]))
        assert answers(vif.bare.tx.take(1)) == [(1, OKAY)]
        assert [frame.data for frame in vif.frames(1)] == [b"s" * 60]
        lost = gone.grefs[0]
        gone.revoke()
        bad = [strangers.grefs[0], lost, NOBODYS]
        vif.bare.tx.put(b"".join(sent(at, 0, 60, gref=gref) for at, gref in enumerate(bad)) + vif.slot(9))
        assert answers(vif.bare.tx.take(4)) == [*refused(3), (9, OKAY)]
        assert [frame.data for frame in vif.frames(1)] == [vif.content(9, 0, 100)]
        assert vif.device.statistics()["tx_errors"] == 3
        strangers.revoke()


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_packet_without_its_end_waits_for_it(cut: int, readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        before = vif.bare.tx.answered
        messages = vif.slot(0, MORE | EXTRA, 160) + wide(gso()) + vif.slot(1, MORE, 50) + vif.slot(2, 0, 50)
        vif.bare.tx.put(vif.slot(5) + messages[: cut * TX_REQUEST.size])
        assert answers(vif.bare.tx.take(1)) == [(5, OKAY)]
        assert [frame.data for frame in vif.frames(1)] == [vif.content(5, 0, 100)]
        # It holds up nobody but itself: what is received goes on.
        assert vif.bare.tx.answered == before + 1
        vif.bare.tx.put(messages[cut * TX_REQUEST.size :])
        assert answers(vif.bare.tx.take(4)) == [(0, OKAY), _NULLED, (1, OKAY), (2, OKAY)]
        assert [frame.data for frame in vif.frames(1)] == parts(vif, [[(0, 0, 60), (1, 0, 50), (2, 0, 50)]])


def test_nothing_foreign_is_in_an_answer(readable: bool, made: Yard) -> None:
    with made.case(readable=readable) as vif:
        first = vif.bare.tx.answered
        messages = vif.slot(0, EXTRA, 60) + wide(gso()) + vif.slot(1, size=13) + sent(2, 0xFFF0, 60, 9, NOBODYS)
        vif.bare.tx.put(messages)
        vif.bare.tx.ring.final_check(4)
        found = vif.bare.tx.take(4)
        size = TX_REQUEST.size
        at = HEADER.size + first % 256 * size
        slots = bytes(vif.bare.tx.page.memory[at : at + 4 * size])
        for number in range(4):
            answer, slot = found[number * 4 : number * 4 + 4], slots[number * size : (number + 1) * size]
            # Behind an answer stands what the frontend itself had written.
            assert slot == answer + messages[number * size + 4 : (number + 1) * size]
        assert answers(found) == [(0, OKAY), _NULLED, (1, ERROR), (2, ERROR)]
