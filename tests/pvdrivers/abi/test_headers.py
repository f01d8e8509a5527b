"""Constants and layouts against Xen's own headers (libxen-dev), as a C compiler reads them for 64 and for 32 bits."""

import re
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from pvdrivers.abi import blkif, devices, netif, ring
from pvdrivers.abi.blkif import Blkif
from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.layout import layout
from pvdrivers.abi.xenbus import XenbusState
from tests.pvdrivers.abi.compiler import complaints, fields

HEADERS = Path("/usr/include/xen")
BLKIF, NETIF, GRANTS = "io/blkif.h", "io/netif.h", "grant_table.h"
DEVICES = ("sys/gntdev.h", "sys/gntalloc.h", "sys/evtchn.h")

#: Enum, header, prefix of its constants there, and what of them is something else.
ENUMS: list[tuple[type[IntEnum | IntFlag], str, str, set[str]]] = [
    (blkif.BlkifOp, BLKIF, "BLKIF_OP_", set()),
    (blkif.BlkifRsp, BLKIF, "BLKIF_RSP_", set()),
    (blkif.Discard, BLKIF, "BLKIF_DISCARD_", set()),
    (blkif.VDisk, BLKIF, "VDISK_", set()),
    (netif.TxFlag, NETIF, "NETTXF_", set()),
    (netif.RxFlag, NETIF, "NETRXF_", set()),
    (netif.ExtraType, NETIF, "XEN_NETIF_EXTRA_TYPE_", {"MAX"}),
    (netif.ExtraFlag, NETIF, "XEN_NETIF_EXTRA_FLAG_", set()),
    (netif.GsoType, NETIF, "XEN_NETIF_GSO_TYPE_", set()),
    (netif.NetifRsp, NETIF, "NETIF_RSP_", set()),
    (netif.CtrlType, NETIF, "XEN_NETIF_CTRL_TYPE_", set()),
    (netif.CtrlStatus, NETIF, "XEN_NETIF_CTRL_STATUS_", set()),
    (netif.HashType, NETIF, "XEN_NETIF_CTRL_HASH_TYPE_", set()),
    (netif.HashAlgorithm, NETIF, "XEN_NETIF_CTRL_HASH_ALGORITHM_", set()),
    (netif.GrefFlag, NETIF, "XEN_NETIF_CTRLF_GREF_", set()),
    (GntSt, GRANTS, "GNTST_", set()),
]
#: What Linux alone has.
LINUX_ONLY = {"XDP"}

NUMBERS = {
    "BLKIF_MAX_SEGMENTS_PER_REQUEST": blkif.MAX_SEGMENTS_PER_REQUEST,
    "BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST": blkif.MAX_INDIRECT_PAGES_PER_REQUEST,
    "XEN_NETIF_NR_SLOTS_MIN": netif.NR_SLOTS_MIN,
    "XEN_NETIF_MAX_TX_SIZE": netif.MAX_TX_SIZE,
    "GNTCOPY_source_gref": devices.GNTCOPY_SOURCE_GREF,
    "GNTCOPY_dest_gref": devices.GNTCOPY_DEST_GREF,
    "GNTALLOC_FLAG_WRITABLE": devices.GNTALLOC_FLAG_WRITABLE,
    **{name: number for name, number in vars(devices).items() if name.startswith("IOCTL_")},
}

#: What our names for fields of unions are in C.
UNION = {
    ("netif_extra_info", "size"): "u.gso.size",
    ("netif_extra_info", "gso_type"): "u.gso.type",
    ("netif_extra_info", "pad"): "u.gso.pad",
    ("netif_extra_info", "features"): "u.gso.features",
    ("netif_extra_info", "addr"): "u.mcast.addr",
    ("netif_extra_info", "hash_type"): "u.hash.type",
    ("netif_extra_info", "algorithm"): "u.hash.algorithm",
    ("netif_extra_info", "value"): "u.hash.value",
    ("blkif_sring", "pad"): "__pad",
}


def defined(header: str, prefix: str) -> dict[str, str]:
    """Map our names of a header's constants to its own; those with an underscore before are bit numbers."""
    names = re.findall(rf"^# *define +({prefix}\w+)", (HEADERS / header).read_text(), re.MULTILINE)
    return {name.removeprefix(prefix).upper(): name for name in names}


def constants() -> Iterator[str]:
    for enum, header, prefix, others in ENUMS:
        names = {name: c for name, c in defined(header, prefix).items() if name not in others}
        ours = {member.name: int(member) for member in enum if member.name not in LINUX_ONLY}
        assert names.keys() == ours.keys(), enum
        yield from (f"({c}) == {ours[name]}" for name, c in names.items())
    yield from (f"{c} == {number}" for c, number in NUMBERS.items())


def rings(kind: ring.RingType) -> Iterator[str]:
    yield f"sizeof(union {kind.name}_sring_entry) == {kind.slot_size}"
    for order in range(ring.ORDER_MAX + 1):
        yield f"__CONST_RING_SIZE({kind.name}, {ring.PAGE_SIZE << order}) == {kind.slots(order)}"


def layouts(abi: Blkif) -> Iterator[str]:
    for each in (abi.request, abi.discard, abi.indirect, abi.response, blkif.SEGMENT):
        yield from fields(each, UNION)
    for each in (
        *(netif.TX_REQUEST, netif.TX_RESPONSE, netif.RX_REQUEST, netif.RX_RESPONSE),
        *(netif.EXTRA, netif.EXTRA_GSO, netif.EXTRA_MCAST, netif.EXTRA_HASH),
        *(netif.CTRL_REQUEST, netif.CTRL_RESPONSE, netif.GREF),
    ):
        yield from fields(each, UNION)
    for name, offset in ring.HEADER.offsets.items():
        yield f"__builtin_offsetof(struct blkif_sring, {UNION.get(('blkif_sring', name), name)}) == {offset}"
    yield f"__builtin_offsetof(struct blkif_sring, ring) == {ring.HEADER.size}"
    for kind in (abi.ring, netif.TX_RING, netif.RX_RING, netif.CTRL_RING):
        yield from rings(kind)
    yield f'!__builtin_strcmp(XEN_IO_PROTO_ABI_NATIVE, "{abi.protocol}")'


def compile_c(assertions: Iterator[str], bits: int) -> str:
    includes = ["stddef.h", "stdint.h", *(f"xen/{header}" for header in ("xen.h", BLKIF, NETIF, "io/protocols.h"))]
    if bits == 64:  # as what the kernel takes is declared
        includes += ["asm/ioctl.h", *(f"xen/{header}" for header in DEVICES)]
    return complaints(includes, assertions, bits)


def requests() -> Iterator[str]:
    for each in (
        *(devices.GRANT_REF, devices.MAP_GRANT_REF, devices.UNMAP_GRANT_REF, devices.GRANT_COPY),
        *(devices.ALLOC_GREF, devices.DEALLOC_GREF),
        *(devices.BIND_INTERDOMAIN, devices.BIND_UNBOUND_PORT, devices.NOTIFY),
    ):
        yield from fields(each, UNION)
    for each, local, foreign in ((devices.COPY_FROM, "dest", "source"), (devices.COPY_TO, "source", "dest")):
        ours = {"virt": f"{local}.virt", **{name: f"{foreign}.foreign.{name}" for name in ("ref", "offset", "domid")}}
        yield f"sizeof(struct {each.name}) == {each.size}"
        for name, offset in each.offsets.items():
            yield f"__builtin_offsetof(struct {each.name}, {ours.get(name, name)}) == {offset}"


@pytest.mark.parametrize(("bits", "abi"), [(64, blkif.X86_64), (32, blkif.X86_32)])
def test_layouts_are_the_compilers(bits: int, abi: Blkif) -> None:
    assert compile_c(layouts(abi), bits) == ""


def test_constants_are_the_headers() -> None:
    assert compile_c(constants(), 64) == ""


def test_what_linux_alone_has_is_as_in_its_header() -> None:
    # include/xen/interface/io/netif.h there: type, flags, u.xdp.headroom, u.xdp.pad[2].
    assert netif.EXTRA_XDP.struct.pack(netif.ExtraType.XDP, 0, 256) == bytes([5, 0, 0, 1, 0, 0, 0, 0])
    assert netif.EXTRA_XDP.size == netif.EXTRA.size


def test_requests_to_the_devices_are_the_headers() -> None:
    assert compile_c(requests(), 64) == ""


def test_the_compiler_would_say_so() -> None:
    wrong = layout("blkif_request_segment", 8, gref="I", last_sect="B", first_sect="B")
    assert "__builtin_offsetof(struct blkif_request_segment, last_sect) == 4" in compile_c(fields(wrong, UNION), 64)


def test_arm_has_the_64_bit_layout_under_its_own_name() -> None:
    assert blkif.ARM.protocol == "arm-abi"
    assert blkif.ARM.request.offsets == blkif.X86_64.request.offsets
    assert set(blkif.PROTOCOLS) == set(
        re.findall(r'XEN_IO_PROTO_ABI_\w+ +"(.*)"', (HEADERS / "io/protocols.h").read_text())
    )


def test_xenbus_states_are_those_of_the_header() -> None:
    text = (HEADERS / "io/xenbus.h").read_text()
    states = {name: int(value) for name, value in re.findall(r"XenbusState(\w+)\s*=\s*(\d+)", text)}
    # XenbusStateInitWait becomes INIT_WAIT.
    assert {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): value for name, value in states.items()} == {
        state.name: state.value for state in XenbusState
    }
    assert len(states) == 9
