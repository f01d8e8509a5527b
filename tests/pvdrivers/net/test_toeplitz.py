"""Hashes against the published vectors, and against the function that netif.h itself has."""

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.packet import Packet

from pvdrivers.abi.netif import HashType
from pvdrivers.net.frame import FlowHash
from pvdrivers.net.headers import parse
from pvdrivers.net.toeplitz import ALL_TYPES, KEY_SIZE, Toeplitz, flow_hash
from tests.pvdrivers.net import rss
from tests.pvdrivers.net.frames import ETHER, whole
from tests.pvdrivers.net.rss import OF_ALL_TYPES, TCP_PORTS, UDP_PORTS, V4, V6

KEY = Toeplitz(rss.KEY)
NO_KEY = Toeplitz()
NO_TYPE, IPV4, IPV4_TCP, IPV6, IPV6_TCP = (
    HashType(0),
    HashType.IPV4,
    HashType.IPV4_TCP,
    HashType.IPV6,
    HashType.IPV6_TCP,
)

CASES: list[tuple[Packet, HashType, FlowHash | None]] = [
    *((packet, ALL_TYPES, expected) for packet, expected in OF_ALL_TYPES),
    (V4 / TCP_PORTS, IPV4, FlowHash(IPV4, 0x323E8FC2)),
    (V4 / TCP_PORTS, IPV4_TCP, FlowHash(IPV4_TCP, 0x51CCC178)),
    (V6 / TCP_PORTS, IPV6, FlowHash(IPV6, 0x2CC18CD5)),
    (V4 / UDP_PORTS, IPV4_TCP, None),
    (V4 / TCP_PORTS, IPV6 | IPV6_TCP, None),
    (V6 / TCP_PORTS, IPV4 | IPV4_TCP, None),
    (V6 / TCP_PORTS, NO_TYPE, None),
]


@pytest.fixture(scope="module")
def header_hash(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes, bytes], int]:
    """Give the header's own function, compiled."""
    library = tmp_path_factory.mktemp("toeplitz") / "toeplitz.so"
    source = """
    #include <stddef.h>
    #include <stdint.h>
    #define XEN_NETIF_DEFINE_TOEPLITZ
    #include <xen/xen.h>
    #include <xen/io/netif.h>
    uint32_t hash(const uint8_t *key, unsigned int keylen, const uint8_t *buf, unsigned int buflen) {
        return xen_netif_toeplitz_hash(key, keylen, buf, buflen);
    }
    """
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, "-x", "c", "-"], input=source, text=True, check=True)
    function = ctypes.CDLL(str(Path(library))).hash
    function.restype = ctypes.c_uint32
    return lambda key, data: int(function(key, len(key), data, len(data)))


@pytest.mark.parametrize(("packet", "types", "expected"), CASES, ids=lambda value: str(value)[:40])
def test_the_published_vectors(packet: Packet, types: HashType, expected: FlowHash | None) -> None:
    data = bytes(ETHER / packet)
    headers = parse(data)
    assert headers is not None
    assert flow_hash(data, headers, types, KEY) == expected
    assert flow_hash(memoryview(data), headers, types, KEY) == expected


def test_the_headers_function(header_hash: Callable[[bytes, bytes], int]) -> None:
    @given(st.binary(max_size=KEY_SIZE), st.binary(max_size=36))
    def same(key: bytes, data: bytes) -> None:
        assert Toeplitz(key).hash(data) == header_hash(key, data)

    same()


@given(whole)
def test_without_a_key_all_hashes_are_zero(data: bytes) -> None:
    headers = parse(data)
    assert headers is not None
    hashed = flow_hash(data, headers, ALL_TYPES, NO_KEY)
    assert hashed is not None
    assert hashed.value == 0


def test_a_key_has_an_end() -> None:
    assert Toeplitz(bytes(40)) == Toeplitz(bytes(40))
    with pytest.raises(ValueError, match="a key of 41 bytes"):
        Toeplitz(bytes(41))
