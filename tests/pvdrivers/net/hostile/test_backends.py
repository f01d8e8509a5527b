"""Backends that answer what cannot be: a packet is dropped and its pages posted again, or the frontend parts from them
and joins the next; nothing of its comes to the port that no backend has passed on.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from pvdrivers.abi.netif import GsoType, NetifRsp, RxFlag
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.end import put
from pvdrivers.net.back.backend import OFFER
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.net.nodes import offer_nodes
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.hostile import backs
from tests.pvdrivers.net.hostile.backs import PAGES, case
from tests.pvdrivers.net.hostile.vifs import Yard
from tests.pvdrivers.net.lanes import STUCK
from tests.pvdrivers.net.messages import extra, gso, received, xdp

MORE, EXTRA = RxFlag.MORE_DATA, RxFlag.EXTRA_INFO
OKAY, ERROR, DROPPED, NULL = NetifRsp.OKAY, NetifRsp.ERROR, NetifRsp.DROPPED, NetifRsp.NULL


@pytest.fixture(autouse=True)
def _way(readable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if readable:
        backs.only_the_reference(monkeypatch)


class Passed(NamedTuple):
    """Responses that are no packet."""

    name: str
    responses: Sequence[bytes]


DROPPED_PACKETS = [
    Passed("a status below zero", [received(-1)]),
    Passed("the lowest status", [received(-32768)]),
    Passed("a status below zero that ends within the page", [received(-50, 0, 100)]),
    Passed("a status below zero between good slots", [received(60, MORE), received(-3, MORE), received(60)]),
    Passed("more than a page", [received(4097)]),
    Passed("the largest status at the largest offset", [received(32767, 0, 65535)]),
    Passed("a byte beyond the page", [received(60, 0, 4037)]),
    Passed("a second slot beyond its page", [received(60, MORE), received(2, 0, 4095)]),
    Passed("no bytes", [received(0)]),
    Passed("no bytes in each of two slots", [received(0, MORE), received(0)]),
    Passed("a byte less than a header", [received(13)]),
    Passed("a byte less than a header in two slots", [received(6, MORE), received(7)]),
    Passed("19 slots behind a long head", [received(257, MORE), *[received(9, MORE)] * 17, received(9)]),
    Passed("20 slots behind a short head", [received(256, MORE), *[received(9, MORE)] * 18, received(9)]),
    Passed("60 slots", [*[received(4096, MORE)] * 59, received(9)]),
    Passed("more data than there are responses", [received(60, MORE)]),
    Passed("an extra that is not there", [received(60, EXTRA)]),
    Passed("a second extra that is not there", [received(60, EXTRA), gso(more=True)]),
    Passed("an extra of no type", [received(60, EXTRA), extra(0)]),
    Passed("an extra of type 255", [received(60, EXTRA), extra(255)]),
    Passed("extras up to the last page", [received(60, EXTRA), *[gso(more=True)] * 60]),
    Passed("segments of no bytes", [received(60, EXTRA), gso(0)]),
    Passed("segments of type 9", [received(60, EXTRA), gso(kind=9)]),
    Passed("headroom beyond the data", [received(60, EXTRA), xdp(0xFFFF)]),
]


@pytest.mark.parametrize("passed", DROPPED_PACKETS, ids=lambda passed: passed.name)
def test_what_is_no_packet_is_dropped_and_its_pages_are_posted_again(passed: Passed, made: Yard) -> None:
    with case(made) as front:
        count = len(passed.responses)
        before = front.device.statistics()
        first = [front.back.posted.popleft() for _ in range(count)]
        front.back.respond(*passed.responses)
        front.back.post(count)
        after = front.device.statistics()
        assert after["rx_errors"] == before["rx_errors"] + 1
        assert after["rx_slots"] == before["rx_slots"] + count
        assert after["rx_packets"] == before["rx_packets"]
        # Each of them once, and no page is lost.
        assert len(set(front.back.posted)) == PAGES
        assert set(first) <= set(front.back.posted)
        front.proves()
        assert front.port.lanes[0].count == front.seen
        assert front.lines == []


def test_ids_of_responses_are_not_looked_at(made: Yard) -> None:
    with case(made) as front:
        for ident in (0xFFFF, 0, 9):
            _, gref = front.back.posted.popleft()
            front.back.write(gref, bytes([ident & 0xFF]) * 60)
            front.back.respond(received(60, ident=ident))
            assert [frame.data for frame in front.frames(1)] == [bytes([ident & 0xFF]) * 60]
            front.back.post(1)


def test_many_packets_of_all_sizes_leak_no_page(made: Yard) -> None:
    with case(made) as front:
        for number in range(600):
            slots = 1 + number % 18
            for at in range(slots):
                front.back.write(front.back.posted[at][1], bytes([number & 0xFF]) * 20, number % 4000)
            front.back.respond(*[received(20, MORE, number % 4000)] * (slots - 1), received(20, 0, number % 4000))
            for _ in range(slots):
                front.back.posted.popleft()
            assert [frame.data for frame in front.frames(1)] == [bytes([number & 0xFF]) * 20 * slots]
            front.back.post(slots)
        assert len(set(front.back.posted)) == PAGES
        assert front.device.statistics()["rx_errors"] == 0


@pytest.mark.parametrize(("line", "ahead"), [(1, 257), (1, PAGES + 1), (1, -1), (1, 2**31), (0, 1), (0, -1), (0, 257)])
def test_a_producer_index_that_cannot_be_parts_from_a_backend(line: int, ahead: int, made: Yard) -> None:
    with case(made) as front:
        index = front.back.produced(line) + ahead & 0xFFFFFFFF
        front.back.produce(line, index)
        front.parted(f"the peer's producer index {index} is not within")
        assert front.port.lanes[0].count == front.seen
        front.begins_anew()


class Answered(NamedTuple):
    """Answers to two requests to send, whose ids they are given; and why the frontend parts then."""

    name: str
    answers: Sequence[tuple[int | None, int]]
    why: str


LIES = [
    Answered("an id beyond the ring", [(256, OKAY)], "request 256 answered with 0, and nobody asked"),
    Answered("the largest id", [(0xFFFF, ERROR)], "request 65535 answered with -1, and nobody asked"),
    Answered("a page that is free", [(40, OKAY)], "request 40 answered with 0, and nobody asked"),
    Answered("one twice at once", [(None, OKAY), (None, OKAY)], "answered with 0, and nobody asked"),
    Answered("no answer to a packet", [(None, NULL)], "1 extras answered, of 0"),
]


@pytest.mark.parametrize("answered", LIES, ids=lambda answered: answered.name)
def test_an_answer_to_what_was_not_asked_parts_from_a_backend(answered: Answered, made: Yard) -> None:
    with case(made) as front:
        front.port.lanes[0].give([Frame(bytes(60)), Frame(bytes(61))])
        idents = [ident for *_, ident, _ in front.back.asked(2)]
        front.back.answer(*((idents[0] if ident is None else ident, status) for ident, status in answered.answers))
        front.parted(answered.why)
        front.begins_anew()


def test_an_answer_twice_over_parts_from_a_backend(made: Yard) -> None:
    with case(made) as front:
        front.port.lanes[0].give([Frame(bytes(60)), Frame(bytes(61))])
        idents = [ident for *_, ident, _ in front.back.asked(2)]
        front.back.answer((idents[0], OKAY))
        front.back.answer((idents[0], OKAY))
        front.parted(f"request {idents[0]} answered with 0, and nobody asked")
        front.begins_anew()


def test_answers_in_any_order_with_any_status_give_pages_back(made: Yard) -> None:
    with case(made) as front:
        before = front.device.statistics()["tx_errors"]
        sizes = range(60, 60 + PAGES)
        for status in (OKAY, ERROR, DROPPED, 5, 32767):
            front.port.lanes[0].give([Frame(bytes(size)) for size in sizes])
            idents = [ident for *_, ident, _ in front.back.asked(PAGES)]
            assert len(set(idents)) == PAGES
            front.back.answer(*((ident, status) for ident in reversed(idents)))
        front.proves()
        assert front.device.statistics()["tx_errors"] == before + 4 * PAGES
        assert front.lines == []


def test_a_page_is_not_used_again_before_it_is_back(made: Yard) -> None:
    with case(made) as front:
        front.port.lanes[0].give([Frame(bytes([number]) * 100) for number in range(PAGES + 10)])
        asked = front.back.asked(PAGES)
        assert len({gref for gref, *_ in asked}) == PAGES
        # As long as it is asked for, it holds what was asked.
        for number, (gref, *_) in enumerate(asked):
            assert front.back.read(gref, 100) == bytes([number]) * 100
        front.back.answer(*((ident, OKAY) for *_, ident, _ in asked[:10]))
        again = front.back.asked(10)
        assert {gref for gref, *_ in again} == {gref for gref, *_ in asked[:10]}
        for number, (gref, *_) in enumerate(asked[10:], 10):
            assert front.back.read(gref, 100) == bytes([number]) * 100


def test_a_backend_that_never_answers_holds_up_nobodys_end(made: Yard) -> None:
    with case(made) as front:
        front.port.lanes[0].give([Frame(bytes(60))] * (PAGES + 5))
        front.back.asked(PAGES)
        # What comes from it goes on.
        ident, gref = front.back.posted.popleft()
        front.back.write(gref, b"x" * 60)
        front.back.respond(received(60, ident=ident))
        assert [frame.data for frame in front.frames(1)] == [b"x" * 60]


def test_events_without_answers_are_heard_less_and_less(made: Yard) -> None:
    with case(made) as front:
        before = front.device.statistics()["notifications_received"]
        began = time.monotonic()
        for _ in range(20_000):
            for channel in front.back.channels:
                channel.notify()
        front.proves()
        heard = front.device.statistics()["notifications_received"] - before
        assert heard <= 120 + 20 * (time.monotonic() - began)


@pytest.mark.parametrize("states", [(5,), (6,), (5, 6), (2, 6), (1, 6), (5, 4, 6), (0, 6), (99, 6)])
def test_states_in_no_order_end_where_a_backend_can_begin(states: Sequence[int], made: Yard) -> None:
    with case(made) as front:
        for state in states:
            front.state(state)
        front.begins_anew()


def test_an_offer_made_again_changes_nothing(made: Yard) -> None:
    with case(made) as front:
        for state in (2, 4, 4, 2, 4):
            front.state(state)
            front.proves()
        assert front.lines == []


def test_a_backend_that_vanishes_is_followed_by_another(made: Yard) -> None:
    with case(made) as front:
        front.dom0.store.remove(front.spot.back)
        assert front.end.wait([XenbusState.CLOSED], STUCK)
        front.back.close()
        front.dom0.store.mkdir(front.spot.back)
        front.dom0.store.set_permissions(front.spot.back, ["n0", "r5"])
        put(front.dom0.store, front.spot.back, offer_nodes(OFFER))
        front.state(6)
        until(lambda: front.end.state in {XenbusState.CLOSED, XenbusState.INITIALISING})
        front.connects()
        front.proves()


@pytest.mark.parametrize("queues", [0, 1, 2**32 - 1])
def test_more_queues_than_there_are_uses_for_are_cut_down(queues: int, made: Yard) -> None:
    with case(made, None, multi_queue_max_queues=queues) as front:
        assert front.device.queues == 1


@pytest.mark.parametrize(
    ("node", "value", "said"),
    [
        ("feature-rx-copy", "0", "feature-rx-copy is missing or 0"),
        ("feature-sg", "x", "feature-sg is 'x', no number"),
        ("multi-queue-max-queues", "-1", "multi-queue-max-queues is '-1', no number"),
        ("multi-queue-max-queues", str(2**32), "multi-queue-max-queues is 4294967296"),
        ("feature-gso-tcpv6", "1" * 4000, "feature-gso-tcpv6 is '1111"),
    ],
)
def test_an_offer_that_makes_no_sense_is_told_and_the_next_is_taken(
    node: str, value: str, said: str, made: Yard
) -> None:
    with case(made) as front:
        before = front.dom0.store.read(f"{front.spot.back}/{node}")
        front.back.close()
        front.state(6)
        assert front.end.wait([XenbusState.CLOSED, XenbusState.INITIALISING], STUCK)
        front.dom0.store.write(f"{front.spot.back}/{node}", value.encode())
        front.state(2)
        assert said in front.error()
        assert front.end.wait([XenbusState.CLOSING], STUCK)
        front.dom0.store.write(f"{front.spot.back}/{node}", before)
        front.state(6)
        until(lambda: front.end.state in {XenbusState.CLOSED, XenbusState.INITIALISING})
        front.connects()
        front.proves()


def test_what_is_still_to_be_cut_is_told_to_the_port(made: Yard) -> None:
    with case(made) as front:
        for kind in (GsoType.TCPV4, GsoType.TCPV6):
            _, gref = front.back.posted.popleft()
            front.back.posted.popleft()
            front.back.write(gref, b"\x42" * 4096)
            front.back.respond(received(4096, EXTRA), gso(536, kind))
            assert front.frames(1) == [Frame(b"\x42" * 4096, Offload(Checksum.BLANK, kind, 536))]
            front.back.post(2)
