"""The block protocol, in the layouts that frontends of different architectures use.

All sectors are of 512 bytes, whatever the disk's are.

Ref: xen/include/public/io/blkif.h, xen/include/public/io/protocols.h
"""

import platform
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from pvdrivers.abi.layout import Layout, layout
from pvdrivers.abi.ring import RingType

MAX_SEGMENTS_PER_REQUEST = 11
MAX_INDIRECT_PAGES_PER_REQUEST = 8
#: Bytes of what all requests call a sector.
SECTOR_SIZE = 512


class BlkifOp(IntEnum):
    """What a request asks for."""

    READ = 0
    WRITE = 1
    WRITE_BARRIER = 2
    FLUSH_DISKCACHE = 3
    RESERVED_1 = 4
    DISCARD = 5
    INDIRECT = 6


class BlkifRsp(IntEnum):
    """What became of a request."""

    EOPNOTSUPP = -2
    ERROR = -1
    OKAY = 0


class Discard(IntFlag):
    """How to discard."""

    #: Ignored if the backend said ``discard-secure=0``.
    SECURE = 1


class VDisk(IntFlag):
    """The bits of the node ``info``."""

    CDROM = 1
    REMOVABLE = 2
    READONLY = 4


SEGMENT = layout("blkif_request_segment", 8, gref="I", first_sect="B", last_sect="B")
#: Segments that a page of an indirect request holds.
SEGMENTS_PER_INDIRECT_PAGE = 4096 // SEGMENT.size


@dataclass(frozen=True, slots=True)
class Blkif:
    """The layouts of one architecture; ``protocol`` is its name in XenStore."""

    protocol: str
    request: Layout
    discard: Layout
    indirect: Layout
    response: Layout

    @property
    def ring(self) -> RingType:
        """The ring, whose slots have room for any of them."""
        return RingType("blkif", self.request, self.response)


def _blkif(protocol: str, wide: int) -> Blkif:
    # The 32-bit layout of an indirect request is filled up to the 64 bytes that the other has anyway.
    filled = {"pad": "Q"} if wide == 4 else {}
    return Blkif(
        protocol,
        layout(
            "blkif_request",
            wide,
            operation="B",
            nr_segments="B",
            handle="H",
            id="Q",
            sector_number="Q",
            seg=(SEGMENT, MAX_SEGMENTS_PER_REQUEST),
        ),
        layout(
            "blkif_request_discard",
            wide,
            operation="B",
            flag="B",
            handle="H",
            id="Q",
            sector_number="Q",
            nr_sectors="Q",
        ),
        layout(
            "blkif_request_indirect",
            wide,
            operation="B",
            indirect_op="B",
            nr_segments="H",
            id="Q",
            sector_number="Q",
            handle="H",
            indirect_grefs=f"{MAX_INDIRECT_PAGES_PER_REQUEST}I",
            **filled,
        ),
        layout("blkif_response", wide, id="Q", operation="B", status="h"),
    )


X86_32 = _blkif("x86_32-abi", wide=4)
X86_64 = _blkif("x86_64-abi", wide=8)
ARM = _blkif("arm-abi", wide=8)

#: By what a frontend writes to its node ``protocol``.
PROTOCOLS = {blkif.protocol: blkif for blkif in (X86_32, X86_64, ARM)}
#: What backends on x86 assume of a frontend that writes none, although blkif.h says native.
UNSAID = X86_32

_MACHINES = {"i386": X86_32, "i686": X86_32, "aarch64": ARM, "armv7l": ARM}
#: The layout of frontends on this machine.
NATIVE = _MACHINES.get(platform.machine(), X86_64)
