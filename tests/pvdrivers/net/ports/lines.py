"""Lanes with a header before each frame whose line's other end the test has, and what comes by such a line."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st

from pvdrivers.abi.virtio_net import HDR
from pvdrivers.net.finish import blanked
from pvdrivers.net.frame import Abilities
from pvdrivers.net.headers import parse
from pvdrivers.net.ports.base import ALL
from pvdrivers.net.ports.headed import HeadedLane
from pvdrivers.net.ports.packed import DirectLane, PackedHeadedLane
from pvdrivers.net.ports.plain.line import PlainLine
from pvdrivers.net.ports.plain.single import SingleLine
from tests.pvdrivers.net.frames import TCP_HEADER, UDP_HEADER, frame, whole


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
        if isinstance(plain, SingleLine):
            lane = DirectLane("test", line, plain, abilities, reader, receives=True)
        else:
            lane = PackedHeadedLane("test", line, plain, abilities, reader, receives=True)
    with theirs:
        yield lane, theirs
        lane.close()


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
