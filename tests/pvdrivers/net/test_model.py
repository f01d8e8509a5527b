"""Random frames from one end to the other over pages that are byte arrays, and random bytes in their messages' place.

The model knows the frames alone. ``XENTOOL_FUZZ=1000`` makes so many examples of each, and other ones each time.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvdrivers.abi.netif import (
    MAX_TX_SIZE,
    RX_RESPONSE,
    TX_REQUEST,
    TX_RESPONSE,
    ExtraType,
    GsoType,
    HashType,
    NetifRsp,
    RxFlag,
    TxFlag,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.errors import BadPacket
from pvdrivers.net.frame import Checksum, FlowHash, Frame, Offload
from pvdrivers.net.packet import rx_back, rx_front, tx_back, tx_front
from pvdrivers.net.packet.slots import Slot
from tests.pvdrivers.net.messages import answers, extra, gso, hashed, multicast, received, sent, wide, xdp

EXAMPLES = int(os.environ.get("XENTOOL_FUZZ", "100"))
#: Slots of a ring.
RING = 256

fuzzed = settings(max_examples=EXAMPLES, deadline=None, derandomize="XENTOOL_FUZZ" not in os.environ)

OFFLOAD = st.one_of(
    st.sampled_from(Checksum).map(Offload),
    st.builds(
        Offload, st.just(Checksum.BLANK), st.sampled_from([GsoType.TCPV4, GsoType.TCPV6]), st.integers(1, 0xFFFF)
    ),
)
FLOW = st.one_of(st.none(), st.builds(FlowHash, st.sampled_from(list(HashType)), st.integers(0, 2**32 - 1)))
SIZE = st.one_of(st.integers(14, 200), st.integers(14, 10_000), st.integers(14, MAX_TX_SIZE))
#: Their bytes tell where they come from.
FRAME = st.builds(lambda size, offload, flow: Frame(text(size), offload, flow), SIZE, OFFLOAD, FLOW)
HEADROOM = st.sampled_from([0, 0, 1, 256, 2578])


def text(size: int) -> bytes:
    """Give bytes of which no two stretches in a packet are the same."""
    return b"".join(at.to_bytes(2, "big") for at in range(size // 2 + 1))[:size]


@st.composite
def spread(draw: st.DrawFn, frame: Frame) -> list[Slot]:
    """Spread a frame over slots, anywhere in pages, nothing in some of them."""
    size = len(frame.data)
    # As few as hold it, and then as many cuts more as may be.
    bounds = {*range(0, size, PAGE_SIZE), size}
    extra_cuts = draw(st.lists(st.integers(0, size), max_size=tx_back.FOLLOWING_MAX - len(bounds) + 1))
    cuts = sorted([*bounds, *extra_cuts])
    lengths = [after - before for before, after in pairwise(cuts)]
    ids = draw(st.lists(st.integers(0, 0xFFFF), min_size=len(lengths), max_size=len(lengths), unique=True))
    return [
        Slot(ident, gref, draw(st.integers(0, PAGE_SIZE - length)), length)
        for gref, (ident, length) in enumerate(zip(ids, lengths, strict=True), 70_000)
    ]


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


#: Messages that make some sense, so that chance gets deeper than their first byte.
EXTRA = st.one_of(
    st.builds(extra, st.integers(0, 255), more=st.booleans()),
    st.builds(gso, st.integers(0, 3), st.integers(0, 4), more=st.booleans()),
    st.builds(hashed, st.integers(0, 5), st.just(1), st.integers(0, 2), more=st.booleans()),
    st.builds(xdp, st.sampled_from([0, 60, 256, 0xFFFF]), more=st.booleans()),
    st.builds(
        multicast, st.sampled_from([ExtraType.MCAST_ADD, ExtraType.MCAST_DEL]), st.just(b"abcdef"), more=st.booleans()
    ),
)
TX_LENGTH = st.sampled_from([0, 1, 13, 14, 60, 100, 4095, 4096, 5000, 0xFFFF])
TX_FLAGS = st.sampled_from([0, *TxFlag, TxFlag.MORE_DATA, TxFlag.MORE_DATA | TxFlag.EXTRA_INFO, 0xFFFF])
TX_MESSAGE = st.one_of(
    st.binary(min_size=TX_REQUEST.size, max_size=TX_REQUEST.size),
    *[st.builds(sent, st.integers(0, 255), TX_FLAGS, TX_LENGTH, st.sampled_from([0, 0, 1, 4000, 4096]))] * 3,
    EXTRA.map(wide),
)
RX_FLAGS = st.sampled_from([0, *RxFlag, RxFlag.MORE_DATA, RxFlag.MORE_DATA | RxFlag.EXTRA_INFO, 0xFFFF])
RX_STATUS = st.sampled_from([-32768, -1, 0, 13, 14, 60, 256, 257, 4096, 4097, 32767])
RX_MESSAGE = st.one_of(
    st.binary(min_size=RX_RESPONSE.size, max_size=RX_RESPONSE.size),
    *[st.builds(received, RX_STATUS, RX_FLAGS, st.sampled_from([0, 0, 0, 1, 4000, 0xFFFF]))] * 3,
    EXTRA,
)


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
