"""Random frames from one end to the other over pages that are byte arrays, and random bytes in their messages' place.

The model knows the frames alone. ``XENTOOL_FUZZ=1000`` makes so many examples of each, and other ones each time.
"""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import (
    MAX_TX_SIZE,
    RX_RESPONSE,
    TX_REQUEST,
    TX_RESPONSE,
    NetifRsp,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.errors import BadPacket
from pvdrivers.net.frame import Checksum, Frame
from pvdrivers.net.packet import rx_back, rx_front, tx_back, tx_front
from pvdrivers.net.packet.slots import Slot
from tests.pvdrivers.net.chance import FRAME, HEADROOM, RING, RX_MESSAGE, TX_MESSAGE, fuzzed, spread
from tests.pvdrivers.net.messages import answers


class Pages:
    """Pages by their gref; copied in pieces as a hypervisor does, which judges each by itself."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def write(self, pieces: Sequence[Slot], data: bytes | memoryview) -> None:
        at = 0
        for piece in pieces:
            page = self._pages.setdefault(piece.gref, bytearray(b"\xee" * PAGE_SIZE))
            page[piece.offset : piece.offset + piece.length] = data[at : at + piece.length]
            assert len(page) == PAGE_SIZE
            at += piece.length
        assert at == len(data)

    def read(self, pieces: Sequence[Slot]) -> bytes:
        return b"".join(bytes(self._pages[each.gref][each.offset : each.offset + each.length]) for each in pieces)


@fuzzed
@given(st.data(), st.lists(FRAME, min_size=1, max_size=5))
def test_frames_that_are_sent_arrive(data: st.DataObject, frames: list[Frame]) -> None:
    pages = Pages()
    messages = b""
    asked: list[list[Slot]] = []
    for frame in frames:
        slots = data.draw(spread(frame))
        pages.write(slots, frame.data)
        messages += tx_front.requests(slots, frame.offload, frame.hash)
        asked.append(slots)
        taken = tx_back.parse(messages)
        assert (taken.left, taken.fatal, len(taken.packets)) == (0, None, len(asked))
        assert [Frame(pages.read(each.pieces), each.offload, each.hash) for each in taken.packets[-1:]] == [frame]
        assert list(taken.packets[-1].slots) == slots
        answer_of(taken.packets[-1], slots, data)


def answer_of(packet: tx_back.Packet, slots: Sequence[Slot], data: st.DataObject) -> None:
    """Answer a packet, and have the frontend believe it."""
    statuses = data.draw(st.lists(st.sampled_from([0, 0, 0, -3]), min_size=len(packet.pieces), max_size=RING))
    statuses = statuses[: len(packet.pieces)]
    answered = tx_front.answered(tx_back.respond(packet, statuses), {slot.id for slot in slots}, packet.extras)
    assert list(answered.ids) == [slot.id for slot in slots]
    assert answered.extras == packet.extras
    failed = [piece.id for piece, status in zip(packet.pieces, statuses, strict=True) if status]
    assert list(answered.failed) == failed
    assert (tx_back.uncopied(packet, statuses) is None) == (not failed)


@fuzzed
@given(FRAME, st.integers(0, 400))
def test_a_frame_that_comes_bit_by_bit_is_the_same(frame: Frame, cut: int) -> None:
    slots = tx_front.over(len(frame.data), [(at, at) for at in range(-(-len(frame.data) // PAGE_SIZE))])
    messages = tx_front.requests(slots, frame.offload, frame.hash)
    assert len(messages) == tx_front.needed(frame) * TX_REQUEST.size
    there = cut % (len(messages) // TX_REQUEST.size)
    assert tx_back.parse(messages[: there * TX_REQUEST.size]) == tx_back.Taken((), there, None)
    assert tx_back.parse(messages).packets[0].slots == slots


@fuzzed
@given(st.data(), st.lists(FRAME, min_size=1, max_size=5), HEADROOM)
def test_frames_that_are_passed_on_arrive(data: st.DataObject, frames: list[Frame], headroom: int) -> None:
    pages = Pages()
    responses = b""
    posted: list[tuple[int, int]] = []
    for frame in frames:
        frame = frame._replace(data=frame.data[: rx_back.longest(headroom)])  # noqa: PLW2901 -- as any port cuts them
        places = [(len(posted) + at, 9_000 + len(posted) + at) for at in range(rx_back.needed(frame, headroom))]
        laid = rx_back.lay(frame, places, headroom)
        pages.write(laid.pieces, frame.data)
        statuses = data.draw(st.lists(st.sampled_from([0] * 20 + [-3]), min_size=18, max_size=18))[: len(laid.pieces)]
        message = rx_back.respond(laid, statuses)
        assert len(message) == len(places) * RX_RESPONSE.size
        responses += message
        posted += places
        *_, packet = rx_front.parse(responses, posted)
        assert packet.messages == len(places)
        if any(statuses):
            assert packet.refused is not None
            assert packet.pieces == ()
        else:
            assert Frame(pages.read(packet.pieces), packet.offload, packet.hash) == frame


def batches(messages: bytes, size: int) -> Iterator[bytes]:
    yield from (messages[at : at + size] for at in range(0, len(messages), size))


@fuzzed
@given(st.lists(TX_MESSAGE, max_size=RING), st.sampled_from([1, 5, RING]))
def test_whatever_is_sent_each_message_is_answered_once(sense: list[bytes], batch: int) -> None:
    stream = b"".join(sense)
    answered, left = b"", b""
    fatal = None
    for more in batches(stream, batch * TX_REQUEST.size):
        taken = tx_back.parse(left + more)
        unparsed = taken.left * TX_REQUEST.size
        consumed = (left + more)[: len(left + more) - unparsed]
        messages = b"".join(judged(packet) for packet in taken.packets)
        assert len(messages) // TX_RESPONSE.size == len(consumed) // TX_REQUEST.size
        answered += messages
        left, fatal = (left + more)[len(consumed) :], taken.fatal
        if fatal:
            assert fatal.refusal.fatal
            break
        # It can never be all that a ring has room for.
        assert taken.left < tx_back.LONGEST
    # What is answered for data is its request's id, in the ring's order; an extra has none.
    for message, (ident, status) in zip(batches(stream, TX_REQUEST.size), answers(answered), strict=False):
        if status != NetifRsp.NULL:
            assert ident == TX_REQUEST.struct.unpack(message)[3]
    if not fatal:
        assert len(answers(answered)) + len(left) // TX_REQUEST.size == len(sense)
    # Parsed at once, it is the same.
    whole = tx_back.parse(stream)
    assert b"".join(judged(packet) for packet in whole.packets) == answered
    assert (whole.fatal is None) == (fatal is None)


def judged(packet: tx_back.Packet) -> bytes:
    """Hold a packet to what parsing promises, and answer it."""
    for slot in packet.pieces:
        assert 0 < slot.length <= PAGE_SIZE - slot.offset
    assert sum(slot.length for slot in packet.slots) == packet.size <= MAX_TX_SIZE
    if packet.refused or packet.multicast:
        assert packet.pieces == []
        assert not packet.refused or not packet.refused.refusal.fatal
    else:
        assert packet.size >= 14
        assert not packet.offload.gso or (packet.offload.gso_size and packet.offload.checksum is Checksum.BLANK)
    return tx_back.respond(packet, [0] * len(packet.pieces))


@fuzzed
@given(st.lists(RX_MESSAGE, max_size=RING))
def test_whatever_is_passed_on_each_page_comes_back_once(sense: list[bytes]) -> None:
    posted = [(at, 500 + at) for at in range(len(sense))]
    packets = rx_front.parse(b"".join(sense), posted)
    assert sum(packet.messages for packet in packets) == len(sense)
    begin = 0
    for packet in packets:
        own = posted[begin : begin + packet.messages]
        begin += packet.messages
        # In its own pages alone, each once, in order.
        used = [(slot.id, slot.gref) for slot in packet.pieces]
        assert used == [place for place in own if place in used]
        assert all(0 < slot.length <= PAGE_SIZE - slot.offset for slot in packet.pieces)
        assert len(packet.pieces) <= 19
        assert bool(packet.refused) != (sum(slot.length for slot in packet.pieces) >= 14)
        assert not packet.refused or not packet.refused.refusal.fatal


@fuzzed
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(-3, 2)), max_size=20),
    st.sets(st.integers(0, 8)),
    st.integers(0, 4),
)
def test_whatever_is_answered_gives_back_what_was_asked(
    results: list[tuple[int, int]], pending: set[int], extras: int
) -> None:
    responses = b"".join(TX_RESPONSE.struct.pack(*result) for result in results)
    data = [ident for ident, status in results if status != NetifRsp.NULL]
    honest = set(data) <= pending and len(data) == len(set(data)) and len(results) - len(data) <= extras
    if not honest:
        with pytest.raises(BadPacket) as raised:
            tx_front.answered(responses, pending, extras)
        assert raised.value.refusal.fatal
        return
    answered = tx_front.answered(responses, pending, extras)
    assert list(answered.ids) == data
    assert answered.extras == len(results) - len(data)
    assert set(answered.failed) == {ident for ident, status in results if status not in {0, NetifRsp.NULL}}
