"""What a frontend sends, taken apart: each packet as it is, and whatever was not offered noticed."""

from collections.abc import Iterator, Mapping

import pytest

from pvdrivers.abi.netif import ExtraType, GsoType, TxFlag
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.net.frames import Carried, packet
from pvdrivers.conformance.net.messages import extra, gso, hashed, multicast, tx_request
from pvdrivers.conformance.net.sent import Sent, Slot, judge_blank, taken
from pvdrivers.conformance.observation import Noticed, Observation

ALL: Mapping[str, object] = {
    "feature-sg": 1,
    "feature-gso-tcpv4": 1,
    "feature-multicast-control": 1,
    "feature-ctrl-ring": 1,
}
MORE, EXTRA, BLANK = int(TxFlag.MORE_DATA), int(TxFlag.EXTRA_INFO), int(TxFlag.CSUM_BLANK)


def padded(message: bytes) -> bytes:
    return message.ljust(12, b"\0")


def took(messages: list[bytes], offered: Mapping[str, object] = ALL) -> Sent:
    left: Iterator[bytes] = iter(messages)
    sent = taken(lambda: next(left), offered)
    assert list(left) == []
    return sent


def test_a_packet_of_three_slots_and_two_extras() -> None:
    sent = took(
        [
            tx_request(9, 100, MORE | EXTRA | BLANK, 1, 5000),
            padded(gso(1448, GsoType.TCPV4, more=True)),
            padded(hashed(1, 1, 0x51CCC178)),
            tx_request(8, 0, MORE, 2, 4096),
            tx_request(7, 4000, 0, 3, 96),
        ]
    )
    assert sent.slots == (Slot(9, 100, 1, 808), Slot(8, 0, 2, 4096), Slot(7, 4000, 3, 96))
    assert sent.gso == (GsoType.TCPV4, 1448)
    assert sorted(sent.extras) == [ExtraType.GSO, ExtraType.HASH]


def test_a_change_to_the_list_is_no_packet() -> None:
    sent = took([tx_request(0, 0, EXTRA, 5, 0), padded(multicast(b"\1\0\x5e\0\0\1", add=True))])
    assert sent.listed
    assert sent.slots == (Slot(0, 0, 5, 0),)


@pytest.mark.parametrize(
    ("messages", "offered", "says"),
    [
        ([tx_request(1, 0, MORE, 1, 100), tx_request(2, 0, 0, 2, 40)], {}, "2 slots, of one that was offered"),
        ([tx_request(1, 0, MORE, 1, 100), tx_request(2, 0, 0, 2, 140)], ALL, "100 bytes, -40 of them in its first"),
        ([tx_request(1, 0, MORE, 1, 9000), *[tx_request(2, 0, MORE, 2, 10)] * 18], ALL, "more than 18 slots"),
        ([tx_request(1, 0, 0, 1, 13)], ALL, "a packet of 13 bytes"),
        ([tx_request(1, 4000, 0, 1, 97)], ALL, "97 bytes at 4000 of a page"),
        ([tx_request(1, 0, EXTRA, 1, 60), padded(gso(1448, GsoType.TCPV6))], ALL, "cut as 2, which was not offered"),
        ([tx_request(1, 0, EXTRA, 1, 60), padded(gso(1448, 9))], ALL, "cut as 9, which was not offered"),
        ([tx_request(1, 0, EXTRA, 1, 60), padded(gso(0, GsoType.TCPV4))], ALL, "cut into nothing"),
        ([tx_request(1, 0, EXTRA, 1, 60), padded(extra(0))], ALL, "an extra of type 0"),
        ([tx_request(1, 0, EXTRA, 1, 60), *[padded(hashed(1, 1, 2, more=True))] * 2], ALL, "two extras of type 4"),
        ([tx_request(1, 0, EXTRA, 1, 60), padded(hashed(1, 1, 2))], {}, "a hash, and none was offered"),
        ([tx_request(1, 0, EXTRA, 1, 0), padded(multicast(bytes(6), add=False))], {}, "a list of addresses"),
    ],
)
def test_what_was_not_offered_or_cannot_be(messages: list[bytes], offered: Mapping[str, object], says: str) -> None:
    with pytest.raises(Noticed) as noticed:
        took(messages, offered)
    assert noticed.value.seen.observation is Observation.STRAYED
    assert says in noticed.value.seen.detail


def test_what_fills_an_extra_is_zeros() -> None:
    with pytest.raises(Noticed) as noticed:
        took([tx_request(1, 0, EXTRA, 1, 60), hashed(1, 1, 2).ljust(12, b"x")])
    assert noticed.value.seen.observation is Observation.FOREIGN


@pytest.mark.parametrize(
    ("version", "flags", "offered", "says"),
    [
        (4, BLANK, {}, ""),
        (4, BLANK, {"feature-no-csum-offload": 1}, "which its backend does not take"),
        (6, BLANK, {}, "which was not offered"),
        (6, BLANK, {"feature-ipv6-csum-offload": 1}, ""),
        (6, 0, {}, ""),
    ],
)
def test_blank_checksums(version: int, flags: int, offered: Mapping[str, object], says: str) -> None:
    frame: Carried = packet(version, IpProtocol.UDP, b"payload").carried()
    sent = Sent(flags, (Slot(1, 0, 1, len(frame.data)),), {})
    if not says:
        judge_blank(sent, frame.data, offered)
        return
    with pytest.raises(Noticed, match=says):
        judge_blank(sent, frame.data, offered)
