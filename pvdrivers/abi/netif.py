"""The network protocol: rings for packets sent, for packets received, and for control.

Ref: xen/include/public/io/netif.h; what is Linux's alone: include/xen/interface/io/netif.h there
"""

from enum import IntEnum, IntFlag

from pvdrivers.abi.layout import layout
from pvdrivers.abi.ring import RingType

#: Slots that a packet may have on any backend.
NR_SLOTS_MIN = 18
MAX_TX_SIZE = 0xFFFF


class TxFlag(IntFlag):
    """Of a request to send."""

    CSUM_BLANK = 1
    DATA_VALIDATED = 2
    MORE_DATA = 4
    EXTRA_INFO = 8


class RxFlag(IntFlag):
    """Of a packet received."""

    DATA_VALIDATED = 1
    CSUM_BLANK = 2
    MORE_DATA = 4
    EXTRA_INFO = 8
    #: Deprecated.
    GSO_PREFIX = 16


class ExtraType(IntEnum):
    """What an extra slot holds."""

    NONE = 0
    GSO = 1
    MCAST_ADD = 2
    MCAST_DEL = 3
    HASH = 4
    #: Xen's header ends before it (its MAX is 5).
    XDP = 5


class ExtraFlag(IntFlag):
    """Of an extra slot."""

    MORE = 1


class GsoType(IntEnum):
    """How a large packet is to be cut."""

    NONE = 0
    TCPV4 = 1
    TCPV6 = 2


class NetifRsp(IntEnum):
    """What became of a packet."""

    DROPPED = -2
    ERROR = -1
    OKAY = 0
    #: No response: for slots with extra information.
    NULL = 1


class CtrlType(IntEnum):
    """What a control request asks for."""

    INVALID = 0
    GET_HASH_FLAGS = 1
    SET_HASH_FLAGS = 2
    SET_HASH_KEY = 3
    GET_HASH_MAPPING_SIZE = 4
    SET_HASH_MAPPING_SIZE = 5
    SET_HASH_MAPPING = 6
    SET_HASH_ALGORITHM = 7
    GET_GREF_MAPPING_SIZE = 8
    ADD_GREF_MAPPING = 9
    DEL_GREF_MAPPING = 10


class CtrlStatus(IntEnum):
    """What became of a control request."""

    SUCCESS = 0
    NOT_SUPPORTED = 1
    INVALID_PARAMETER = 2
    BUFFER_OVERFLOW = 3


class HashType(IntFlag):
    """Which packets are hashed. An extra slot has the number of the bit instead."""

    IPV4 = 1
    IPV4_TCP = 2
    IPV6 = 4
    IPV6_TCP = 8


class HashAlgorithm(IntEnum):
    """How packets are hashed."""

    NONE = 0
    TOEPLITZ = 1


class GrefFlag(IntFlag):
    """Of a page that stays mapped."""

    READONLY = 1


TX_REQUEST = layout("netif_tx_request", 8, gref="I", offset="H", flags="H", id="H", size="H")
TX_RESPONSE = layout("netif_tx_response", 8, id="H", status="h")
RX_REQUEST = layout("netif_rx_request", 8, id="H", pad="H", gref="I")
RX_RESPONSE = layout("netif_rx_response", 8, id="H", offset="H", flags="H", status="h")
#: A slot of extra information; what its six bytes mean depends on its type.
EXTRA = layout("netif_extra_info", 8, type="B", flags="B", u="6s")
EXTRA_GSO = layout("netif_extra_info", 8, type="B", flags="B", size="H", gso_type="B", pad="B", features="H")
EXTRA_MCAST = layout("netif_extra_info", 8, type="B", flags="B", addr="6s")
EXTRA_HASH = layout("netif_extra_info", 8, type="B", flags="B", hash_type="B", algorithm="B", value="4s")
#: Linux's alone.
EXTRA_XDP = layout("netif_extra_info", 8, type="B", flags="B", headroom="H4x")
CTRL_REQUEST = layout("xen_netif_ctrl_request", 8, id="H", type="H", data="3I")
CTRL_RESPONSE = layout("xen_netif_ctrl_response", 8, id="H", type="H", status="I", data="I")
GREF = layout("xen_netif_gref", 8, ref="I", flags="H", status="H")

TX_RING = RingType("netif_tx", TX_REQUEST, TX_RESPONSE)
RX_RING = RingType("netif_rx", RX_REQUEST, RX_RESPONSE)
CTRL_RING = RingType("xen_netif_ctrl", CTRL_REQUEST, CTRL_RESPONSE)
