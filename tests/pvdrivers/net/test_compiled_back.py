"""A backend's queue compiled and by the reference alone: over random rings both answer, pass on and count the same."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import RX_REQUEST, RX_RESPONSE, RX_RING, TX_REQUEST, TX_RING, GsoType, RxFlag, TxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.errors import DriverError
from pvdrivers.net.back.backqueue import BackQueue
from pvdrivers.net.back.plain.passed import Passed
from pvdrivers.net.back.plain.sent import Sent
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.net.packet import tx_front
from pvdrivers.net.plain import Posted
from pvdrivers.ring import Front
from pvdrivers.transport.base import PIECE
from tests.pvdrivers.net.alone import Grants, Line, ListLane, Memory, RecordLane
from tests.pvdrivers.net.chance import FRAME, HEADROOM, RING, TX_MESSAGE, fuzzed, spread, text
from tests.pvdrivers.net.messages import gso, sent, wide

#: Grefs that cannot be copied from or to: some of those that random messages and posted pages have.
BAD = (105, 70_003, 9_003, 9_020)


@dataclass
class Step:
    """What happens between two turns.

    :param sends: messages for the TX ring
    :param posts: pages that are posted
    :param frames: that come by the lane
    """

    sends: bytes
    posts: int
    frames: Sequence[Frame]
    headroom: int = 0


@dataclass
class Seen:
    """What can be seen of a queue from outside."""

    answers: bytes = b""
    responses: bytes = b""
    sent: list[tuple[bytes, Offload, object]] = field(default_factory=list)
    left: int = 0
    pages: dict[int, bytes] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    error: str = ""


def played(steps: Sequence[Step], lane: ListLane, *, compiled: bool) -> Seen:
    """Run a queue, turn by turn, beside a frontend that puts down what it likes."""
    tx, rx, grants, seen = Memory(), Memory(), Grants(BAD), Seen()
    fronts = Front(tx.memory, TX_RING), Front(rx.memory, RX_RING)
    lines = Line(), Line()
    queue = BackQueue(grants, 5, (tx, rx), lines, lane, compiled=compiled)  # type: ignore[arg-type] # as much of a transport as a queue asks for
    posted = 0
    with closing(queue):
        for step in steps:
            room = fronts[0].room * TX_REQUEST.size
            fronts[0].put(step.sends[:room])
            count = min(step.posts, fronts[1].room)
            fronts[1].put(
                b"".join(RX_REQUEST.struct.pack(at, 0xFFFF, 9_000 + at) for at in range(posted, posted + count))
            )
            posted += count
            for front in fronts:
                front.push()
            lane.waiting.extend(step.frames)
            queue.headroom = step.headroom
            try:
                while queue._turn():
                    pass
            except DriverError as error:
                seen.error = f"{type(error).__name__}: {error}"
            seen.answers += fronts[0].take()
            seen.responses += fronts[1].take()
            if seen.error:
                break
        seen.counts = queue.stats.document()
    # How often the lane or the transport is called is each way's own.
    del seen.counts["syscalls"]
    seen.sent, seen.left = lane.sent, len(lane.waiting)
    seen.pages = {gref: bytes(page) for gref, page in grants.pages.items()}
    for front in fronts:
        front.release()
    return seen


@st.composite
def sound(draw: st.DrawFn) -> bytes:
    """Give messages that a good frontend sends, some of them of pages that are none."""
    frame = draw(FRAME)
    return tx_front.requests(draw(spread(frame)), frame.offload, draw(st.sampled_from([None, None, None, frame.hash])))


#: A few that are plain, for each that is anything.
PLAIN = st.one_of(
    st.builds(sent, st.integers(0, 40), st.integers(0, 3), st.integers(14, 4096)),
    st.builds(lambda ident, size: sent(ident, 8, size) + wide(gso(size)), st.integers(0, 40), st.integers(14, 4096)),
)
MESSAGES = st.lists(st.one_of(PLAIN, PLAIN, PLAIN, sound(), sound(), TX_MESSAGE), max_size=40).map(b"".join)
STEPS = st.lists(
    st.builds(Step, MESSAGES, st.integers(0, 64), st.lists(FRAME, max_size=8), HEADROOM), min_size=1, max_size=5
)


@fuzzed
@given(STEPS, st.sampled_from([ListLane, RecordLane]))
def test_both_ways_do_the_same(steps: list[Step], kind: type[ListLane]) -> None:
    if kind is RecordLane:
        # No record tells a hash.
        steps = [
            Step(each.sends, each.posts, [one._replace(hash=None) for one in each.frames], each.headroom)
            for each in steps
        ]
    compiled, reference = played(steps, kind(), compiled=True), played(steps, ListLane(), compiled=False)
    # Where there is no page, one takes as many frames from its lane as the other, or they wait there.
    compiled.left = reference.left = 0
    assert compiled == reference


def test_the_plain_is_not_left_to_the_reference() -> None:
    taken = []
    core = Sent(lambda batch, arena: taken.append((bytes(batch), len(arena))))
    messages = sent(1, 3, 64) + sent(2, 8, 9000) + wide(gso()) + sent(3, 4, 4096) + sent(4, 0, 4096)
    answers, count = core.take(messages[:24])
    assert (count, core.waits, len(answers)) == (1, True, 4)
    with closing(core):
        messages = sent(1, 3, 64) + sent(2, 12, 9000) + wide(gso()) + sent(3, 4, 4096) + sent(4, 0, 4096)
        answers, count = core.take(messages)
        assert (count, core.frames, core.size) == (5, 2, 9064)
        # With those of the first call.
        assert (core.packets, core.volume, core.slots, core.copied, core.calls) == (3, 9128, 6, 5, 2)
        assert answers == bytes.fromhex("01000000 02000000 00000100 03000000 04000000")
        assert len(taken) == 2
        assert core.take(messages[:-12])[1] == 1
        assert core.waits
        assert core.take(sent(1, 0, 13)) == (b"", 0)
        assert not core.waits
        with pytest.raises(ValueError, match="more messages than a ring has"):
            core.take(sent(1) * 321)


def pages(batch: memoryview) -> list[int]:
    """Tell in how many pages of the arena each piece lies."""
    places = [(place, place + length - 1) for _, _, length, place, _ in PIECE.iter_unpack(batch)]
    return [last // PAGE_SIZE - first // PAGE_SIZE + 1 for first, last in places]


@pytest.mark.parametrize("first", [0, 66, 1000, 4095])
def test_memory_cut_where_its_pages_end_is_copied_to_pages_alike(first: int) -> None:
    # As Linux's frontend has it: headers by themselves, and 64 KiB of memory from somewhere in a page on.
    rest = [(first, PAGE_SIZE - first), *[(0, PAGE_SIZE)] * 14, (0, 100)]
    head = sent(0, TxFlag.MORE_DATA | TxFlag.EXTRA_INFO, 66 + sum(size for _, size in rest), 2) + wide(gso())
    slots = [
        sent(at, TxFlag.MORE_DATA if at < len(rest) else 0, size, offset) for at, (offset, size) in enumerate(rest, 1)
    ]
    taken: list[list[int]] = []
    with closing(Sent(lambda batch, _: taken.append(pages(batch)))) as core:
        core.take((sent(9, 0, 60) + head + b"".join(slots)) * 3)
        assert core.frames == 6
    assert taken == [[1, 1, *[1] * len(rest)] * 3]


def test_pages_that_are_posted_are_a_queue() -> None:
    posted = Posted()
    posted.extend((at, 2 * at) for at in range(RING))
    assert [posted.popleft() for _ in range(RING - 1)] == [(at, 2 * at) for at in range(RING - 1)]
    posted.post(RX_REQUEST.struct.pack(7, 0xFFFF, 2**32 - 1))
    assert len(posted) == 2
    assert [posted.popleft(), posted.popleft()] == [(RING - 1, 2 * RING - 2), (7, 2**32 - 1)]
    with pytest.raises(IndexError):
        posted.popleft()
    with pytest.raises(ValueError, match="more pages than a ring has slots for"):
        posted.extend((0, 0) for _ in range(513))


def test_no_more_frames_are_held_than_there_is_room_for() -> None:
    with closing(Passed(lambda *_: None, Posted(), 4)) as passed:
        with pytest.raises(ValueError, match="5 frames in a room for 4"):
            passed.hold(5)
        passed.hold(4)
        assert passed.held == 4


def test_a_frame_of_a_slot_more_waits_for_it() -> None:
    frame = Frame(text(8192), Offload(Checksum.BLANK, GsoType.TCPV4, 1448))
    for posts, slots in ((2, 0), (3, 3)):
        seen = played([Step(b"", posts, [frame])], RecordLane(), compiled=True)
        assert (seen.counts["rx_slots"], len(seen.responses)) == (slots, 8 * slots)


def test_what_is_long_is_shown_in_lots() -> None:
    core = Sent(lambda *_: None)
    messages = b"".join(sent(at, 0, 4096) for at in range(64))
    with closing(core):
        assert core.take(messages)[1] == 48
        assert (core.more, core.waits) == (True, False)
        assert core.take(messages[48 * TX_REQUEST.size :])[1] == 16
        assert (core.more, core.waits) == (False, False)
    frames = [Frame(text(60_000)) for _ in range(12)]
    steps = [Step(messages, 200, frames)]
    compiled = played(steps, RecordLane(), compiled=True)
    assert compiled == played(steps, ListLane(), compiled=False)
    # One page either way in bad places costs its packet.
    assert (compiled.counts["tx_packets"], compiled.counts["rx_packets"], compiled.counts["rx_errors"]) == (63, 10, 2)


def following(count: int) -> bytes:
    """Give a packet of a slot and so many after it, of ten bytes each."""
    last = [sent(at, 4 if at < count else 0, 10) for at in range(1, count + 1)]
    return sent(0, 4, 10 * count + 60) + b"".join(last)


@pytest.mark.parametrize(
    "messages",
    [
        following(18),
        following(19),
        following(20),
        following(21),
        # More after the first slot than in all, by no more than the first lies from its page's beginning.
        sent(0, 4, 60, 100) + sent(1, 0, 100),
        sent(0, 4, 60, 39) + sent(1, 0, 100),
        *(sent(1, 8) + wide(gso(1448, kind)) for kind in range(4)),
    ],
)
def test_both_ways_draw_the_same_lines(messages: bytes) -> None:
    steps = [Step(sent(40) + messages + sent(41), 0, [])]
    assert played(steps, RecordLane(), compiled=True) == played(steps, ListLane(), compiled=False)


@pytest.mark.parametrize("size", [60, 4096, 4097, 8193, 65535])
@pytest.mark.parametrize("kind", [GsoType.TCPV4, GsoType.TCPV6])
def test_an_extra_stands_behind_the_first_slot(size: int, kind: GsoType) -> None:
    steps = [Step(b"", 200, [Frame(text(size), Offload(Checksum.BLANK, kind, 536)), Frame(text(70))])]
    compiled = played(steps, RecordLane(), compiled=True)
    assert compiled == played(steps, ListLane(), compiled=False)
    assert compiled.responses[8:16] == gso(536, kind)


@pytest.mark.parametrize("size", [0, 1, 18 * 4096, 18 * 4096 + 1, 19 * 4096])
def test_a_frame_of_nothing_or_of_more_than_eighteen_slots_is_not_passed_on(size: int) -> None:
    # Behind the pages in bad places, of which there are two.
    before = BAD[-1] + 1 - 9_000
    steps = [Step(b"", 200, [*[Frame(text(60))] * before, Frame(text(size)), Frame(text(70))])]
    compiled = played(steps, RecordLane(), compiled=True)
    assert compiled == played(steps, ListLane(), compiled=False)
    passed = size in {1, 18 * 4096}
    assert (compiled.counts["rx_packets"], compiled.counts["rx_errors"]) == (before - 2 + passed + 1, 2 + (not passed))


@pytest.mark.parametrize("said", Checksum)
def test_the_checksum_of_what_is_to_be_cut_is_blank_whatever_is_said_of_it(said: Checksum) -> None:
    steps = [Step(b"", 2, [Frame(text(60), Offload(said, GsoType.TCPV4, 536))])]
    compiled = played(steps, RecordLane(), compiled=True)
    assert compiled == played(steps, ListLane(), compiled=False)
    _, _, flags, _ = RX_RESPONSE.struct.unpack(compiled.responses[: RX_RESPONSE.size])
    assert RxFlag(flags) == RxFlag.CSUM_BLANK | RxFlag.DATA_VALIDATED | RxFlag.EXTRA_INFO
