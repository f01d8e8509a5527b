"""What frontends send, sensible and not: what is to be copied, and how every slot is answered."""

import pytest

from pvdrivers.abi.netif import TX_REQUEST, ExtraType, GsoType, HashAlgorithm, HashType, NetifRsp, TxFlag
from pvdrivers.net.errors import Refusal
from pvdrivers.net.frame import PLAIN, Checksum, FlowHash, Offload
from pvdrivers.net.packet.slots import Slot
from pvdrivers.net.packet.tx_back import FOLLOWING_FATAL, LONGEST, Multicast, Packet, parse, respond, uncopied
from tests.pvdrivers.net.messages import answers, extra, gso, hashed, multicast, sent, wide, xdp

MORE, EXTRA, BLANK, VALIDATED = TxFlag.MORE_DATA, TxFlag.EXTRA_INFO, TxFlag.CSUM_BLANK, TxFlag.DATA_VALIDATED
OKAY, ERROR, NULL = NetifRsp.OKAY, NetifRsp.ERROR, NetifRsp.NULL
GROUP = bytes.fromhex("01005e000001")
V4, V6 = GsoType.TCPV4, GsoType.TCPV6


def one(*messages: bytes) -> Packet:
    """Parse what is one packet, and nothing after it."""
    taken = parse(b"".join(messages))
    assert (taken.left, taken.fatal) == (0, None)
    (packet,) = taken.packets
    return packet


def chain(*sizes: int) -> bytes:
    """Form the slots of a packet, their ids from 0 on; the sizes are what each holds."""
    last = len(sizes) - 1
    first = sent(0, MORE if last else 0, sum(sizes))
    return first + b"".join(sent(at, 0 if at == last else MORE, sizes[at]) for at in range(1, last + 1))


def test_a_packet_of_one_slot_is_all_that_its_request_says() -> None:
    packet = one(sent(7, size=60, offset=4036, gref=99))
    assert packet == Packet((Slot(7, 99, 4036, 60),), 0, 60, PLAIN, None, None, None)
    assert answers(respond(packet, [0])) == [(7, OKAY)]


def test_the_first_slot_holds_what_the_others_leave() -> None:
    packet = one(sent(1, MORE, 5000, 96), sent(2, MORE, 900, 10), sent(3, 0, 100))
    assert packet.slots == ((1, 101, 96, 4000), (2, 102, 10, 900), (3, 103, 0, 100))
    assert packet.size == 5000


@pytest.mark.parametrize("sizes", [(0, 60, 4), (60, 0, 4), (60, 4, 0), (0, 0, 60), (13, 1), (1, 13)])
def test_slots_of_nothing_and_of_little_are_copied_as_they_lie(sizes: tuple[int, ...]) -> None:
    packet = one(chain(*sizes))
    assert [slot.length for slot in packet.slots] == list(sizes)
    assert [slot.length for slot in packet.pieces] == [size for size in sizes if size]
    # What cannot be copied is one of those with bytes.
    statuses = [0] * (len(packet.pieces) - 1) + [-3]
    failed = max(at for at, size in enumerate(sizes) if size)
    assert answers(respond(packet, statuses)) == [(at, ERROR if at == failed else OKAY) for at in range(len(sizes))]


def test_packets_follow_each_other_and_an_unfinished_one_waits() -> None:
    messages = sent(1) + chain(20, 30) + sent(2, MORE, 80) + sent(3, MORE, 10)
    taken = parse(messages)
    assert [packet.messages for packet in taken.packets] == [1, 2]
    assert (taken.left, taken.fatal) == (2, None)
    again = parse(messages[-taken.left * TX_REQUEST.size :] + sent(4, 0, 20))
    assert [slot.length for slot in again.packets[0].slots] == [50, 10, 20]


UNFINISHED = {
    "nothing of it": b"",
    "an extra": sent(0, EXTRA),
    "another extra": sent(0, EXTRA) + wide(gso(more=True)),
    "slots": sent(0, MORE),
    "slots after an extra": sent(0, MORE | EXTRA) + wide(gso()),
    "the twentieth slot": sent(0, MORE, 0) + sent(1, MORE, 0) * (FOLLOWING_FATAL - 1),
}


@pytest.mark.parametrize("messages", UNFINISHED.values(), ids=UNFINISHED)
def test_what_is_not_there_yet_is_waited_for(messages: bytes) -> None:
    assert parse(messages) == ((), len(messages) // TX_REQUEST.size, None)


#: What ends the queue.
FATAL = [
    (Refusal.TX_EXTRA_TYPE, sent(0, EXTRA) + wide(extra(0)), "an extra of type 0"),
    (Refusal.TX_EXTRA_TYPE, sent(0, EXTRA) + wide(extra(6)), "an extra of type 6"),
    (Refusal.TX_EXTRA_TYPE, sent(0, EXTRA) + wide(gso(more=True), extra(255)), "an extra of type 255"),
    (Refusal.TX_EXTRAS, sent(0, EXTRA) + wide(*[gso(more=True)] * 5), "more than 5 extras"),
    (Refusal.TX_ENDLESS, chain(60, *[1] * 21), "more than 20 slots after the first"),
    # Told before the rest is there: it may never come.
    (Refusal.TX_ENDLESS, sent(0, MORE) + sent(1, MORE, 0) * 20, "more than 20 slots after the first"),
    (Refusal.TX_BEYOND_PAGE, sent(0, 0, 60, 4037), "60 bytes at 4037 of a page of 4096"),
    (Refusal.TX_BEYOND_PAGE, sent(0, 0, 0xFFFF), "65535 bytes at 0"),
    (Refusal.TX_BEYOND_PAGE, sent(0, MORE, 4200) + sent(1, 0, 100, 3997), "100 bytes at 3997"),
    (Refusal.TX_BEYOND_PAGE, sent(0, MORE, 200) + sent(1, 0, 0, 4097), "0 bytes at 4097"),
    (Refusal.TX_BEYOND_PAGE, sent(0, MORE, 4197) + sent(1, 0, 100), "4097 bytes at 0"),
    (Refusal.TX_GSO_SIZE, sent(0, EXTRA) + wide(gso(0)), "segments of no bytes"),
    (Refusal.TX_GSO_TYPE, sent(0, EXTRA) + wide(gso(kind=0)), "segments of type 0"),
    (Refusal.TX_GSO_TYPE, sent(0, EXTRA) + wide(gso(kind=3)), "segments of type 3"),
    (Refusal.TX_GSO_TYPE, sent(0, EXTRA) + wide(gso(kind=9)), "segments of type 9"),
]  # fmt: skip


@pytest.mark.parametrize(("refusal", "messages", "said"), FATAL, ids=lambda value: str(value)[:40])
def test_what_ends_a_queue_leaves_what_came_before(refusal: Refusal, messages: bytes, said: str) -> None:
    taken = parse(sent(9) + messages + sent(10))
    assert [packet.slots[0].id for packet in taken.packets] == [9]
    assert taken.fatal is not None
    assert (taken.fatal.refusal, refusal.fatal, refusal.status) == (refusal, True, None)
    assert said in str(taken.fatal)
    # The packet and all after it.
    assert taken.left == (len(messages) // TX_REQUEST.size) + 1


#: What is answered, with how many slots of data and extras.
REFUSED = [
    (Refusal.TX_SLOTS, chain(60, *[1] * 19), 20, 0, "19 slots after the first, of 18 at most"),
    (Refusal.TX_SLOTS, chain(60, *[1] * 20), 21, 0, "20 slots after the first"),
    (Refusal.TX_PARTS, sent(0, MORE, 99) + sent(1, 0, 100), 2, 0, "100 bytes after the first slot, of 99 in all"),
    (Refusal.TX_PARTS, sent(0, MORE, 5) + sent(1, MORE, 4096) + sent(2, 0, 4096), 3, 0, "8192 bytes after"),
    (Refusal.TX_SHORT, sent(0, 0, 0), 1, 0, "0 bytes, and a frame's header has 14"),
    (Refusal.TX_SHORT, sent(0, 0, 13, 5000), 1, 0, "13 bytes"),
    (Refusal.TX_SHORT, sent(0, MORE, 13) + sent(1, 0, 6), 2, 0, "13 bytes"),
    (Refusal.TX_SHORT, sent(0, MORE | EXTRA, 13) + wide(gso(0, more=True), xdp(1)) + sent(1, 0, 6), 2, 2, "13 bytes"),
]


@pytest.mark.parametrize(("refusal", "messages", "slots", "extras", "said"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused_is_answered_and_forgotten(
    refusal: Refusal, messages: bytes, slots: int, extras: int, said: str
) -> None:
    taken = parse(messages + sent(50))
    packet, following = taken.packets
    assert following == one(sent(50))
    assert packet.refused is not None
    assert (packet.refused.refusal, refusal.fatal, refusal.status) == (refusal, False, ERROR)
    assert said in str(packet.refused)
    assert packet.pieces == []
    assert answers(respond(packet)) == [(0, ERROR), *[(0, NULL)] * extras, *[(at, ERROR) for at in range(1, slots)]]


def test_what_cannot_be_copied_has_a_refusal_of_its_own() -> None:
    packet = one(sent(0, MORE | EXTRA, 300) + wide(gso()) + sent(1, MORE, 100) + sent(2, 0, 100))
    assert uncopied(packet, [0, 0, 0]) is None
    error = uncopied(packet, [0, -3, 0])
    assert error is not None
    assert (error.refusal, str(error)) == (Refusal.TX_NOT_COPIED, "gref 101 cannot be copied from: -3")
    assert (error.refusal.fatal, error.refusal.status) == (False, ERROR)
    # Linux as well tells each slot what became of that one.
    assert answers(respond(packet, [0, -3, 0])) == [(0, OKAY), (0, NULL), (1, ERROR), (2, OKAY)]


def test_every_refusal_of_a_packet_sent_has_a_case() -> None:
    told = {refusal for refusal, *_ in FATAL} | {refusal for refusal, *_ in REFUSED} | {Refusal.TX_NOT_COPIED}
    answering = {Refusal.TX_NOT_PENDING, Refusal.TX_NO_EXTRA}
    assert told == {each for each in Refusal if each.name.startswith("TX_")} - answering


@pytest.mark.parametrize("following", [0, 1, 17, 18])
def test_as_many_slots_as_linux_takes_are_a_packet(following: int) -> None:
    packet = one(chain(60, *[10] * following))
    assert packet.refused is None
    assert (len(packet.pieces), packet.size) == (1 + following, 60 + 10 * following)


def test_the_longest_packet_fills_no_ring() -> None:
    extras = wide(*[gso(more=True)] * 4, gso())
    messages = sent(0, MORE | EXTRA, 0) + extras + sent(1, MORE, 0) * (FOLLOWING_FATAL - 1) + sent(2, 0, 0)
    assert one(messages).messages == LONGEST
    assert LONGEST < 256


GSO4, GSO6 = Offload(Checksum.BLANK, V4, 1448), Offload(Checksum.BLANK, V6, 1428)


@pytest.mark.parametrize(
    ("flags", "extras", "offload"),
    [
        (0, (), PLAIN),
        (VALIDATED, (), Offload(Checksum.VALIDATED)),
        (BLANK, (), Offload(Checksum.BLANK)),
        (BLANK | VALIDATED, (), Offload(Checksum.BLANK)),
        (BLANK | VALIDATED, (gso(1448, V4),), GSO4),
        (BLANK | VALIDATED, (gso(1428, V6),), GSO6),
        # Peers that forget the flag mean it all the same.
        (0, (gso(1448, V4),), GSO4),
        (VALIDATED, (gso(1448, V4),), GSO4),
        (0x8000, (), PLAIN),
    ],
)
def test_flags_and_extras_say_what_is_left_to_do(flags: int, extras: tuple[bytes, ...], offload: Offload) -> None:
    packet = one(sent(0, flags | (EXTRA if extras else 0)), wide(*extras))
    assert packet.offload == offload


def test_flags_of_the_slots_that_follow_say_nothing() -> None:
    packet = one(sent(0, MORE), sent(1, BLANK | VALIDATED | EXTRA, 20))
    assert packet.offload == PLAIN
    assert packet.messages == 2


@pytest.mark.parametrize(
    ("bit", "algorithm", "flow"),
    [
        (0, HashAlgorithm.TOEPLITZ, FlowHash(HashType.IPV4, 0x51CCC178)),
        (1, HashAlgorithm.TOEPLITZ, FlowHash(HashType.IPV4_TCP, 0x51CCC178)),
        (2, HashAlgorithm.TOEPLITZ, FlowHash(HashType.IPV6, 0x51CCC178)),
        (3, HashAlgorithm.TOEPLITZ, FlowHash(HashType.IPV6_TCP, 0x51CCC178)),
        # A hint that is not understood is none.
        (4, HashAlgorithm.TOEPLITZ, None),
        (255, HashAlgorithm.TOEPLITZ, None),
        (1, HashAlgorithm.NONE, None),
        (1, 7, None),
    ],
)
def test_a_hash_names_its_type_by_a_bits_number(bit: int, algorithm: int, flow: FlowHash | None) -> None:
    assert one(sent(0, EXTRA), wide(hashed(bit, 0x51CCC178, algorithm))).hash == flow


def test_of_extras_of_one_type_the_last_counts_and_what_says_nothing_here_is_passed_over() -> None:
    messages = sent(3, MORE | EXTRA, 90) + wide(
        gso(536, V4, more=True), xdp(256, more=True), hashed(0, 5, more=True), gso(1448, V6)
    )
    packet = one(messages, sent(4, 0, 20))
    assert packet.offload == Offload(Checksum.BLANK, V6, 1448)
    assert packet.hash == FlowHash(HashType.IPV4, 5)
    assert answers(respond(packet, [0, 0])) == [(3, OKAY), *[(0, NULL)] * 4, (4, OKAY)]


@pytest.mark.parametrize("kind", [ExtraType.MCAST_ADD, ExtraType.MCAST_DEL])
def test_a_change_of_the_multicast_list_is_no_packet(kind: ExtraType) -> None:
    # Its request is a dummy: nothing else that stands there counts.
    packet = one(sent(5, EXTRA | MORE | BLANK, 0xFFFF, 0xFFFF), wide(multicast(kind, GROUP)))
    assert packet.multicast == Multicast(kind == ExtraType.MCAST_ADD, GROUP)
    assert (packet.size, packet.pieces, packet.refused) == (0, [], None)
    assert answers(respond(packet)) == [(5, OKAY), (0, NULL)]
    assert answers(respond(packet, done=False)) == [(5, ERROR), (0, NULL)]


def test_who_adds_and_deletes_at_once_adds() -> None:
    extras = wide(multicast(ExtraType.MCAST_DEL, GROUP, more=True), multicast(ExtraType.MCAST_ADD, GROUP[::-1]))
    assert one(sent(5, EXTRA), extras).multicast == Multicast(True, GROUP[::-1])
