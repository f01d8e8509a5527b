"""What is said of packets: as they lay in their rings, with what became of them, and what is left to be done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import TX_REQUEST, GsoType, HashType
from pvdrivers.net import watched
from pvdrivers.net.frame import Checksum, FlowHash, Frame, Offload
from pvdrivers.net.packet import rx_back, tx_back, tx_front
from pvdrivers.net.packet.slots import Slot
from pvdrivers.net.watched import Seen
from xentool.errors import PeerError
from xentool.tools.net.dump.words import describe

BLANK = Offload(Checksum.BLANK)
LARGE = Offload(Checksum.BLANK, GsoType.TCPV4, 1448)
FLOW = FlowHash(HashType.IPV4_TCP, 0x01020304)


def sent(messages: bytes, statuses: list[int], size: int = 0) -> Seen:
    taken = tx_back.parse(messages)
    answers = [tx_back.respond(packet, statuses) for packet in taken.packets]
    (seen,) = watched.sent(taken, messages, memoryview(bytes(size)), answers)
    return seen


def received(frame: Frame, statuses: list[int], headroom: int = 0) -> Seen:
    places = [(10 + at, 500 + at) for at in range(rx_back.needed(frame, headroom))]
    laid = rx_back.lay(frame, places, headroom)
    (seen,) = watched.received([(frame, laid)], [rx_back.respond(laid, statuses)])
    return seen


def test_a_frame_with_a_blank_checksum() -> None:
    said, data = describe(sent(tx_front.requests([Slot(3, 77, 64, 60)], BLANK), [0], 60))
    assert said == (
        "1 slot; id 3 gref 77 64+60 OKAY; flags csum_blank data_validated; "
        "checksum blank: the pseudo-header's sum alone"
    )
    assert data == bytes(60)


def test_a_frame_of_many_slots_that_is_to_be_cut() -> None:
    slots = [Slot(3, 77, 0, 4096), Slot(4, 78, 0, 1000)]
    said, data = describe(sent(tx_front.requests(slots, LARGE, FLOW), [0, 0], 5096))
    assert said == (
        "2 slots and 2 extras; id 3 gref 77 0+4096 OKAY; id 4 gref 78 0+1000 OKAY; "
        "flags csum_blank data_validated more_data extra_info; checksum blank: the pseudo-header's sum alone; "
        "GSO TCPV4, segments of 1448 bytes; hash IPV4_TCP 0x01020304"
    )
    assert len(data) == 5096


def test_what_is_not_sent_has_no_bytes() -> None:
    slots = [Slot(3, 77, 0, 4096), Slot(4, 78, 0, 4)]
    assert describe(sent(tx_front.requests(slots), [0, -3], 4100)) == (
        "2 slots; id 3 gref 77 0+4096 OKAY; id 4 gref 78 0+4 ERROR; flags more_data; not sent: it could not be copied",
        b"",
    )
    assert describe(sent(TX_REQUEST.struct.pack(9, 0, 0, 1, 13), [])) == (
        "1 slot; id 1 gref 9 0+0 ERROR; refused: 13 bytes, and a frame's header has 14",
        b"",
    )
    assert describe(sent(TX_REQUEST.struct.pack(9, 4000, 0, 1, 100), [])) == (
        "1 slot, and the ring ends: 100 bytes at 4000 of a page of 4096",
        b"",
    )
    group = tx_front.multicast(2, bytes.fromhex("01005e000001"), add=False)
    assert describe(sent(group, []))[0] == (
        "1 slot and 1 extra; id 2 gref 0 0+0 OKAY; flags extra_info; no longer wants frames for 01:00:5e:00:00:01"
    )


def test_a_frame_for_the_frontend() -> None:
    assert describe(received(Frame(bytes(60), Offload(Checksum.VALIDATED)), [0])) == (
        "1 slot; id 10 gref 500 0+60; flags data_validated; checksum validated",
        bytes(60),
    )
    said, data = describe(received(Frame(bytes(5000), LARGE, FLOW), [0, 0], 256))
    assert said == (
        "2 slots and 3 extras; id 10 gref 500 256+3840; id 14 gref 504 256+1160; "
        "flags data_validated csum_blank more_data extra_info; 256 bytes of headroom; "
        "checksum blank: the pseudo-header's sum alone; GSO TCPV4, segments of 1448 bytes; hash IPV4_TCP 0x01020304"
    )
    assert len(data) == 5000


def test_a_frame_that_the_frontend_did_not_get() -> None:
    said, _ = describe(received(Frame(bytes(5000)), [0, -3]))
    assert said == "2 slots; id 10 gref 500 0+4096; id 11 gref 501 failed: status -3; flags more_data"


@given(st.booleans(), st.binary(max_size=80), st.binary(max_size=40))
def test_nothing_that_is_shown_is_a_mistake_of_ours(way: bool, requests: bytes, answers: bytes) -> None:
    try:
        said, _ = describe(Seen(way, requests, answers, b"frame"))
    except PeerError as error:
        assert str(error) == "the daemon shows what is no packet"  # noqa: PT017 - others are right
    else:
        assert said


@pytest.mark.parametrize("way", [True, False])
def test_nothing_at_all_is_no_packet(way: bool) -> None:
    with pytest.raises(PeerError):
        describe(Seen(way, b"", b"", b""))
