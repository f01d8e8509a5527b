"""The engine: against a plain model, against hostile peers, between two processes."""

import struct
import threading
import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi import blkif, netif
from pvdrivers.abi.ring import HEADER, PAGE_SIZE, RingType
from pvdrivers.errors import BadRing
from pvdrivers.ring import Back, Front
from pvdrivers.ring.indices import Indices
from tests.pvdrivers.ring import echo

MASK = 2**32 - 1
KINDS = [blkif.X86_32.ring, blkif.X86_64.ring, netif.TX_RING, netif.RX_RING, netif.CTRL_RING]
PLACES = {name: HEADER.offsets[name] for name in ("req_prod", "req_event", "rsp_prod", "rsp_event")}


def peek(memory: bytearray, name: str) -> int:
    (value,) = struct.unpack_from("<I", memory, PLACES[name])
    return int(value)


def poke(memory: bytearray, name: str, value: int) -> None:
    struct.pack_into("<I", memory, PLACES[name], value & MASK)


class Direction:
    """What one end sends the other: queues, and counts that never wrap."""

    def __init__(self, start: int) -> None:
        self.put: deque[bytes] = deque()
        self.pushed: deque[bytes] = deque()
        self.produced = self.shown = self.taken = start
        self.event = start + 1

    def push(self) -> bool:
        self.pushed += self.put
        self.put.clear()
        old, self.shown = self.shown, self.produced
        return old < self.event <= self.shown


KIND = st.sampled_from(KINDS)
ACTIONS = st.lists(
    st.tuples(st.sampled_from(["ask", "answer", "push", "take", "check"]), st.booleans(), st.integers(0, 40)),
    max_size=60,
)


@given(
    KIND,
    st.integers(0, 4),
    st.sampled_from([0, 1, 2**31 - 5, 2**32 - 8, 2**32 - 1]),
    ACTIONS,
)
def test_it_is_two_queues(kind: RingType, order: int, start: int, actions: list[tuple[str, bool, int]]) -> None:
    memory = bytearray(PAGE_SIZE << order)
    front, back = Front(memory, kind, start), Back(memory, kind)
    size = kind.slots(order)
    requests, responses = Direction(start), Direction(start)
    sizes = {id(requests): kind.request.size, id(responses): kind.response.size}
    for number, (action, at_front, amount) in enumerate(actions):
        end: Front | Back = front if at_front else back
        own, peer = (requests, responses) if at_front else (responses, requests)
        room = size - (requests.produced - responses.taken) if at_front else requests.taken - responses.produced
        assert end.room == room
        if action in {"ask", "answer"}:
            messages = [bytes([number, index]).ljust(sizes[id(own)], b"!") for index in range(amount)]
            if amount > room:
                with pytest.raises(ValueError, match=f"{amount} messages, and room for {room}"):
                    end.put(b"".join(messages))
                continue
            end.put(b"".join(messages))
            own.put += messages
            own.produced += amount
        elif action == "push":
            assert end.push() == own.push()
        elif action == "take":
            taken = end.take(amount)
            expected = [peer.pushed.popleft() for _ in range(min(amount, len(peer.pushed)))]
            assert taken == b"".join(expected)
            peer.taken += len(expected)
        else:
            batch = max(min(amount, requests.shown - responses.taken), 1) if at_front else 1
            more = end.final_check(amount)
            assert more == bool(peer.pushed)
            # Who looks and does not ask leaves what was asked for before.
            if not more and amount:
                peer.event = peer.taken + batch
    for name, value in (("req_prod", requests.shown), ("rsp_prod", responses.shown)):
        assert peek(memory, name) == value & MASK
    for name, value in (("req_event", requests.event), ("rsp_event", responses.event)):
        assert peek(memory, name) == value & MASK


def test_slots_lie_as_ring_h_has_them() -> None:
    memory = bytearray(b"\xff" * (2 * PAGE_SIZE))
    front = Front(memory, blkif.X86_32.ring)
    assert memory[:64] == struct.pack("<4I", 0, 1, 0, 1).ljust(64, b"\0")
    front.put(b"".join(bytes([number]) * 108 for number in range(64)))
    assert [memory[64 + 108 * number] for number in range(64)] == list(range(64))
    # Slot 37 is on both pages.
    assert set(memory[64 + 108 * 37 : 64 + 108 * 38]) == {37}
    assert set(memory[64 + 108 * 64 :]) == {0xFF}
    back = Back(memory, blkif.X86_32.ring)
    front.push()
    back.take()
    back.put(b"r" * 24)
    # A response takes the first bytes of its slot; what else is there stays.
    assert memory[64 : 64 + 108] == b"r" * 12 + bytes(96)
    assert memory[64 + 108 : 64 + 216] == b"r" * 12 + b"\1" * 96


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 31), st.integers(0, 31), st.integers(0, MASK))
def test_requests_that_cannot_be(kind: RingType, requests: int, responses: int, prod: int) -> None:
    memory = bytearray(PAGE_SIZE)
    front, back = Front(memory, kind), Back(memory, kind)
    front.put(bytes(requests * kind.request.size))
    front.push()
    back.take()
    responses = min(requests, responses)
    back.put(bytes(responses * kind.response.size))
    back.push()
    poke(memory, "req_prod", prod)
    # Not before what was taken; and not more than a ring's slots beyond what was answered.
    if requests <= prod <= responses + back.size:
        assert len(back.take()) == (prod - requests) * kind.request.size
    else:
        for look in (back.take, back.final_check):
            with pytest.raises(BadRing, match=f"producer index {prod} is not within"):
                look()
        assert back.room == requests - responses


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 31), st.integers(0, MASK))
def test_responses_that_cannot_be(kind: RingType, requests: int, prod: int) -> None:
    memory = bytearray(PAGE_SIZE)
    front = Front(memory, kind)
    front.put(bytes(requests * kind.request.size))
    front.push()
    # Put, and not pushed: nobody can have answered them.
    front.put(bytes(kind.request.size))
    poke(memory, "rsp_prod", prod)
    if prod <= requests:
        assert len(front.take()) == prod * kind.response.size
    else:
        with pytest.raises(BadRing):
            front.take()


def test_what_the_peer_writes_into_our_indices_is_never_seen() -> None:
    memory = bytearray(PAGE_SIZE)
    kind = netif.TX_RING
    front, back = Front(memory, kind), Back(memory, kind)
    front.put(bytes(12 * 5))
    assert front.push()
    poke(memory, "req_event", 2**31)
    for name in ("rsp_prod", "req_event"):
        poke(memory, name, 77)
    assert len(back.take()) == 60
    back.put(bytes(20))
    back.push()
    assert peek(memory, "rsp_prod") == 5
    assert not back.final_check()
    assert peek(memory, "req_event") == 6


def test_a_backend_goes_on_where_responses_end() -> None:
    memory = bytearray(PAGE_SIZE)
    kind = netif.TX_RING
    front, back = Front(memory, kind, 2**32 - 2), Back(memory, kind)
    front.put(bytes(12 * 6))
    front.push()
    back.take()
    back.put(bytes(4 * 4))
    back.push()
    # It has died with two requests taken and not answered: the next one takes them.
    assert len(Back(memory, kind).take()) == 24
    poke(memory, "req_prod", 4 + 257)
    with pytest.raises(BadRing):
        Back(memory, kind)


def test_looking_on() -> None:
    memory = bytearray(PAGE_SIZE)
    kind = netif.TX_RING
    front, back = Front(memory, kind, 2**32 - 1), Back(memory, kind)
    began = time.monotonic()
    assert not back.poll(20_000)
    assert time.monotonic() - began >= 0.02
    front.put(bytes(12))
    assert not back.poll(0)
    # Other threads run meanwhile, and what they push is seen at once.
    pusher = threading.Timer(0.02, front.push)
    pusher.start()
    assert back.poll(600_000_000)
    pusher.join()
    assert len(back.take()) == 12
    assert not back.poll(0)
    # It does not ask to be notified.
    assert peek(memory, "req_event") == 0
    poke(memory, "req_prod", 2**31)
    with pytest.raises(BadRing):
        back.poll(0)
    front.release()
    with pytest.raises(ValueError, match="released"):
        front.poll(0)


def test_looking_on_at_two() -> None:
    kind = netif.TX_RING
    memories = bytearray(PAGE_SIZE), bytearray(PAGE_SIZE)
    fronts = [Front(memory, kind) for memory in memories]
    first, second = (Back(memory, kind) for memory in memories)
    assert not first.poll(0, second)
    fronts[1].put(bytes(12))
    fronts[1].push()
    assert first.poll(0, second)
    assert second.poll(0, first)
    assert not first.poll(0)
    assert (len(first.take()), len(second.take())) == (0, 12)
    poke(memories[1], "req_prod", 2**31)
    with pytest.raises(BadRing):
        first.poll(0, second)
    second.release()
    with pytest.raises(ValueError, match="released"):
        first.poll(0, second)


def test_what_a_ring_is_made_of() -> None:
    kind = netif.TX_RING
    for size in (0, 64, 4095, 3 * PAGE_SIZE, 32 * PAGE_SIZE):
        with pytest.raises(ValueError, match=f"not {size} bytes"):
            Front(bytearray(size), kind)
    with pytest.raises(BufferError):
        Back(bytes(PAGE_SIZE), kind)
    with pytest.raises(ValueError, match="aligned"):
        Back(memoryview(bytearray(PAGE_SIZE + 1))[1:], kind)
    memory = bytearray(PAGE_SIZE)
    front = Front(memory, kind)
    with pytest.raises(ValueError, match="5 bytes are not messages of 12 bytes"):
        front.put(b"12345")
    with pytest.raises(BufferError):
        memory.clear()
    front.release()
    front.release()
    memory.clear()
    for use in (front.take, front.push, front.final_check, lambda: front.put(b"")):
        with pytest.raises(ValueError, match="released"):
            use()


def test_ten_million_messages_between_two_processes() -> None:
    echo.run(10_000_000)


@pytest.mark.parametrize("start", [0, MASK - 1])
def test_a_back_tells_where_both_ends_are(start: int) -> None:
    memory = bytearray(PAGE_SIZE)
    kind = blkif.X86_64.ring
    front = Front(memory, kind, start)
    back = Back(memory, kind)
    front.put(
        b"".join(
            kind.request.struct.pack(*([0] * len(kind.request.struct.unpack(bytes(kind.request.size)))))
            for _ in range(5)
        )
    )
    front.push()
    back.take(3)
    back.put(bytes(kind.response.size))
    before = bytes(memory)
    # What was put and not shown is no response yet.
    seen = Indices(*back.indices())
    assert seen[:3] == tuple((start + by) & MASK for by in (5, 3, 0))
    assert (seen.waiting, seen.under_way) == (2, 3)
    back.push()
    seen = Indices(*back.indices())
    assert (seen.rsp_prod, seen.under_way) == ((start + 1) & MASK, 2)
    assert before[HEADER.size :] == bytes(memory)[HEADER.size :]
    back.take()
    assert not Indices(*back.indices()).asked
    assert not back.final_check()
    seen = Indices(*back.indices())
    assert (seen.req_event, seen.asked) == ((start + 6) & MASK, True)
    assert seen.rsp_event == (start + 1) & MASK
    # What a peer writes is told as it is.
    poke(memory, "req_prod", 77)
    poke(memory, "rsp_event", 99)
    assert Indices(*back.indices()).req_prod == 77
    assert Indices(*back.indices()).rsp_event == 99
    back.release()
    with pytest.raises(ValueError, match="released"):
        back.indices()
