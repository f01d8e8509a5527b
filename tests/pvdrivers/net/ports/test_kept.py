"""Frames that are kept in memory that is used again and again, beside a list of them: none is lost, torn or changed."""

from collections import deque
from collections.abc import Sequence
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.net.frame import Frame
from pvdrivers.net.ports.base import ALL, LONGEST
from pvdrivers.net.ports.inbox import BYTES, FRAMES
from pvdrivers.net.ports.plain.kept import Kept, stretches
from pvdrivers.net.record import RECORD, pack, unpack
from tests.pvdrivers.net.chance import fuzzed

SIZES = st.one_of(st.integers(14, 70), st.integers(14, 9000), st.integers(14, LONGEST), st.just(LONGEST))


def text(number: int, size: int) -> bytes:
    """Give bytes by which a frame is known."""
    return (number.to_bytes(4, "big") * (size // 4 + 1))[:size]


def put(kept: Kept, frames: Sequence[bytes]) -> int:
    """Keep frames; give how many were not."""
    return kept.put(memoryview(b"".join(frames)), memoryview(pack(map(Frame, frames))))


def read(kept: Kept, limit: int) -> list[bytes]:
    """Give frames."""
    records = memoryview(bytearray(limit * RECORD.size))
    kept.clear()
    return [bytes(each.data) for each in unpack(kept.arena, records[: kept.read(records) * RECORD.size])]


@fuzzed
@given(st.lists(st.tuples(st.lists(SIZES, max_size=40), st.integers(1, 40)), max_size=60))
def test_what_waits_is_as_it_came_and_bounded(steps: list[tuple[list[int], int]]) -> None:
    waiting: deque[bytes] = deque()
    number = 0
    with closing(Kept(ALL)) as kept:
        for sizes, limit in steps:
            frames = [text(number + at, size) for at, size in enumerate(sizes)]
            number += len(sizes)
            lost = 0
            for each in frames:
                if len(waiting) == FRAMES or sum(map(len, waiting)) + len(each) > BYTES:
                    lost += 1
                else:
                    waiting.append(each)
            assert put(kept, frames) == lost
            assert len(kept) == len(waiting)
            assert read(kept, limit) == [waiting.popleft() for _ in range(min(limit, len(waiting)))]


def test_what_was_given_stays_until_the_next_turn() -> None:
    with closing(Kept(ALL)) as kept:
        records = memoryview(bytearray(FRAMES * RECORD.size))
        first = [text(at, LONGEST) for at in range(BYTES // LONGEST)]
        assert put(kept, first) == 0
        assert kept.read(records) == len(first)
        # As much again has room beside it.
        assert put(kept, first) == 0
        assert put(kept, first[:1]) == 1
        assert [bytes(each.data) for each in unpack(kept.arena, records[: len(first) * RECORD.size])] == first
        assert read(kept, FRAMES) == first


def test_a_frame_beyond_its_arena_is_not_kept() -> None:
    with closing(Kept(ALL)) as kept:
        assert kept.put(memoryview(bytes(100)), memoryview(RECORD.pack(41, 60, 0, 0, 0))) == 1
        assert kept.put(memoryview(bytes(100)), memoryview(RECORD.pack(0, LONGEST + 1, 0, 0, 0))) == 1
        assert len(kept) == 0


def test_frames_in_a_row_between_two_addresses_are_one_stretch() -> None:
    a, b, short = bytes(range(20)), bytes(range(1, 21)), bytes(13)
    frames = [a, a + b"more", b, short, b"", a]
    found = stretches(memoryview(b"".join(frames)), memoryview(pack(map(Frame, frames))))
    assert found == [(a[:12], 0, 2), (b[:12], 2, 3), (b"", 3, 5), (a[:12], 5, 6)]
    assert stretches(memoryview(b""), memoryview(b"")) == []
    # A record that tells of more than there is.
    assert stretches(memoryview(a), memoryview(RECORD.pack(10, 60, 0, 0, 0))) == [(b"", 0, 1)]
