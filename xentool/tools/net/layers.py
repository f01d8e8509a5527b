"""scapy's layers of the netif protocol, and a dumped ring taken apart into them.

Law: where a field is, and of which size, is told by `pvdrivers.abi.netif` alone; here stands what its values are
called, by the words of Xen's header. Nothing that serves imports this: scapy comes with the ``net`` extra.

>>> page = dissect_ring(dumped, "tx")  # doctest: +SKIP
>>> page[1].show()  # doctest: +SKIP

Ref: xen/include/public/io/netif.h
"""

import re
from collections.abc import Iterator, Mapping
from enum import IntEnum, IntFlag
from struct import calcsize
from typing import Any, Literal, NamedTuple

from scapy.fields import AnyField, EnumField, Field, FieldListField, FlagsField, MACField, XStrFixedLenField
from scapy.packet import Packet, Raw

from pvdrivers.abi import netif
from pvdrivers.abi.layout import Layout
from pvdrivers.abi.netif import (
    CtrlStatus,
    CtrlType,
    ExtraFlag,
    ExtraType,
    GsoType,
    HashAlgorithm,
    HashType,
    NetifRsp,
    RxFlag,
    TxFlag,
)
from pvdrivers.abi.ring import HEADER, PAGE_SIZE, RingType

#: What a field's values are called: all of them, or each bit; or it is an Ethernet address.
_Meaning = type[IntEnum] | type[IntFlag] | Mapping[int, str] | Literal["address"]

_TOKEN = re.compile(r"(\d*)(\D)")
_INDICES = 1 << 32


def _fields(layout: Layout, **meanings: _Meaning) -> list[AnyField]:
    # As scapy has them. Paddings are fields as well: a dump that was changed must differ where its bytes do.
    names = {offset: name for name, offset in layout.offsets.items()}
    made: list[AnyField] = []
    at = 0
    for count, code in _TOKEN.findall(layout.struct.format.lstrip("<")):
        name = names.get(at, f"pad{at}")
        made.append(_field(name, count, code, meanings.pop(name, None)))
        at += calcsize(f"<{count}{code}")
    assert not meanings, f"{layout.name} has no {', '.join(meanings)}"  # noqa: S101 - a mistake in this file
    return made


def _field(name: str, count: str, code: str, meaning: _Meaning | None) -> AnyField:
    size = calcsize(f"<{count}{code}")
    if meaning == "address":
        return MACField(name, None)
    if code in "sx":
        return XStrFixedLenField(name, bytes(size), size)
    if count:
        # scapy's annotation wants fields where values are.
        default: Any = [0] * int(count)
        return FieldListField(name, default, Field("", 0, f"<{code}"), count_from=lambda _: int(count))
    if isinstance(meaning, type) and issubclass(meaning, IntFlag):
        # Below zero for little-endian.
        bits = size * 8 if size == 1 else -size * 8
        return FlagsField(name, 0, bits, {flag.value: str(flag.name).lower() for flag in meaning})
    if meaning is None:
        return Field(name, 0, f"<{code}")
    called = {each.value: each.name for each in meaning} if isinstance(meaning, type) else dict(meaning)
    return EnumField(name, 0, called, f"<{code}")


class _Struct(Packet):
    # What is left of a slot belongs to nobody.

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return b"", s


class Sring(_Struct):
    """The head of a ring's page: its indices."""

    name = HEADER.name
    fields_desc = _fields(HEADER)


class TxRequest(_Struct):
    """A slot of what a frontend sends; the first of a packet has the size of all of it."""

    name = netif.TX_REQUEST.name
    fields_desc = _fields(netif.TX_REQUEST, flags=TxFlag)


class TxResponse(_Struct):
    """What became of it; ``NULL`` stands where an extra was."""

    name = netif.TX_RESPONSE.name
    fields_desc = _fields(netif.TX_RESPONSE, status=NetifRsp)


class RxRequest(_Struct):
    """A page that a frontend has posted."""

    name = netif.RX_REQUEST.name
    fields_desc = _fields(netif.RX_REQUEST)


class RxResponse(_Struct):
    """What is in it: bytes, or below zero why not."""

    name = netif.RX_RESPONSE.name
    fields_desc = _fields(
        netif.RX_RESPONSE, flags=RxFlag, status={each.value: each.name for each in NetifRsp if each < 0}
    )


class Extra(_Struct):
    """A slot with more about a packet, of a type that is none."""

    name = netif.EXTRA.name
    fields_desc = _fields(netif.EXTRA, type=ExtraType, flags=ExtraFlag)


class ExtraGso(_Struct):
    """How a packet is to be cut."""

    name = f"{netif.EXTRA_GSO.name} GSO"
    fields_desc = _fields(netif.EXTRA_GSO, type=ExtraType, flags=ExtraFlag, gso_type=GsoType)


class ExtraMcast(_Struct):
    """A multicast address that a frontend wants frames for, or no longer."""

    name = f"{netif.EXTRA_MCAST.name} MCAST"
    fields_desc = _fields(netif.EXTRA_MCAST, type=ExtraType, flags=ExtraFlag, addr="address")


class ExtraHash(_Struct):
    """The hash of a packet's addresses. Its type is the number of `HashType`'s bit."""

    name = f"{netif.EXTRA_HASH.name} HASH"
    fields_desc = _fields(
        netif.EXTRA_HASH,
        type=ExtraType,
        flags=ExtraFlag,
        hash_type={each.bit_length() - 1: str(each.name) for each in HashType},
        algorithm=HashAlgorithm,
    )


class ExtraXdp(_Struct):
    """How many bytes are left free before the data."""

    name = f"{netif.EXTRA_XDP.name} XDP"
    fields_desc = _fields(netif.EXTRA_XDP, type=ExtraType, flags=ExtraFlag)


class CtrlRequest(_Struct):
    """What a frontend asks for on the control ring."""

    name = netif.CTRL_REQUEST.name
    fields_desc = _fields(netif.CTRL_REQUEST, type=CtrlType)


class CtrlResponse(_Struct):
    """What became of it."""

    name = netif.CTRL_RESPONSE.name
    fields_desc = _fields(netif.CTRL_RESPONSE, type=CtrlType, status=CtrlStatus)


_EXTRAS: Mapping[int, type[_Struct]] = {
    ExtraType.GSO: ExtraGso,
    ExtraType.MCAST_ADD: ExtraMcast,
    ExtraType.MCAST_DEL: ExtraMcast,
    ExtraType.HASH: ExtraHash,
    ExtraType.XDP: ExtraXdp,
}


class _Kind(NamedTuple):
    ring: RingType
    request: type[_Struct]
    response: type[_Struct]
    #: In which of the two a packet's flags tell of extras and of slots that follow.
    telling: type[_Struct] | None


_KINDS: Mapping[str, _Kind] = {
    "tx": _Kind(netif.TX_RING, TxRequest, TxResponse, TxRequest),
    "rx": _Kind(netif.RX_RING, RxRequest, RxResponse, RxResponse),
    "ctrl": _Kind(netif.CTRL_RING, CtrlRequest, CtrlResponse, None),
}


def extra_slot(data: bytes) -> Packet:
    """Read an extra slot, whatever it is."""
    return _EXTRAS.get(data[0], Extra)(data)


def dissect_ring(page: bytes, kind: Literal["tx", "rx", "ctrl"]) -> list[Packet]:
    """Take a ring's page apart: its head, each slot in the page's order, and what follows them.

    Joined again they are the page, byte for byte. A slot is a request if it has not been answered, else a response,
    with what is left there of the request. Raw are slots that nobody has written, all of them if the indices are
    impossible, and what lies behind the last. Of answers whose packet began in a slot that is in use again, extras are
    taken for responses: nothing tells them apart.

    :param page: PAGE_SIZE bytes
    :raises ValueError: they are not as many
    """
    if len(page) != PAGE_SIZE:
        raise ValueError(f"a ring of {len(page)} bytes, and not a page of {PAGE_SIZE}")
    what = _KINDS[kind]
    count, size = what.ring.slots(), what.ring.slot_size
    end = HEADER.size + count * size
    slots = [page[at : at + size] for at in range(HEADER.size, end, size)]
    head = Sring(page[: HEADER.size])
    read = dict(_written(what, slots, head.req_prod, head.rsp_prod))
    return [head, *(read.get(at) or Raw(slot) for at, slot in enumerate(slots)), Raw(page[end:])]


def _written(what: _Kind, slots: list[bytes], req_prod: int, rsp_prod: int) -> Iterator[tuple[int, Packet]]:
    # Answers from the oldest on, then what is not answered.
    count = len(slots)
    unanswered = (req_prod - rsp_prod) % _INDICES
    if unanswered > count:
        return
    for structure, begin, length in (
        (what.response, req_prod - count, count - unanswered),
        (what.request, rsp_prod, unanswered),
    ):
        yield from _packets(structure, what.telling, slots, range(begin, begin + length))


def _packets(
    structure: type[_Struct], telling: type[_Struct] | None, slots: list[bytes], indices: range
) -> Iterator[tuple[int, Packet]]:
    extras = following = False
    for index in indices:
        at = index % len(slots)
        if index < 0 and not any(slots[at]):
            # In the first lap, and not yet.
            continue
        slot = extra_slot(slots[at]) if extras else structure(slots[at])
        yield at, slot
        if structure is not telling:
            continue
        if extras:
            extras = bool(slot.flags & ExtraFlag.MORE)
        else:
            # Only the first slot tells of extras, and they come before all that follow.
            extras = not following and bool(slot.flags & TxFlag.EXTRA_INFO)
            following = bool(slot.flags & TxFlag.MORE_DATA)
