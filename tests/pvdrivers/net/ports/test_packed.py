"""Lanes with a header before each frame, compiled and by the reference alone: over random lines both do the same."""

from collections.abc import Sequence
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.virtio_net import HDR
from pvdrivers.net.frame import Abilities, Checksum, Frame, Offload
from pvdrivers.net.ports.headed import HeadedLane
from pvdrivers.net.ports.packed import PackedHeadedLane
from pvdrivers.net.ports.plain.batched import BatchedLine
from pvdrivers.net.ports.plain.line import PlainLine
from pvdrivers.net.ports.plain.single import SingleLine
from pvdrivers.net.record import RECORD, pack, unpack
from tests.pvdrivers.net.chance import fuzzed
from tests.pvdrivers.net.ports.lines import ABILITIES, DATA, HEADER, lane_of

KINDS = [SingleLine, BatchedLine]


def counts(lane: HeadedLane) -> dict[str, int]:
    """Give what was counted, but for system calls, which are each way's own."""
    counted = asdict(lane.stats)
    del counted["syscalls"]
    return counted


def taken(lane: HeadedLane, limit: int) -> list[Frame]:
    """Take all that waits, so many at once."""
    frames: list[Frame] = []
    while True:
        some: Sequence[Frame]
        if isinstance(lane, PackedHeadedLane):
            records = memoryview(bytearray(limit * RECORD.size))
            some = unpack(lane.arena, records[: lane.receive_packed(records) * RECORD.size])
        else:
            some = lane.receive(limit)
        assert len(some) <= limit
        if not some:
            return frames
        frames += [each._replace(data=bytes(each.data)) for each in some]


def received(kind: type[PlainLine] | None, messages: list[bytes], limit: int, reader: Abilities) -> object:
    with lane_of(kind, reader=reader) as (lane, other):
        for message in messages:
            other.send(message)
        return taken(lane, limit), counts(lane)


def sent(kind: type[PlainLine] | None, frames: list[Frame], abilities: Abilities) -> object:
    messages = []
    with lane_of(kind, abilities=abilities) as (lane, other):
        if isinstance(lane, PackedHeadedLane):
            arena = b"".join(each.data for each in frames)
            lane.send_packed(memoryview(arena), memoryview(pack(frames)))
        else:
            lane.send(frames)
        other.setblocking(True)
        other.settimeout(0)
        try:
            while True:
                messages.append(other.recv(1 << 17))
        except BlockingIOError:
            return messages, counts(lane)


def test_long_frames_that_follow_one_another_begin_in_pages_of_their_own() -> None:
    # Each of their pages is copied to one page then.
    with lane_of(SingleLine) as (lane, other):
        assert isinstance(lane, PackedHeadedLane)
        for size in (60, 9000, 9000, 4096, 60, 60):
            other.send(bytes(HDR.size) + bytes(size))
        records = memoryview(bytearray(8 * RECORD.size))
        count = lane.receive_packed(records)
        places = [place for place, *_ in RECORD.iter_unpack(records[: count * RECORD.size])]
    assert places == [0, 64, 12288, 24576, 28672, 28736]


OFFLOAD = st.one_of(
    st.sampled_from(Checksum).map(Offload),
    st.builds(
        Offload,
        st.sampled_from(Checksum),
        st.sampled_from([GsoType.TCPV4, GsoType.TCPV6]),
        st.sampled_from([0, 1, 7, 8, 100, 536, 0xFFFF]),
    ),
)


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_read_the_same(kind: type[PlainLine]) -> None:
    @fuzzed
    @given(st.lists(st.builds(bytes.__add__, HEADER, DATA), max_size=12), st.sampled_from([1, 3, 64]), ABILITIES)
    def same(messages: list[bytes], limit: int, reader: Abilities) -> None:
        assert received(kind, messages, limit, reader) == received(None, messages, limit, reader)

    same()


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_write_the_same(kind: type[PlainLine]) -> None:
    @fuzzed
    @given(st.lists(st.builds(Frame, DATA, OFFLOAD), max_size=12), ABILITIES)
    def same(frames: list[Frame], abilities: Abilities) -> None:
        assert sent(kind, frames, abilities) == sent(None, frames, abilities)

    same()
