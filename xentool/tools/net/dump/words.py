"""What is said of a packet beside its bytes, in a comment: Wireshark shows those, and nothing else that we could add.

Law: what is said of slots and flags stands in the ring's own bytes; a blank checksum is called so, and no damage.

Ref: xen/include/public/io/netif.h
"""

import struct
from collections.abc import Mapping, Sequence
from enum import IntFlag

from pvdrivers.abi.netif import RX_RESPONSE, TX_REQUEST, TX_RESPONSE, NetifRsp, RxFlag, TxFlag
from pvdrivers.net.errors import BadPacket
from pvdrivers.net.frame import PLAIN, FlowHash, Offload
from pvdrivers.net.packet import rx_back, tx_back
from pvdrivers.net.packet.offload import RX, read_hash, read_headroom, read_offload
from pvdrivers.net.pcapng import remark
from pvdrivers.net.watched import Seen
from traces.plural import plural
from xentool.errors import PeerError

_STATUSES: Mapping[int, str] = {int(each): each.name for each in NetifRsp}


def describe(seen: Seen) -> tuple[str, bytes]:
    """Give what is to be said of a packet, and its bytes: none where they were not sent.

    :raises PeerError: it is no packet
    """
    data = bytes(seen.data)
    try:
        return _sent(seen, data) if seen.sent else (_received(seen), data)
    except (ValueError, IndexError, struct.error) as error:
        raise PeerError("the daemon shows what is no packet") from error


def _sent(seen: Seen, data: bytes) -> tuple[str, bytes]:
    taken = tx_back.parse(seen.requests)
    if taken.fatal:
        count = len(seen.requests) // TX_REQUEST.size
        return f"{plural(count, 'slot')}, and the ring ends: {taken.fatal}", b""
    (packet,) = taken.packets
    _, _, flags, _, _ = TX_REQUEST.struct.unpack_from(seen.requests)
    answers = [status for _, status in TX_RESPONSE.struct.iter_unpack(seen.answers)]
    statuses = [answers[0], *answers[1 + packet.extras :]]
    slots = [
        f"id {slot.id} gref {slot.gref} {slot.offset}+{slot.length} {_STATUSES.get(status, status)}"
        for slot, status in zip(packet.slots, statuses, strict=True)
    ]
    said = [*_slots(slots, packet.extras), *_flags(TxFlag(flags))]
    if packet.multicast:
        what = "wants" if packet.multicast.add else "no longer wants"
        return "; ".join([*said, f"{what} frames for {packet.multicast.address.hex(':')}"]), b""
    if packet.refused:
        return "; ".join([*said, f"refused: {packet.refused}"]), b""
    if any(statuses):
        return "; ".join([*said, "not sent: it could not be copied"]), b""
    return "; ".join([*said, *_known(packet.offload, packet.hash)]), data


def _received(seen: Seen) -> str:
    posted = rx_back.posted(seen.requests)
    responses = [seen.answers[at : at + RX_RESPONSE.size] for at in range(0, len(seen.answers), RX_RESPONSE.size)]
    count = len(responses) - len(posted)
    extras = {extra[0]: extra for extra in responses[1 : 1 + count]}
    told = [RX_RESPONSE.struct.unpack(each) for each in (responses[0], *responses[1 + count :])]
    slots = [
        f"id {ident} gref {gref} {offset}+{status}"
        if status >= 0
        else f"id {ident} gref {gref} failed: status {status}"
        for (ident, gref), (_, offset, _, status) in zip(posted, told, strict=True)
    ]
    flags = told[0][2]
    headroom = read_headroom(extras)
    return "; ".join(
        [
            *_slots(slots, count),
            *_flags(RxFlag(flags)),
            *([f"{headroom} bytes of headroom"] if headroom else []),
            *_known(_offload(flags, extras), read_hash(extras)),
        ]
    )


def _offload(flags: int, extras: Mapping[int, bytes]) -> Offload:
    try:
        return read_offload(RX, flags, extras)
    except BadPacket:
        return PLAIN


def _slots(slots: Sequence[str], extras: int) -> list[str]:
    beside = f" and {plural(extras, 'extra')}" if extras else ""
    return [f"{plural(len(slots), 'slot')}{beside}", *slots]


def _flags(flags: IntFlag) -> list[str]:
    names = [str(each.name).lower() for each in type(flags) if each in flags]
    return [f"flags {' '.join(names)}"] if names else []


def _known(offload: Offload, flow: FlowHash | None) -> list[str]:
    said = remark(offload)
    return [*([said] if said else []), *([f"hash {flow.type.name} {flow.value:#010x}"] if flow else [])]
