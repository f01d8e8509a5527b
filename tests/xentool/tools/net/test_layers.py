"""scapy's layers against the structs' layouts, byte for byte both ways; whole rings, right and of any bytes."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.packet import Packet, Padding, Raw

from pvdrivers.abi import netif
from pvdrivers.abi.layout import Layout
from pvdrivers.abi.netif import CtrlStatus, CtrlType, ExtraFlag, ExtraType, GsoType, HashType, RxFlag, TxFlag
from pvdrivers.abi.ring import HEADER, PAGE_SIZE
from pvdrivers.net.frame import Checksum, FlowHash, Offload
from pvdrivers.net.packet import tx_front
from pvdrivers.net.packet.slots import Slot
from xentool.tools.net import layers
from xentool.tools.net.layers import dissect_ring

LAYERS: list[tuple[type[Packet], Layout]] = [
    (layers.Sring, HEADER),
    (layers.TxRequest, netif.TX_REQUEST),
    (layers.TxResponse, netif.TX_RESPONSE),
    (layers.RxRequest, netif.RX_REQUEST),
    (layers.RxResponse, netif.RX_RESPONSE),
    (layers.Extra, netif.EXTRA),
    (layers.ExtraGso, netif.EXTRA_GSO),
    (layers.ExtraMcast, netif.EXTRA_MCAST),
    (layers.ExtraHash, netif.EXTRA_HASH),
    (layers.ExtraXdp, netif.EXTRA_XDP),
    (layers.CtrlRequest, netif.CTRL_REQUEST),
    (layers.CtrlResponse, netif.CTRL_RESPONSE),
]
#: Slots of each ring.
KINDS: dict[Literal["tx", "rx", "ctrl"], int] = {"tx": 256, "rx": 256, "ctrl": 128}


def values(packet: Packet, layout: Layout) -> list[Any]:
    """Give a layer's values as the struct has them."""
    found: list[Any] = []
    for name in layout.offsets:
        value = packet.getfieldval(name)
        if isinstance(value, str):
            value = bytes.fromhex(value.replace(":", ""))
        found += value if isinstance(value, list) else [value if isinstance(value, bytes) else int(value)]
    return found


@pytest.mark.parametrize(("layer", "layout"), LAYERS)
@given(data=st.data())
def test_a_layer_reads_and_writes_what_its_struct_does(
    layer: type[Packet], layout: Layout, data: st.DataObject
) -> None:
    drawn = data.draw(st.binary(min_size=layout.size, max_size=layout.size))
    read = layer(drawn)
    assert tuple(values(read, layout)) == layout.struct.unpack(drawn)
    read.raw_packet_cache = None
    assert bytes(read) == drawn
    # From values alone, paddings are zero.
    made = layer(**{name: read.getfieldval(name) for name in layout.offsets})
    assert bytes(made) == layout.struct.pack(*layout.struct.unpack(drawn))


@pytest.mark.parametrize(("layer", "layout"), LAYERS)
def test_a_layer_has_the_fields_of_the_header(layer: type[Packet], layout: Layout) -> None:
    assert [field.name for field in layer.fields_desc if field.name in layout.offsets] == list(layout.offsets)


def test_values_are_called_as_in_the_header() -> None:
    gso = layers.extra_slot(netif.EXTRA_GSO.struct.pack(ExtraType.GSO, ExtraFlag.MORE, 1448, GsoType.TCPV6, 0, 0))
    assert gso.sprintf("%type% %flags% %size% %gso_type%") == "GSO more 1448 TCPV6"
    group = layers.extra_slot(netif.EXTRA_MCAST.struct.pack(ExtraType.MCAST_DEL, 0, bytes.fromhex("01005e000001")))
    assert group.sprintf("%type% %addr%") == "MCAST_DEL 01:00:5e:00:00:01"
    bit = HashType.IPV6_TCP.bit_length() - 1
    flow = layers.extra_slot(netif.EXTRA_HASH.struct.pack(ExtraType.HASH, 0, bit, 1, b"\1\2\3\4"))
    assert flow.sprintf("%hash_type% %algorithm% %value%") == "IPV6_TCP TOEPLITZ 01020304"
    assert layers.extra_slot(netif.EXTRA_XDP.struct.pack(ExtraType.XDP, 0, 256)).headroom == 256
    assert type(layers.extra_slot(bytes([9]) + bytes(7))) is layers.Extra
    failed = layers.RxResponse(netif.RX_RESPONSE.struct.pack(7, 0, RxFlag.DATA_VALIDATED | RxFlag.CSUM_BLANK, -1))
    assert failed.sprintf("%id% %flags% %status%") == "7 data_validated+csum_blank ERROR"
    assert layers.RxResponse(netif.RX_RESPONSE.struct.pack(7, 0, 0, 1)).sprintf("%status%") == "1"
    refused = layers.CtrlResponse(netif.CTRL_RESPONSE.struct.pack(1, CtrlType.SET_HASH_KEY, CtrlStatus.SUCCESS + 3, 0))
    assert refused.sprintf("%type% %status%") == "SET_HASH_KEY BUFFER_OVERFLOW"


def ring(kind: Literal["tx", "rx", "ctrl"], req_prod: int, rsp_prod: int, slots: dict[int, bytes]) -> bytes:
    """Give a page whose slots hold what is given, by their indices."""
    page = bytearray(HEADER.struct.pack(req_prod, 1, rsp_prod, 1, b"", b"").ljust(PAGE_SIZE, b"\0"))
    size = {"tx": 12, "rx": 8, "ctrl": 16}[kind]
    for index, data in slots.items():
        at = HEADER.size + index % KINDS[kind] * size
        page[at : at + len(data)] = data
    return bytes(page)


def test_a_packet_of_many_slots_that_was_sent() -> None:
    flow = FlowHash(HashType.IPV4_TCP, 0x04030201)
    parts = [Slot(3, 100, 0, 4096), Slot(4, 101, 0, 904)]
    sent = tx_front.requests(parts, Offload(Checksum.BLANK, GsoType.TCPV4, 1448), flow)
    # Over the ring's end.
    slots = {254 + at: sent[at * 12 : at * 12 + 12] for at in range(4)}
    page = dissect_ring(ring("tx", 258, 254, slots), "tx")
    first, gso, hashed, last = (page[1 + (254 + at) % 256] for at in range(4))
    assert isinstance(first, layers.TxRequest)
    assert isinstance(last, layers.TxRequest)
    assert (first.gref, first.size, str(first.flags)) == (100, 5000, "csum_blank+data_validated+more_data+extra_info")
    assert isinstance(gso, layers.ExtraGso)
    assert isinstance(hashed, layers.ExtraHash)
    assert (gso.size, hashed.value) == (1448, b"\1\2\3\4")
    assert (last.gref, last.id, last.size, int(last.flags)) == (101, 4, 904, 0)
    # All before has been answered, by nothing but zeros.
    assert {type(each) for each in page[3:255]} == {layers.TxResponse}


def test_answers_stand_where_requests_were() -> None:
    asked = netif.TX_REQUEST.struct.pack(9, 0, TxFlag.EXTRA_INFO, 5, 60)
    slots = {0: netif.TX_RESPONSE.struct.pack(5, -1) + asked[4:], 1: netif.TX_RESPONSE.struct.pack(0, 1), 2: asked}
    page = dissect_ring(ring("tx", 3, 2, slots), "tx")
    assert (page[1].id, page[1].sprintf("%status%"), page[1][Padding].load) == (5, "ERROR", asked[4:])
    assert page[2].sprintf("%status%") == "NULL"
    assert isinstance(page[3], layers.TxRequest)
    # In the first lap there was nothing in the others yet.
    assert {type(each) for each in page[4:257]} == {Raw}


def test_frames_received_and_pages_posted() -> None:
    slots = {
        0: netif.RX_RESPONSE.struct.pack(0, 256, RxFlag.EXTRA_INFO | RxFlag.MORE_DATA, 3840),
        1: netif.EXTRA_XDP.struct.pack(ExtraType.XDP, 0, 256),
        2: netif.RX_RESPONSE.struct.pack(2, 256, RxFlag.EXTRA_INFO, 100),
        3: netif.RX_REQUEST.struct.pack(3, 0, 77),
    }
    page = dissect_ring(ring("rx", 4, 3, slots), "rx")
    kinds = [layers.RxResponse, layers.ExtraXdp, layers.RxResponse, layers.RxRequest]
    assert [type(each) for each in page[1:5]] == kinds
    assert (page[1].status, page[3].status, page[4].gref) == (3840, 100, 77)


def test_what_was_asked_for_control() -> None:
    asked = netif.CTRL_REQUEST.struct.pack(1, CtrlType.SET_HASH_KEY, 12, 40, 0)
    page = dissect_ring(ring("ctrl", 1, 0, {0: asked}), "ctrl")
    assert (page[1].sprintf("%type%"), page[1].data) == ("SET_HASH_KEY", [12, 40, 0])


def test_impossible_indices_are_not_believed() -> None:
    page = dissect_ring(ring("tx", 257, 0, {0: bytes(range(12))}), "tx")
    assert (page[0].req_prod, {type(each) for each in page[1:]}) == (257, {Raw})


@pytest.mark.parametrize("size", [0, PAGE_SIZE - 1, PAGE_SIZE + 1])
def test_a_ring_is_a_page(size: int) -> None:
    with pytest.raises(ValueError, match=f"a ring of {size} bytes"):
        dissect_ring(bytes(size), "rx")


@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.binary(min_size=1, max_size=64),
    req_prod=st.integers(0, 2**32 - 1),
    unanswered=st.integers(0, 300),
)
def test_whatever_a_page_holds_stays(
    kind: Literal["tx", "rx", "ctrl"], seed: bytes, req_prod: int, unanswered: int
) -> None:
    head = HEADER.struct.pack(req_prod, 0, (req_prod - unanswered) % 2**32, 0, seed[:4], seed[:44])
    page = head + (seed * PAGE_SIZE)[: PAGE_SIZE - len(head)]
    parts = dissect_ring(page, kind)
    assert len(parts) == KINDS[kind] + 2
    for part in parts:
        part.raw_packet_cache = None
    assert b"".join(map(bytes, parts)) == page
    requests = [each for each in parts if isinstance(each, layers.RxRequest | layers.CtrlRequest)]
    if kind != "tx":
        assert len(requests) == (unanswered if unanswered <= KINDS[kind] else 0)
