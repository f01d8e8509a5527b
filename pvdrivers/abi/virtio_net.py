"""The header before each frame that a TAP with IFF_VNET_HDR gives and takes, and what it is told that we can read.

Ref: include/uapi/linux/virtio_net.h, include/uapi/linux/if_tun.h
"""

from enum import IntEnum, IntFlag

from pvdrivers.abi.layout import layout


class HdrFlag(IntFlag):
    """What there is to know of a frame's checksum."""

    #: Its field holds the pseudo-header's sum, and is to be finished.
    NEEDS_CSUM = 1
    #: Somebody has looked. Linux says it, but does not listen to it.
    DATA_VALID = 2
    RSC_INFO = 4


class HdrGso(IntEnum):
    """How a large frame is to be cut; `ECN` may be added."""

    NONE = 0
    TCPV4 = 1
    UDP = 3
    TCPV6 = 4
    #: TCP's sender has just slowed down, which the first segment alone says.
    ECN = 0x80


class TunOffload(IntFlag):
    """What a TAP may leave to its reader."""

    CSUM = 0x01
    TSO4 = 0x02
    TSO6 = 0x04
    TSO_ECN = 0x08
    UFO = 0x10


_FIELDS = {"flags": "B", "gso_type": "B", "hdr_len": "H", "gso_size": "H", "csum_start": "H", "csum_offset": "H"}
HDR = layout("virtio_net_hdr", 8, **_FIELDS)
#: The same from virtio 1.0 on; what follows counts buffers, of which a TAP knows nothing.
HDR_V1 = layout("virtio_net_hdr_v1", 8, **_FIELDS, num_buffers="H")
