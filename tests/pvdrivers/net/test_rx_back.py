"""Frames laid over pages that a frontend has posted, slot by slot, and the responses that tell of them."""

import pytest

from pvdrivers.abi.netif import RX_REQUEST, RX_RESPONSE, GsoType, HashType, RxFlag
from pvdrivers.net.frame import PLAIN, Checksum, FlowHash, Frame, Offload
from pvdrivers.net.packet.rx_back import Laid, lay, longest, needed, posted, respond
from pvdrivers.net.packet.slots import Slot
from tests.pvdrivers.net.messages import gso, hashed, received, xdp

MORE, EXTRA, BLANK, VALIDATED = RxFlag.MORE_DATA, RxFlag.EXTRA_INFO, RxFlag.CSUM_BLANK, RxFlag.DATA_VALIDATED
GSO = Offload(Checksum.BLANK, GsoType.TCPV4, 1448)
FLOW = FlowHash(HashType.IPV4_TCP, 0x51CCC178)
NOT_GRANTED = -3


def places(number: int) -> list[tuple[int, int]]:
    return [(at, 500 + at) for at in range(number)]


def laid(frame: Frame, headroom: int = 0) -> Laid:
    return lay(frame, places(needed(frame, headroom)), headroom)


def told(frame: Frame, headroom: int = 0) -> bytes:
    result = laid(frame, headroom)
    return respond(result, [0] * len(result.pieces))


def test_requests_post_pages() -> None:
    messages = RX_REQUEST.struct.pack(4, 0xFFFF, 9) + RX_REQUEST.struct.pack(65535, 0, 2**32 - 1)
    assert posted(messages) == [(4, 9), (65535, 2**32 - 1)]


def test_a_frame_of_one_page() -> None:
    frame = Frame(bytes(60))
    assert laid(frame).pieces == (Slot(0, 500, 0, 60),)
    assert told(frame) == received(60)


def test_each_fragment_tells_its_own_length() -> None:
    frame = Frame(bytes(9000), Offload(Checksum.VALIDATED))
    assert laid(frame).pieces == (Slot(0, 500, 0, 4096), Slot(1, 501, 0, 4096), Slot(2, 502, 0, 808))
    assert told(frame) == (
        received(4096, VALIDATED | MORE, ident=0) + received(4096, MORE, ident=1) + received(808, ident=2)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("offload", "flags", "extras"),
    [
        (PLAIN, 0, b""),
        (Offload(Checksum.VALIDATED), VALIDATED, b""),
        (Offload(Checksum.BLANK), BLANK | VALIDATED, b""),
        (GSO, BLANK | VALIDATED | EXTRA, gso(1448, GsoType.TCPV4)),
        (Offload(Checksum.BLANK, GsoType.TCPV6, 536), BLANK | VALIDATED | EXTRA, gso(536, GsoType.TCPV6)),
    ],
)
def test_what_is_left_to_do_is_said_by_flags_and_extras(offload: Offload, flags: int, extras: bytes) -> None:
    assert told(Frame(bytes(100), offload)) == received(100, flags) + extras
    several = told(Frame(bytes(4100), offload))
    assert several == received(4096, flags | MORE) + extras + received(4, ident=1 + bool(extras))


def test_the_checksums_flags_are_not_where_the_other_ring_has_them() -> None:
    assert RX_RESPONSE.struct.unpack(told(Frame(bytes(60), Offload(Checksum.VALIDATED))))[2] == 1
    assert RX_RESPONSE.struct.unpack(told(Frame(bytes(60), Offload(Checksum.BLANK))))[2] == 3


def test_extras_take_slots_whose_pages_stay_unused() -> None:
    frame = Frame(bytes(5000), GSO, FLOW)
    assert needed(frame, 256) == 2 + 3
    assert laid(frame, 256).pieces == (Slot(0, 500, 256, 3840), Slot(4, 504, 256, 1160))
    assert told(frame, 256) == (
        received(3840, BLANK | VALIDATED | EXTRA | MORE, 256)
        + gso(more=True)
        + hashed(1, 0x51CCC178, more=True)
        + xdp(256)
        + received(1160, 0, 256, ident=4)
    )


@pytest.mark.parametrize(
    ("size", "headroom", "slots"),
    [(1, 0, 1), (4096, 0, 1), (4097, 0, 2), (65535, 0, 16), (3840, 256, 2), (3841, 256, 3), (69120, 256, 19)],
)
@pytest.mark.parametrize(("offload", "gso_slots"), [(PLAIN, 0), (GSO, 1)])
@pytest.mark.parametrize("flow", [None, FLOW])
def test_what_is_needed_is_what_is_answered(
    size: int, headroom: int, slots: int, offload: Offload, gso_slots: int, flow: FlowHash | None
) -> None:
    frame = Frame(bytes(size), offload, flow)
    assert needed(frame, headroom) == slots + gso_slots + bool(flow)
    assert len(told(frame, headroom)) == needed(frame, headroom) * RX_RESPONSE.size
    for wrong in (needed(frame, headroom) - 1, needed(frame, headroom) + 1):
        with pytest.raises(ValueError, match=f"a frame of {size} bytes in {wrong} slots"):
            lay(frame, places(wrong), headroom)


@pytest.mark.parametrize("headroom", [0, 256, 2578])
def test_no_frontend_takes_more_than_eighteen_slots_of_data(headroom: int) -> None:
    assert len(laid(Frame(bytes(longest(headroom))), headroom).pieces) == 18
    for size in (0, longest(headroom) + 1):
        with pytest.raises(ValueError, match=f"a frame of {size} bytes"):
            laid(Frame(bytes(size)), headroom)


@pytest.mark.parametrize("failed", [0, 1, 2])
def test_what_was_not_copied_is_told_in_its_slot(failed: int) -> None:
    result = laid(Frame(bytes(9000), GSO))
    statuses = [NOT_GRANTED if at == failed else 0 for at in range(3)]
    flags = [BLANK | VALIDATED | EXTRA | MORE, MORE, 0]
    lengths = [NOT_GRANTED if at == failed else length for at, length in enumerate([4096, 4096, 808])]
    first, *rest = (received(lengths[at], flags[at], ident=ident) for at, ident in enumerate([0, 2, 3]))
    assert respond(result, statuses) == first + gso() + b"".join(rest)
