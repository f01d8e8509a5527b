"""Requests that a frontend forms for its frames, and answers that it believes or not."""

import pytest

from pvdrivers.abi.netif import TX_REQUEST, TX_RESPONSE, ExtraType, GsoType, HashType, NetifRsp, TxFlag
from pvdrivers.net.errors import BadPacket, Refusal
from pvdrivers.net.frame import PLAIN, Checksum, FlowHash, Frame, Offload
from pvdrivers.net.packet.slots import Slot
from pvdrivers.net.packet.tx_front import Answered, answered, multicast, needed, over, requests
from tests.pvdrivers.net.messages import gso, hashed, sent
from tests.pvdrivers.net.messages import multicast as change

MORE, EXTRA, BLANK, VALIDATED = TxFlag.MORE_DATA, TxFlag.EXTRA_INFO, TxFlag.CSUM_BLANK, TxFlag.DATA_VALIDATED
OKAY, ERROR, NULL, DROPPED = NetifRsp.OKAY, NetifRsp.ERROR, NetifRsp.NULL, NetifRsp.DROPPED
GSO = Offload(Checksum.BLANK, GsoType.TCPV4, 1448)
FLOW = FlowHash(HashType.IPV6_TCP, 0x40207D3D)
PAD = bytes(4)


def test_a_frame_of_one_slot_is_a_request() -> None:
    assert requests([Slot(3, 77, 40, 60)]) == sent(3, 0, 60, 40, gref=77)


def test_the_first_request_tells_the_size_of_all() -> None:
    slots = [Slot(1, 101, 4000, 96), Slot(2, 102, 0, 4096), Slot(3, 103, 8, 0), Slot(4, 104, 1, 7)]
    assert requests(slots) == (
        sent(1, MORE, 4199, 4000) + sent(2, MORE, 4096) + sent(3, MORE, 0, 8) + sent(4, 0, 7, 1)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("offload", "flags", "extras"),
    [
        (PLAIN, 0, ()),
        (Offload(Checksum.VALIDATED), VALIDATED, ()),
        (Offload(Checksum.BLANK), BLANK | VALIDATED, ()),
        (GSO, BLANK | VALIDATED | EXTRA, (gso(1448, GsoType.TCPV4),)),
        (Offload(Checksum.BLANK, GsoType.TCPV6, 536), BLANK | VALIDATED | EXTRA, (gso(536, GsoType.TCPV6),)),
    ],
)
def test_what_is_left_to_do_is_said_by_flags_and_extras(offload: Offload, flags: int, extras: tuple[bytes]) -> None:
    slots = [Slot(1, 101, 0, 80), Slot(2, 102, 0, 20)]
    said = b"".join(extra + PAD for extra in extras)
    assert requests(slots, offload) == sent(1, flags | MORE, 100) + said + sent(2, 0, 20)
    assert requests(slots[:1], offload) == sent(1, flags, 80) + said


def test_extras_say_that_others_follow() -> None:
    messages = requests([Slot(1, 101, 0, 100)], GSO, FLOW)
    assert messages == sent(1, BLANK | VALIDATED | EXTRA) + gso(more=True) + PAD + hashed(3, 0x40207D3D) + PAD


@pytest.mark.parametrize(("kind", "bit"), [(kind, bit) for bit, kind in enumerate(HashType)])
def test_a_hash_is_told_by_its_bits_number(kind: HashType, bit: int) -> None:
    assert requests([Slot(1, 101, 0, 100)], flow=FlowHash(kind, 7))[12:20] == hashed(bit, 7)


@pytest.mark.parametrize("add", [True, False])
def test_a_change_of_the_multicast_list_is_a_request_without_a_page(add: bool) -> None:
    address = bytes.fromhex("333300000001")
    kind = ExtraType.MCAST_ADD if add else ExtraType.MCAST_DEL
    assert multicast(9, address, add=add) == sent(9, EXTRA, 0, gref=0) + change(kind, address) + PAD


@pytest.mark.parametrize(
    ("size", "lengths"),
    [(14, [14]), (4096, [4096]), (4097, [4096, 1]), (65535, [4096] * 15 + [4095])],
)
def test_a_frame_is_laid_over_whole_pages(size: int, lengths: list[int]) -> None:
    places = [(at, 200 + at) for at in range(len(lengths))]
    slots = over(size, places)
    assert slots == tuple(Slot(at, 200 + at, 0, length) for at, length in enumerate(lengths))
    assert needed(Frame(bytes(size))) == len(lengths)
    assert needed(Frame(bytes(size), GSO, FLOW)) == len(lengths) + 2 == len(requests(slots, GSO, FLOW)) // 12
    with pytest.raises(ValueError, match="zip"):
        over(size, [*places, (50, 50)])


@pytest.mark.parametrize(
    "slots",
    [
        [Slot(0, 0, 0, 13)],
        [Slot(at, at, 0, 4096) for at in range(16)],
        [Slot(at, at, 0, 10) for at in range(19)],
    ],
)
def test_what_no_backend_takes_is_not_sent(slots: list[Slot]) -> None:
    with pytest.raises(ValueError, match=f"in {len(slots)} slots"):
        requests(slots)


def answer(*results: tuple[int, int]) -> bytes:
    return b"".join(TX_RESPONSE.struct.pack(*result) for result in results)


def test_answers_give_back_what_was_asked_in_any_order() -> None:
    responses = answer((7, OKAY), (999, NULL), (2, ERROR), (5, DROPPED), (1, 5), (0, NULL))
    assert answered(responses, {1, 2, 5, 7, 8}, 3) == Answered((7, 2, 5, 1), (2, 5, 1), 2)
    assert answered(b"", {1}, 1) == Answered((), (), 0)


@pytest.mark.parametrize(
    ("refusal", "responses", "said"),
    [
        (Refusal.TX_NOT_PENDING, answer((256, OKAY)), "request 256 answered with 0, and nobody asked"),
        (Refusal.TX_NOT_PENDING, answer((65535, ERROR)), "request 65535 answered with -1"),
        (Refusal.TX_NOT_PENDING, answer((3, OKAY)), "request 3"),
        (Refusal.TX_NOT_PENDING, answer((1, OKAY), (1, OKAY)), "request 1"),
        # One for an extra, and one for a request that would wait for ever.
        (Refusal.TX_NO_EXTRA, answer((0, NULL), (1, NULL)), "2 extras answered, of 1"),
    ],
)
def test_what_nobody_asked_ends_the_queue(refusal: Refusal, responses: bytes, said: str) -> None:
    with pytest.raises(BadPacket) as raised:
        answered(responses, {1, 2}, 1)
    assert (raised.value.refusal, refusal.fatal, refusal.status) == (refusal, True, None)
    assert said in str(raised.value)


def test_requests_have_the_size_of_the_rings_slots() -> None:
    assert len(requests([Slot(1, 101, 0, 100)], GSO, FLOW)) == 3 * TX_REQUEST.size
