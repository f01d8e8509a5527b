"""What the first slot's flags and the extras say of a packet ↔ what is known of a frame; of either ring.

|flags|extra|`Offload`|
|-|-|-|
|none||nothing is said|
|data_validated||the checksum is right|
|csum_blank, with data_validated or without||the checksum is blank|
|any|GSO|to be cut; the checksum is blank, whatever the flags say|

Written, blank is both flags: Windows takes csum_blank alone for a mistake. GSO without csum_blank comes from peers that
forget it; Linux mends that as well.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pvdrivers.abi.netif import (
    EXTRA_GSO,
    EXTRA_HASH,
    EXTRA_XDP,
    ExtraFlag,
    ExtraType,
    GsoType,
    HashAlgorithm,
    HashType,
    RxFlag,
    TxFlag,
)
from pvdrivers.net.errors import BadPacket, Refusal
from pvdrivers.net.frame import PLAIN, Checksum, FlowHash, Offload

#: The last extra of each type, by that.
Extras = Mapping[int, bytes]

#: Plain numbers: flags that know their names take longer than all else here.
MORE = int(ExtraFlag.MORE)
_GSO, _HASH, _XDP = int(ExtraType.GSO), int(ExtraType.HASH), int(ExtraType.XDP)
_TYPES = frozenset(int(kind) for kind in ExtraType if kind != ExtraType.NONE)
#: On the wire a hash's type is the number of its bit, unlike in requests for control.
_BITS = {kind: kind.bit_length() - 1 for kind in HashType}
_HASHES = {bit: kind for kind, bit in _BITS.items()}
_GSOS = {int(kind): kind for kind in GsoType if kind != GsoType.NONE}


class Ring(NamedTuple):
    """What one ring calls things. The two flags of the checksum have changed places between the rings."""

    validated: int
    blank: int
    more_data: int
    extra_info: int
    bad_type: Refusal
    bad_gso_size: Refusal
    bad_gso_type: Refusal


TX = Ring(
    int(TxFlag.DATA_VALIDATED),
    int(TxFlag.CSUM_BLANK),
    int(TxFlag.MORE_DATA),
    int(TxFlag.EXTRA_INFO),
    Refusal.TX_EXTRA_TYPE,
    Refusal.TX_GSO_SIZE,
    Refusal.TX_GSO_TYPE,
)
RX = Ring(
    int(RxFlag.DATA_VALIDATED),
    int(RxFlag.CSUM_BLANK),
    int(RxFlag.MORE_DATA),
    int(RxFlag.EXTRA_INFO),
    Refusal.RX_EXTRA_TYPE,
    Refusal.RX_GSO_SIZE,
    Refusal.RX_GSO_TYPE,
)


def type_of(ring: Ring, extra: bytes) -> int:
    """Give an extra's type.

    :raises BadPacket: it is none
    """
    if extra[0] not in _TYPES:
        raise BadPacket(ring.bad_type, f"an extra of type {extra[0]}")
    return extra[0]


def read_offload(ring: Ring, flags: int, extras: Extras) -> Offload:
    """Tell what is said of a packet.

    :param flags: the first slot's
    :raises BadPacket: it is to be cut in a way that is none
    """
    if _GSO in extras:
        _, _, size, kind, _, _ = EXTRA_GSO.struct.unpack(extras[_GSO])
        if not size:
            raise BadPacket(ring.bad_gso_size, "segments of no bytes")
        if kind not in _GSOS:
            raise BadPacket(ring.bad_gso_type, f"segments of type {kind}")
        return Offload(Checksum.BLANK, _GSOS[kind], size)
    if flags & ring.blank:
        return Offload(Checksum.BLANK)
    return Offload(Checksum.VALIDATED) if flags & ring.validated else PLAIN


def read_hash(extras: Extras) -> FlowHash | None:
    """Give the hash that came with a packet; a hint only, so that one of an unknown kind is none."""
    if _HASH not in extras:
        return None
    _, _, bit, algorithm, value = EXTRA_HASH.struct.unpack(extras[_HASH])
    if bit not in _HASHES or algorithm != HashAlgorithm.TOEPLITZ:
        return None
    return FlowHash(_HASHES[bit], int.from_bytes(value, "little"))


def read_headroom(extras: Extras) -> int:
    """Give how many bytes are left free before the data in each page."""
    if _XDP not in extras:
        return 0
    _, _, headroom = EXTRA_XDP.struct.unpack(extras[_XDP])
    return int(headroom)


def flags_of(ring: Ring, offload: Offload) -> int:
    """Give the first slot's flags of the checksum."""
    if offload.gso or offload.checksum is Checksum.BLANK:
        return ring.blank | ring.validated
    return ring.validated if offload.checksum is Checksum.VALIDATED else 0


def extras_of(offload: Offload, flow: FlowHash | None, headroom: int = 0) -> list[bytes]:
    """Give a packet's extras, each but the last saying that there is more; in the order of their types, as Linux does.

    :param headroom: bytes left free before the data in each page
    """
    extras = []
    if offload.gso:
        extras.append(EXTRA_GSO.struct.pack(_GSO, 0, offload.gso_size, offload.gso, 0, 0))
    if flow:
        value = flow.value.to_bytes(4, "little")
        extras.append(EXTRA_HASH.struct.pack(_HASH, 0, _BITS[flow.type], HashAlgorithm.TOEPLITZ, value))
    if headroom:
        extras.append(EXTRA_XDP.struct.pack(_XDP, 0, headroom))
    return _chained(extras)


def count_extras(offload: Offload, flow: FlowHash | None, headroom: int = 0) -> int:
    """Give how many `extras_of` makes."""
    return bool(offload.gso) + bool(flow) + bool(headroom)


def _chained(extras: Sequence[bytes]) -> list[bytes]:
    return [extra[:1] + bytes([MORE]) + extra[2:] for extra in extras[:-1]] + list(extras[-1:])
