"""What a receiver gets of a frame, by what it can be told: a table, and that nothing is lost or untrue."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from pvdrivers.abi.netif import GsoType, HashType
from pvdrivers.net.errors import Unfit
from pvdrivers.net.finish import blanked, sound, tellable
from pvdrivers.net.fit import fit
from pvdrivers.net.frame import PLAIN, Abilities, Checksum, FlowHash, Frame, Offload
from pvdrivers.net.headers import parse
from pvdrivers.net.segment import SIZE_MIN
from tests.pvdrivers.net.frames import ETHER, NETWORKS, TAGS, TCP_HEADER, UDP_HEADER, frame, mended, taken_apart, whole

BLANK, VALIDATED = Offload(Checksum.BLANK), Offload(Checksum.VALIDATED)
NOTHING = Abilities()
V4, V6 = Abilities(checksum_v4=True), Abilities(checksum_v6=True)
ALL = Abilities(checksum_v4=True, checksum_v6=True, gso_v4=True, gso_v6=True)
LARGE4, LARGE6 = Offload(Checksum.BLANK, GsoType.TCPV4, 1000), Offload(Checksum.BLANK, GsoType.TCPV6, 1000)
LONG = bytes(2500)


def unblank(data: bytes, field: int = 0xDEAD) -> bytes:
    """Give a frame with another sum than it should have, blank or not."""
    headers = parse(data, large=True)
    assert headers is not None
    assert headers.transport is not None
    at = headers.transport.start + (16 if TCP in taken_apart(data) else 6)
    return data[:at] + field.to_bytes(2, "big") + data[at + 2 :]


def held_blank(data: bytes) -> bytes:
    headers = parse(data, large=True)
    assert headers is not None
    assert headers.transport is not None
    return bytes(blanked(data, headers, headers.transport))


class Told(NamedTuple):
    """What becomes of a frame: of how many, with what said of them."""

    number: int
    offload: Offload


class Case(NamedTuple):
    network: str
    transport: TCP | UDP
    payload: bytes
    offload: Offload
    receiver: Abilities
    told: Told
    tag: str = "untagged"


CASES = {
    "blank, told": Case("ipv4", UDP_HEADER, b"x", BLANK, V4, Told(1, BLANK)),
    "blank, told of IPv6": Case("ipv6", TCP_HEADER, b"x", BLANK, V6, Told(1, BLANK)),
    "blank, only IPv6 told": Case("ipv4", TCP_HEADER, b"x", BLANK, V6, Told(1, PLAIN)),
    "blank, only IPv4 told": Case("ipv6", UDP_HEADER, b"x", BLANK, V4, Told(1, PLAIN)),
    "blank, nothing told": Case("ipv4", TCP_HEADER, b"x", BLANK, NOTHING, Told(1, PLAIN)),
    "blank with a tag": Case("ipv4", TCP_HEADER, b"x", BLANK, ALL, Told(1, PLAIN), "vlan"),
    "blank with two tags": Case("ipv6", UDP_HEADER, b"x", BLANK, ALL, Told(1, PLAIN), "qinq"),
    "large, told": Case("ipv4", TCP_HEADER, LONG, LARGE4, ALL, Told(1, LARGE4)),
    "large, told of IPv6": Case("ipv6", TCP_HEADER, LONG, LARGE6, ALL, Told(1, LARGE6)),
    "large, cut but not finished": Case("ipv4", TCP_HEADER, LONG, LARGE4, V4, Told(3, BLANK)),
    "large, of IPv6, cut but not finished": Case("ipv6", TCP_HEADER, LONG, LARGE6, V6, Told(3, BLANK)),
    "large, cut and finished": Case("ipv4-options", TCP_HEADER, LONG, LARGE4, NOTHING, Told(3, PLAIN)),
    "large, told but not its sum": Case(
        "ipv4", TCP_HEADER, LONG, LARGE4, ALL._replace(checksum_v4=False), Told(3, PLAIN)
    ),
    "large with a tag": Case("ipv4", TCP_HEADER, LONG, LARGE4, ALL, Told(3, PLAIN), "vlan"),
    "large that is not": Case("ipv4", TCP_HEADER, b"x" * 1000, LARGE4, ALL, Told(1, BLANK)),
    "large and said to be validated": Case(
        "ipv4", TCP_HEADER, LONG, Offload(Checksum.VALIDATED, GsoType.TCPV4, 1000), ALL, Told(1, LARGE4)
    ),
    "large and nothing said": Case(
        "ipv6", TCP_HEADER, LONG, Offload(Checksum.UNSAID, GsoType.TCPV6, 1000), ALL, Told(1, LARGE6)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_receiver_is_told(case: Case) -> None:
    data = frame(case.tag, case.network, case.transport, case.payload)
    hashed = FlowHash(HashType.IPV4_TCP, 7)
    fitted = fit(Frame(unblank(data), case.offload, hashed), case.receiver)
    assert not isinstance(fitted, Unfit)
    assert (len(fitted), {each.offload for each in fitted}) == (case.told.number, {case.told.offload})
    assert {each.hash for each in fitted} == {hashed}
    # Whatever the field held: what is blank has the pseudo-header's sum, and all else a sum of scapy's.
    right = held_blank if case.told.offload.checksum is Checksum.BLANK else mended
    assert [bytes(each.data) for each in fitted] == [right(bytes(each.data)) for each in fitted]
    if len(fitted) == 1:
        assert fitted[0].data == right(data)
    else:
        assert b"".join(bytes(taken_apart(bytes(each.data))[Raw]) for each in fitted) == case.payload


@pytest.mark.parametrize("offload", [PLAIN, VALIDATED])
def test_what_is_finished_passes_as_it_is(offload: Offload) -> None:
    for data in (unblank(frame("vlan", "ipv6", UDP_HEADER, b"x")), bytes(range(14)), bytes(ETHER / IP() / ICMP())):
        came = Frame(data, offload)
        for receiver in (NOTHING, ALL):
            fitted = fit(came, receiver)
            assert isinstance(fitted, Sequence)
            assert len(fitted) == 1
            assert fitted[0] is came


def test_what_is_as_it_should_be_is_the_very_frame() -> None:
    for data, offload in (
        (held_blank(frame("untagged", "ipv4", TCP_HEADER, LONG)), LARGE4),
        (held_blank(frame("untagged", "ipv6", UDP_HEADER, b"x")), BLANK),
    ):
        came = Frame(data, offload)
        fitted = fit(came, ALL)
        assert isinstance(fitted, Sequence)
        assert fitted[0] is came


FRAGMENT = bytes(ETHER / IP(flags="MF") / UDP() / Raw(b"first"))
PING = bytes(ETHER / IP() / ICMP())
UDP4, TCP4, TCP6 = (
    frame("untagged", network, transport, LONG)
    for network, transport in (("ipv4", UDP_HEADER), ("ipv4", TCP_HEADER), ("ipv6", TCP_HEADER))
)
REFUSED: list[tuple[Unfit, bytes, Offload]] = [
    (Unfit.SHORT, bytes(13), PLAIN),
    (Unfit.SHORT, b"", LARGE4),
    (Unfit.LONG, bytes(1515), PLAIN),
    (Unfit.LONG, TCP4, VALIDATED),
    (Unfit.LONG, TCP4, BLANK),
    # Cut, and still too long: of 66 bytes of headers.
    (Unfit.LONG, frame("vlan", "ipv4", TCP_HEADER, LONG), Offload(Checksum.BLANK, GsoType.TCPV4, 1445)),
    (Unfit.BLANK, FRAGMENT, BLANK),
    (Unfit.BLANK, PING, BLANK),
    (Unfit.BLANK, bytes(60), BLANK),
    (Unfit.GSO_TYPE, TCP4, LARGE6),
    (Unfit.GSO_TYPE, TCP6, LARGE4),
    (Unfit.GSO_TYPE, UDP4, LARGE4),
    (Unfit.GSO_TYPE, FRAGMENT, LARGE4),
    (Unfit.GSO_TYPE, bytes(60), LARGE4),
    (Unfit.GSO_SIZE, TCP4, Offload(Checksum.BLANK, GsoType.TCPV4, 0)),
    (Unfit.GSO_SIZE, TCP4, Offload(Checksum.BLANK, GsoType.TCPV4, SIZE_MIN - 1)),
]


@pytest.mark.parametrize(("why", "data", "offload"), REFUSED, ids=lambda value: getattr(value, "value", ""))
def test_what_fits_in_no_way(why: Unfit, data: bytes, offload: Offload) -> None:
    assert fit(Frame(data, offload), ALL) is why


def test_every_reason_but_those_of_a_header_has_a_case() -> None:
    assert {why for why, *_ in REFUSED} == set(Unfit) - {Unfit.CHECKSUM_PLACE}


def test_the_longest_that_a_receiver_takes() -> None:
    for length in (1514, 9014):
        receiver = ALL._replace(longest=length)
        assert fit(Frame(bytes(length)), receiver) == (Frame(bytes(length)),)
        assert fit(Frame(bytes(length + 1)), receiver) is Unfit.LONG
    # Segments of 1514 bytes.
    fitting = Frame(frame("vlan", "ipv4", TCP_HEADER, LONG), Offload(Checksum.BLANK, GsoType.TCPV4, 1444))
    assert isinstance(fit(fitting, ALL), Sequence)


def test_a_packet_that_has_no_length_is_cut() -> None:
    longest = frame("untagged", "ipv4", TCP_HEADER, bytes(65535 - 52))
    for data, number in ((longest, 1), (longest + b"\0", 66)):
        fitted = fit(Frame(data, LARGE4), ALL)
        assert isinstance(fitted, Sequence)
        assert len(fitted) == number


offloads = st.builds(
    Offload,
    st.sampled_from(Checksum),
    st.sampled_from(GsoType),
    st.one_of(st.integers(0, 0xFFFF), st.integers(SIZE_MIN, 100)),
)
receivers = st.builds(Abilities, *[st.booleans()] * 4, st.integers(14, 400))


@given(whole, st.integers(0, 0xFFFF), offloads, receivers)
def test_nothing_is_lost_and_nothing_untrue_is_told(
    data: bytes, field: int, offload: Offload, receiver: Abilities
) -> None:
    fitted = fit(Frame(unblank(data, field), offload), receiver)
    if isinstance(fitted, Unfit):
        return
    parts = []
    for each in fitted:
        headers = parse(each.data, large=each.offload.gso is not GsoType.NONE)
        assert headers is not None
        assert headers.transport is not None
        v4 = headers.version == 4
        parts.append(bytes(each.data[headers.transport.payload :]))
        if each.offload.gso is not GsoType.NONE:
            assert receiver.gso_v4 if v4 else receiver.gso_v6
            assert each.offload.checksum is Checksum.BLANK
        else:
            assert len(each.data) <= receiver.longest
        if each.offload.checksum is Checksum.BLANK:
            assert receiver.checksum_v4 if v4 else receiver.checksum_v6
            assert tellable(each.data, headers)
            assert held_blank(bytes(each.data)) == each.data
        elif offload.checksum is Checksum.BLANK:
            assert sound(each.data, headers, headers.transport)
    headers = parse(data)
    assert headers is not None
    assert headers.transport is not None
    assert b"".join(parts) == data[headers.transport.payload :]


@given(
    st.one_of(st.binary(max_size=120), st.builds(lambda data, cut: data[cut:], whole, st.integers(0, 9))),
    offloads,
    receivers,
)
def test_whatever_the_bytes_are(data: bytes, offload: Offload, receiver: Abilities) -> None:
    fitted = fit(Frame(memoryview(data), offload), receiver)
    if not isinstance(fitted, Unfit):
        assert all(len(each.data) >= 14 for each in fitted)


def test_all_kinds_of_frames_fit_when_cut() -> None:
    for tag in TAGS:
        for network in NETWORKS:
            offload = LARGE4 if network.startswith("ipv4") else LARGE6
            fitted = fit(Frame(frame(tag, network, TCP_HEADER, LONG), offload), NOTHING)
            assert isinstance(fitted, Sequence)
            assert [each.data for each in fitted] == [mended(bytes(each.data)) for each in fitted]
            assert len(fitted) == 3
