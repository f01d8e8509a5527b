"""What backends pass on, sensible and not: whatever it is, each response gives back one page, and whole frames alone
are used."""

import pytest

from pvdrivers.abi.netif import GsoType, HashType, RxFlag
from pvdrivers.net.errors import Refusal
from pvdrivers.net.frame import PLAIN, Checksum, FlowHash, Offload
from pvdrivers.net.packet.rx_front import Received, parse
from pvdrivers.net.packet.slots import Slot
from tests.pvdrivers.net.messages import extra, gso, hashed, received, xdp

MORE, EXTRA, BLANK, VALIDATED = RxFlag.MORE_DATA, RxFlag.EXTRA_INFO, RxFlag.CSUM_BLANK, RxFlag.DATA_VALIDATED
V4, V6 = GsoType.TCPV4, GsoType.TCPV6
GSO4, GSO6 = Offload(Checksum.BLANK, V4, 1448), Offload(Checksum.BLANK, V6, 1428)


def packets(*responses: bytes) -> tuple[Received, ...]:
    """Parse responses to requests of ids from 0 on, in pages from 500 on."""
    messages = b"".join(responses)
    found = parse(messages, [(at, 500 + at) for at in range(len(messages) // 8)])
    assert sum(packet.messages for packet in found) == len(messages) // 8
    return found


def one(*responses: bytes) -> Received:
    (packet,) = packets(*responses)
    assert packet.refused is None
    return packet


def test_a_packet_lies_where_its_slots_pages_are() -> None:
    assert one(received(60, offset=2)) == Received(1, (Slot(0, 500, 2, 60),))


def test_ids_count_for_nothing() -> None:
    packet = one(received(4000, MORE, 96, ident=77), received(10, ident=65535))
    assert packet.pieces == (Slot(0, 500, 96, 4000), Slot(1, 501, 0, 10))


def test_pages_of_extras_come_back_unused() -> None:
    packet = one(
        received(4096, BLANK | VALIDATED | EXTRA | MORE), gso(more=True), hashed(1, 7, more=True), xdp(0), received(5)
    )
    assert packet == Received(5, (Slot(0, 500, 0, 4096), Slot(4, 504, 0, 5)), GSO4, FlowHash(HashType.IPV4_TCP, 7))


@pytest.mark.parametrize(
    ("flags", "extras", "offload"),
    [
        (0, (), PLAIN),
        (VALIDATED, (), Offload(Checksum.VALIDATED)),
        (BLANK, (), Offload(Checksum.BLANK)),
        (BLANK | VALIDATED, (), Offload(Checksum.BLANK)),
        (BLANK | VALIDATED, (gso(1448, V4),), GSO4),
        (BLANK | VALIDATED, (gso(1428, V6),), GSO6),
        (0, (gso(1448, V4),), GSO4),
        (VALIDATED, (gso(1448, V4),), GSO4),
        (RxFlag.GSO_PREFIX, (), PLAIN),
        (BLANK, (gso(536, V4, more=True), gso(1428, V6)), GSO6),
    ],
)
def test_flags_and_extras_say_what_is_left_to_do(flags: int, extras: tuple[bytes, ...], offload: Offload) -> None:
    assert one(received(60, flags | (EXTRA if extras else 0)), *extras).offload == offload
    assert one(received(60, flags | MORE | (EXTRA if extras else 0)), *extras, received(9, BLANK)).offload == offload


@pytest.mark.parametrize(
    "responses",
    [
        # As this backend tells it, as Linux's tells it, and as Linux's tells of what is longer than a page.
        [received(3840, EXTRA | MORE, 256), xdp(256), received(60, 0, 256)],
        [received(4096, EXTRA | MORE, 0), xdp(256), received(316, 0, 0)],
    ],
)
def test_data_begins_after_the_headroom(responses: list[bytes]) -> None:
    assert one(*responses).pieces == (Slot(0, 500, 256, 3840), Slot(2, 502, 256, 60))


@pytest.mark.parametrize(("slots", "head"), [(1, 60), (18, 4096), (18, 257), (19, 256), (19, 0)])
def test_as_many_slots_as_linux_takes_are_a_packet(slots: int, head: int) -> None:
    responses = [received(head, MORE if slots > 1 else 0), *[received(20, MORE)] * (slots - 2)]
    packet = one(*responses, *[received(20)] * (slots > 1))
    assert packet.messages == slots
    assert sum(slot.length for slot in packet.pieces) == head + 20 * (slots - 1)


def test_slots_of_nothing_are_no_pieces() -> None:
    assert one(received(0, MORE), received(60, MORE), received(0)).pieces == (Slot(1, 501, 0, 60),)


REFUSED = [
    (Refusal.RX_FAILED, [received(-1)], "status -1"),
    (Refusal.RX_FAILED, [received(60, MORE), received(-3, MORE), received(60)], "status -3"),
    (Refusal.RX_FAILED, [received(-32768, EXTRA), gso()], "status -32768"),
    (Refusal.RX_BEYOND_PAGE, [received(4097)], "bytes 0 to 4097 of a page of 4096"),
    (Refusal.RX_BEYOND_PAGE, [received(60, 0, 4037)], "bytes 4037 to 4097"),
    (Refusal.RX_BEYOND_PAGE, [received(60, MORE), received(32767, MORE, 65535), received(6)], "65535 to 98302"),
    (Refusal.RX_BEYOND_PAGE, [received(60, EXTRA), xdp(257)], "bytes 257 to 60"),
    (Refusal.RX_BEYOND_PAGE, [received(4096, EXTRA), xdp(65535)], "bytes 65535 to 4096"),
    (Refusal.RX_EXTRA_TYPE, [received(60, EXTRA), extra(0)], "an extra of type 0"),
    (Refusal.RX_EXTRA_TYPE, [received(60, EXTRA), extra(255, more=True), gso()], "an extra of type 255"),
    (Refusal.RX_EXTRA_TYPE, [received(60, EXTRA | MORE), extra(6), received(60)], "an extra of type 6"),
    (Refusal.RX_GSO_SIZE, [received(60, EXTRA), gso(0)], "segments of no bytes"),
    (Refusal.RX_GSO_TYPE, [received(60, EXTRA), gso(kind=0)], "segments of type 0"),
    (Refusal.RX_GSO_TYPE, [received(60, EXTRA | MORE), gso(kind=9), received(60)], "segments of type 9"),
    (Refusal.RX_SLOTS, [received(257, MORE), *[received(9, MORE)] * 17, received(9)], "19 slots, of 18 at most"),
    (Refusal.RX_SLOTS, [received(256, MORE), *[received(9, MORE)] * 18, received(9)], "20 slots, of 19 at most"),
    (Refusal.RX_SLOTS, [received(256, MORE), *[received(9, MORE)] * 200, received(9)], "202 slots"),
    (Refusal.RX_SHORT, [received(0)], "0 bytes, and a frame's header has 14"),
    (Refusal.RX_SHORT, [received(6, MORE), received(7)], "13 bytes"),
]
#: After which there is nothing more.
CUT_SHORT = [
    (Refusal.RX_EXTRA_MISSING, [received(60, EXTRA)], "an extra after the last response"),
    (Refusal.RX_EXTRA_MISSING, [received(60, EXTRA | MORE), gso(more=True)], "an extra after the last response"),
    (Refusal.RX_UNFINISHED, [received(60, MORE)], "more data than the 1 slots that are there"),
    (Refusal.RX_UNFINISHED, [received(60, EXTRA | MORE), gso(), received(9, MORE)], "more data than the 2 slots"),
]


@pytest.mark.parametrize(("refusal", "responses", "said"), REFUSED + CUT_SHORT, ids=lambda value: str(value)[:40])
def test_what_is_no_packet_is_dropped_to_its_end(refusal: Refusal, responses: list[bytes], said: str) -> None:
    after = [] if (refusal, responses, said) in CUT_SHORT else [received(99)]
    before, packet, *others = packets(received(88), *responses, *after)
    assert [each.pieces[0].length for each in (before, *others)] == [88, *[99] * len(after)]
    assert (packet.messages, packet.pieces) == (len(responses), ())
    assert packet.refused is not None
    assert (packet.refused.refusal, refusal.fatal, refusal.status) == (refusal, False, None)
    assert said in str(packet.refused)


def test_every_refusal_of_a_packet_received_has_a_case() -> None:
    assert {refusal for refusal, *_ in REFUSED + CUT_SHORT} == {each for each in Refusal if each.name[:3] == "RX_"}


def test_a_record_that_is_not_of_these_responses_is_ones_own_mistake() -> None:
    with pytest.raises(ValueError, match="2 responses to 1 requests"):
        parse(received(60) * 2, [(0, 500)])
