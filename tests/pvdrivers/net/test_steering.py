"""Which queue a packet goes to."""

import pytest

from pvdrivers.abi.netif import HashAlgorithm, HashType
from pvdrivers.net.frame import FlowHash
from pvdrivers.net.headers import parse
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import ALL_TYPES, Toeplitz, flow_hash
from tests.pvdrivers.net.frames import TCP_HEADER, frame

DATA = frame("untagged", "ipv4", TCP_HEADER, b"payload")
HEADERS = parse(DATA)
ASKED = Steering(3, HashAlgorithm.TOEPLITZ, ALL_TYPES, Toeplitz(bytes(range(40))))


@pytest.mark.parametrize(
    ("value", "mapping", "queue"),
    [(0, (), 0), (7, (), 1), (0xFFFFFFFF, (), 0), (0, (2, 1), 2), (7, (2, 1), 1), (0xFFFFFFFE, (2, 1), 2)],
)
def test_a_queue_by_hash(value: int, mapping: tuple[int, ...], queue: int) -> None:
    assert ASKED._replace(mapping=mapping).queue(FlowHash(HashType.IPV4, value)) == queue


def test_what_has_no_hash_goes_where_zero_does() -> None:
    assert ASKED.hash(bytes(60), parse(bytes(60))) is None
    assert ASKED._replace(mapping=(2, 1)).queue(None) == 2
    assert ASKED.queue(None) == 0


def test_a_packet_has_a_hash_once_it_is_asked_for() -> None:
    assert HEADERS is not None
    assert ASKED.hash(DATA, HEADERS) == flow_hash(DATA, HEADERS, ALL_TYPES, ASKED.key)
    for free in (Steering(3), ASKED._replace(types=HashType(0)), ASKED._replace(algorithm=HashAlgorithm.NONE)):
        assert not free.wanted
        assert free.hash(DATA, HEADERS) is None
