"""Lanes with a header before each frame, compiled and by the reference alone: over random lines both do the same."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.virtio_net import HDR
from pvdrivers.net.finish import blanked
from pvdrivers.net.frame import Abilities, Checksum, Frame, Offload
from pvdrivers.net.headers import parse
from pvdrivers.net.ports.base import ALL
from pvdrivers.net.ports.headed import HeadedLane
from pvdrivers.net.ports.packed import PackedHeadedLane
from pvdrivers.net.ports.plain.batched import BatchedLine
from pvdrivers.net.ports.plain.line import PlainLine
from pvdrivers.net.ports.plain.single import SingleLine
from pvdrivers.net.record import RECORD, pack, unpack
from tests.pvdrivers.net.chance import fuzzed
from tests.pvdrivers.net.frames import TCP_HEADER, UDP_HEADER, frame, whole

KINDS = [SingleLine, BatchedLine]


class SocketLine:
    """A line that the test has the other end of."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        return self._end.fileno()

    def read(self, header: bytearray, room: memoryview) -> memoryview:
        return room[: os.readv(self._end.fileno(), (header, room)) - len(header)]

    def write(self, header: bytes, data: bytes | memoryview) -> None:
        os.writev(self._end.fileno(), (header, data))

    def gone(self) -> bool:
        return False

    def lost(self) -> int:
        return 0

    def close(self) -> None:
        self._end.close()


@contextmanager
def lane_of(
    kind: type[PlainLine] | None, abilities: Abilities = ALL, reader: Abilities = ALL
) -> Iterator[tuple[HeadedLane, socket.socket]]:
    """Give a lane, and the other end of its line; of the reference without a kind."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setblocking(False)
    line = SocketLine(ours)
    if kind is None:
        lane = HeadedLane("test", line, abilities, reader, receives=True)
    else:
        plain = kind(ours.fileno(), abilities, reader)
        lane = PackedHeadedLane("test", line, plain, abilities, reader, receives=True)
    with theirs:
        yield lane, theirs
        lane.close()


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


def patched(data: bytes, at: int, by: bytes) -> bytes:
    return data[:at] + by + data[at + len(by) :]


def blank(data: bytes) -> bytes:
    headers = parse(data)
    return bytes(blanked(data, headers, headers.transport)) if headers and headers.transport else data


#: Frames of which many are plain: as they are, with a sum left blank, cut short, or with something else somewhere.
PLAIN = st.builds(
    frame,
    st.just("untagged"),
    st.sampled_from(["ipv4", "ipv4-options", "ipv6"]),
    st.sampled_from([TCP_HEADER, UDP_HEADER]),
    st.one_of(st.binary(max_size=40), st.integers(1, 3000).map(bytes)),
)
DATA = st.one_of(
    PLAIN,
    PLAIN.map(blank),
    whole,
    whole.map(blank),
    st.builds(patched, PLAIN, st.integers(12, 70), st.binary(min_size=1, max_size=3)),
    st.builds(lambda data, end: data[:end], PLAIN, st.integers(1, 80)),
    st.builds(lambda data, more: data + more, PLAIN, st.binary(max_size=3)),
)
ABILITIES = st.one_of(
    st.just(ALL), st.builds(Abilities, *[st.booleans()] * 4, st.sampled_from([100, 1514, ALL.longest]))
)
#: What is often right: a place of UDP's or TCP's sum.
HEADER = st.builds(
    HDR.struct.pack,
    st.sampled_from([0, 0, 1, 1, 1, 2, 3, 4]),
    st.sampled_from([0, 0, 0, 1, 1, 4, 4, 0x81, 3, 5]),
    st.integers(0, 100),
    st.sampled_from([0, 1, 7, 8, 100, 536, 0xFFFF]),
    st.sampled_from([34, 34, 54, 54, 0, 0xFFFF]),
    st.sampled_from([16, 16, 6, 6, 0, 0xFFFF]),
)
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
