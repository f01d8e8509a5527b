"""A frontend's queue compiled and by the reference alone: whatever is answered, both ask, pass on and count alike."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import RX_RESPONSE, RX_RING, TX_REQUEST, TX_RESPONSE, TX_RING, GsoType
from pvdrivers.errors import DriverError
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.net.front.frontqueue import FrontQueue
from pvdrivers.net.front.plain.receiving import Receiving
from pvdrivers.net.front.plain.sending import Asked, Sending
from pvdrivers.net.front.pool import Pool
from pvdrivers.net.packet import rx_back
from pvdrivers.net.record import pack
from pvdrivers.ring import Back
from tests.pvdrivers.net.alone import Giver, ListLane, RecordLane
from tests.pvdrivers.net.chance import FRAME, HEADROOM, RX_MESSAGE, fuzzed, text
from tests.pvdrivers.net.messages import answers, gso, received

#: Pages for either direction: few, so that they run out.
PAGES = 64


@dataclass
class Step:
    """What happens between two turns.

    :param frames: that come by the lane
    :param statuses: answers to requests to send, as many as there are, in an order of their own
    :param passed: responses to posted pages, as far as there are any: messages, or frames that are laid over them
    :param lies: answers to what nobody asked
    """

    frames: Sequence[Frame]
    statuses: Sequence[tuple[int, int]]
    passed: Sequence[bytes | Frame]
    headroom: int = 0
    lies: bytes = b""


@dataclass
class Seen:
    """What can be seen of a queue from outside."""

    requests: bytes = b""
    posts: bytes = b""
    sent: list[tuple[bytes, Offload, object]] = field(default_factory=list)
    pages: bytes = b""
    busy: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    error: str = ""


def answered(asked: list[bytes], statuses: Sequence[tuple[int, int]]) -> bytes:
    """Answer requests, which are taken away, extras as such."""
    found = []
    for place, status in statuses:
        if asked:
            message = asked.pop(place % len(asked))
            ident = TX_REQUEST.struct.unpack(message[1:])[3]
            found.append(TX_RESPONSE.struct.pack(0, 1) if message[0] else TX_RESPONSE.struct.pack(ident, status))
    return b"".join(found)


def cut(messages: bytes) -> list[bytes]:
    """Give requests, each behind a byte that tells whether it is an extra."""
    found = [messages[at : at + TX_REQUEST.size] for at in range(0, len(messages), TX_REQUEST.size)]
    marked, extras = [], 0
    for message in found:
        marked.append(bytes([extras > 0]) + message)
        extras = message[1] & 1 if extras else int(TX_REQUEST.struct.unpack(message)[2] & 8 > 0)
    return marked


def laid(step: Step, posted: list[tuple[int, int]], pool: memoryview, first: int) -> bytes:
    """Answer pages that are posted, which are taken away."""
    found = []
    for each in step.passed:
        if isinstance(each, bytes):
            if posted:
                posted.pop(0)
                found.append(each)
            continue
        frame = each._replace(data=each.data[: rx_back.longest(step.headroom)])
        needed = rx_back.needed(frame, step.headroom)
        if needed <= len(posted):
            places = [posted.pop(0) for _ in range(needed)]
            packet = rx_back.lay(frame, places, step.headroom)
            at = 0
            for slot in packet.pieces:
                start = (slot.gref - first) * 4096 + slot.offset
                pool[start : start + slot.length] = frame.data[at : at + slot.length]
                at += slot.length
            found.append(rx_back.respond(packet, [0] * len(packet.pieces)))
    return b"".join(found)


def played(steps: Sequence[Step], lane: ListLane, *, compiled: bool) -> Seen:
    """Run a queue, turn by turn, beside a backend that answers what it likes."""
    giver, seen = Giver(), Seen()
    queue = FrontQueue(giver, 0, lane, pages=PAGES, compiled=compiled)  # type: ignore[arg-type] # as much of a transport as a queue asks for
    tx, rx, sending, receiving = giver.granted
    # What stands in them before anything was received.
    receiving.memory[:] = text(len(receiving.memory) % 4096 or 4096) * PAGES
    backs = Back(tx.memory, TX_RING), Back(rx.memory, RX_RING)
    asked: list[bytes] = []
    posted: list[tuple[int, int]] = []
    with closing(queue):
        queue._post()
        for step in steps:
            lane.waiting.extend(step.frames)
            backs[0].put((answered(asked, step.statuses) + step.lies)[: backs[0].room * TX_RESPONSE.size])
            responses = laid(step, posted, receiving.memory, receiving.grefs[0])
            backs[1].put(responses[: backs[1].room * RX_RESPONSE.size])
            for back in backs:
                back.push()
            try:
                while queue._turn():
                    pass
            except DriverError as error:
                seen.error = f"{type(error).__name__}: {error}"
            requests, posts = backs[0].take(), backs[1].take()
            asked += cut(requests)
            posted += rx_back.posted(posts)
            seen.requests += requests
            seen.posts += posts
            if seen.error:
                break
        seen.counts, seen.busy = queue.stats.document(), queue.busy
    seen.sent, seen.pages = lane.sent, bytes(sending.memory)
    for back in backs:
        back.release()
    return seen


STATUS = st.sampled_from([0, 0, 0, 0, -1, -2, 5])
#: Plain packets of one slot, for each message that is anything.
PLAIN = st.builds(received, st.integers(14, 4096), st.integers(0, 3), st.just(0), st.integers(0, 0xFFFF))
PASSED = st.lists(
    st.one_of(PLAIN, PLAIN, FRAME, FRAME, RX_MESSAGE, st.builds(received, st.integers(0, 4096), st.just(4))),
    max_size=24,
)
LIES = st.one_of(
    st.just(b""),
    st.just(b""),
    st.just(b""),
    st.builds(TX_RESPONSE.struct.pack, st.integers(0, 80), st.sampled_from([0, -1, 1])),
)
STEPS = st.lists(
    st.builds(
        Step,
        st.lists(FRAME, max_size=12),
        st.lists(st.tuples(st.integers(0, 63), STATUS), max_size=64),
        PASSED,
        HEADROOM,
        LIES,
    ),
    min_size=1,
    max_size=5,
)


@fuzzed
@given(STEPS, st.sampled_from([ListLane, RecordLane]))
def test_both_ways_do_the_same(steps: list[Step], kind: type[ListLane]) -> None:
    if kind is RecordLane:
        # No record tells a hash.
        steps = [replace(each, frames=[one._replace(hash=None) for one in each.frames]) for each in steps]
    assert played(steps, kind(), compiled=True) == played(steps, ListLane(), compiled=False)


def test_the_plain_is_not_left_to_the_reference() -> None:
    pool = Pool(Giver(), 0, 4, writable=True)  # type: ignore[arg-type] # as above
    receiving = Receiving(pool)
    assert len(receiving.post(9)) == 4 * 8
    assert (pool.free, receiving.posted) == (0, 4)
    # A slot, and three with an extra: its data, and what is to be cut.
    assert receiving.take(received(60, 1) + received(4096, 12) + gso() + received(100)) == 4
    assert (receiving.frames, receiving.size) == (2, 60 + 4196)
    assert bytes(receiving.records) == bytes.fromhex("00000000 3c000000 01 00 0000 40000000 64100000 02 01 a805")
    # Until they are given back, they are posted.
    assert receiving.posted == 4
    assert receiving.places(1, 2) == [(1, 9), (2, 10)]
    receiving.give(3)
    assert (pool.free, receiving.posted) == (3, 1)
    # The last one's end would be within its page, if it were added up in 32 bits.
    beyond = received(100, 0, 4000), received(-50, 0, 100)
    for refused in (received(13), received(60, 4), received(60, 8), received(-1), *beyond):
        assert receiving.take(refused) == 0
    with pytest.raises(ValueError, match="2 responses to 1 requests"):
        receiving.take(received(60) * 2)
    with pytest.raises(IndexError, match="2 pages of 1"):
        receiving.give(2)
    receiving.close()


def test_an_answer_to_what_was_not_asked_leaves_all_as_it_was() -> None:
    pool, asked = Pool(Giver(), 0, 4, writable=False), Asked()  # type: ignore[arg-type] # as above
    sending = Sending(pool, asked, 8)
    frame = Frame(text(5000))
    packed = pack([frame])
    sending.room[: len(packed)] = packed
    sending.hold(1)
    requests = sending.form(memoryview(bytes(frame.data)), 256)
    assert [TX_REQUEST.struct.unpack(requests[at : at + 12]) for at in (0, 12)] == [
        (0, 0, 4, 0, 5000),
        (1, 0, 0, 1, 904),
    ]
    assert (len(asked), pool.free, 1 in asked, 2 in asked) == (2, 2, True, False)
    for lie in (TX_RESPONSE.struct.pack(2, 0), TX_RESPONSE.struct.pack(0, 0), TX_RESPONSE.struct.pack(0, 1)):
        assert not sending.answered(TX_RESPONSE.struct.pack(0, 0) + lie)
        assert (len(asked), pool.free, 0 in asked) == (2, 2, True)
    assert sending.answered(TX_RESPONSE.struct.pack(1, -1) + TX_RESPONSE.struct.pack(0, 0))
    assert (sending.failed, len(asked), pool.free, 0 in asked) == (1, 0, 4, False)
    assert answers(TX_RESPONSE.struct.pack(1, -1)) == [(1, -1)]


def test_a_frame_that_is_not_in_its_arena_is_not_sent() -> None:
    sending = Sending(Pool(Giver(), 0, 4, writable=False), Asked(), 8)  # type: ignore[arg-type] # as above
    packed = pack([Frame(text(60))], 5)
    sending.room[: len(packed)] = packed
    sending.hold(1)
    with pytest.raises(ValueError, match="a frame that is not in its arena"):
        sending.form(memoryview(bytes(64)), 256)


def test_an_extra_tells_nothing_of_what_was_sent_before() -> None:
    sending = Sending(Pool(Giver(), 0, 4, writable=False), Asked(), 8)  # type: ignore[arg-type] # as above
    cut = Frame(text(60), Offload(Checksum.BLANK, GsoType.TCPV4, 1448))
    for frames in ([Frame(text(60))] * 2, [cut]):
        packed = pack(frames)
        sending.room[: len(packed)] = packed
        sending.hold(len(frames))
        requests = sending.form(memoryview(text(60) * len(frames)), 256)
    assert requests[TX_REQUEST.size :] == gso(1448).ljust(TX_REQUEST.size, b"\0")


def test_pages_are_given_back_once() -> None:
    pool = Pool(Giver(), 0, 2, writable=False)  # type: ignore[arg-type] # as above
    assert pool.take(2) == [(0, 0), (1, 1)]
    with pytest.raises(IndexError, match="1 pages of 0"):
        pool.take(1)
    pool.give([1])
    for wrong in ([2], [0, 1]):
        with pytest.raises(ValueError, match=r"page \d of 2"):
            pool.give(wrong)


@pytest.mark.parametrize("head", [256, 257])
@pytest.mark.parametrize("slots", [17, 18, 19, 20])
def test_both_ways_draw_the_same_lines(head: int, slots: int) -> None:
    packet = [received(head, 4), *[received(100, 4)] * (slots - 2), received(100)]
    steps = [Step([], [], []), Step([], [], [received(60), *packet, received(61)])]
    compiled = played(steps, RecordLane(), compiled=True)
    assert compiled == played(steps, ListLane(), compiled=False)
    whole = slots <= 18 + (head <= 256)
    assert (compiled.counts["rx_packets"], compiled.counts["rx_errors"]) == (2 + whole, not whole)
