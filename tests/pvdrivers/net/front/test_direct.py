"""Frames that a frontend reads right into its pages, beside the reference: the same come out of the ring.

What is read and not sent leaves nothing in pages that a backend can read.
"""

import socket
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import TX_RING
from pvdrivers.net.frame import Offload
from pvdrivers.net.front.frontqueue import FrontQueue
from pvdrivers.net.front.plain.sending import PAGES
from pvdrivers.net.packet import tx_back
from pvdrivers.net.ports.plain.single import SingleLine
from pvdrivers.ring import Back
from tests.pvdrivers.net.alone import Giver
from tests.pvdrivers.net.chance import fuzzed
from tests.pvdrivers.net.ports.lines import DATA, HEADER, lane_of

PLAIN = bytes(10)
PAGE = 4096


class Far:
    """A backend that takes frames out of a ring, and answers when it is told to."""

    def __init__(self, giver: Giver) -> None:
        tx, _, self._pool, _ = giver.granted
        self._ring = Back(tx.memory, TX_RING)
        self._owed = b""
        self.frames: list[tuple[bytes, Offload]] = []

    def take(self) -> None:
        """Take what is there."""
        taken = tx_back.parse(self._ring.take(256))
        assert (taken.left, taken.fatal) == (0, None)
        for packet in taken.packets:
            starts = ((piece.gref - self._pool.grefs[0], piece) for piece in packet.pieces)
            data = b"".join(
                bytes(self._pool.memory[page * PAGE + piece.offset :][: piece.length]) for page, piece in starts
            )
            self.frames.append((data, packet.offload))
            self._owed += tx_back.respond(packet, [0] * len(packet.pieces))

    def answer(self) -> None:
        """Answer all of it."""
        self._ring.put(self._owed)
        self._ring.push()
        self._owed = b""

    def close(self) -> None:
        """Let go of the ring."""
        self._ring.release()


Sent = tuple[list[tuple[bytes, Offload]], dict[str, int]]


def through(batches: list[list[bytes]], pages: int, kind: type[SingleLine] | None) -> Sent:
    """Send what comes in batches through a queue; give what came out, and what was counted but for system calls."""
    giver = Giver()
    with lane_of(kind) as (lane, other):
        queue = FrontQueue(giver, 0, lane, pages=pages, compiled=kind is not None)  # type: ignore[arg-type] # as much of a transport as a queue asks for
        with closing(queue), closing(Far(giver)) as far:
            for batch in batches:
                for message in batch:
                    other.send(message)
                before = -1
                while len(far.frames) > before:
                    before = len(far.frames)
                    while queue._turn():
                        pass
                    far.take()
                    far.answer()
            counts = queue.stats.document()
            del counts["syscalls"]
            return far.frames, counts


MESSAGES = st.lists(st.builds(bytes.__add__, HEADER, DATA), max_size=12)


@fuzzed
@given(st.lists(MESSAGES, max_size=4), st.sampled_from([PAGES - 1, PAGES, 40, 256]))
def test_both_ways_send_the_same(batches: list[list[bytes]], pages: int) -> None:
    assert through(batches, pages, SingleLine) == through(batches, pages, None)


@pytest.mark.parametrize("size", [14, 4096, 4097, 65535])
def test_frames_lie_where_they_were_read_to(size: int) -> None:
    data = bytes(range(250)) * 263
    frames, counts = through([[PLAIN + data[:size]] * 3], 256, SingleLine)
    assert [each for each, _ in frames] == [data[:size]] * 3
    assert counts["tx_packets"] == 3
    assert counts["tx_slots"] == 3 * -(-size // PAGE)


def filled(other: socket.socket, message: bytes) -> int:
    """Send as often as there is room for."""
    count = 0
    try:
        while True:
            other.send(message)
            count += 1
    except BlockingIOError:
        return count


def test_nothing_is_read_while_no_page_is_free() -> None:
    giver = Giver()
    with lane_of(SingleLine) as (lane, other):
        queue = FrontQueue(giver, 0, lane, pages=PAGES)  # type: ignore[arg-type] # likewise
        with closing(queue), closing(Far(giver)) as far:
            count = filled(other, PLAIN + b"x" * 60)
            assert count > PAGES
            while queue._turn():
                pass
            far.take()
            # One more might need all of them.
            assert len(far.frames) == 1
            assert queue._besides().fd == -1
            assert queue._wanted(0) == 1
            for _ in range(count):
                far.answer()
                queue._turn()
                far.take()
            assert len(far.frames) == count
            far.answer()
            queue._turn()
            assert queue._besides().fd == lane.fileno()


def test_what_is_not_sent_leaves_nothing_behind() -> None:
    giver = Giver()
    secret = b"secret" * 2000
    with lane_of(SingleLine) as (lane, other):
        queue = FrontQueue(giver, 0, lane)  # type: ignore[arg-type] # likewise
        with closing(queue), closing(Far(giver)) as far:
            # To be cut, and nobody knows how; and longer than any frame.
            other.send(b"\0\x01" + bytes(8) + secret)
            other.send(PLAIN + b"secret" * 11_000)
            other.send(PLAIN + b"x" * 60)
            while queue._turn():
                pass
            far.take()
            assert [each for each, _ in far.frames] == [b"x" * 60]
            assert all(b"secret" not in granted.memory.tobytes() for granted in giver.granted)
            assert lane.stats.lost == 2
