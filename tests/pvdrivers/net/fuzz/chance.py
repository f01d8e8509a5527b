"""What a peer writes by chance: mostly what makes some sense, so that it gets deeper than the first check.

All of it comes from one `random.Random`, a few bits at a time: nothing else is as quick.
"""

from collections.abc import Sequence
from random import Random
from struct import Struct

from pvdrivers.abi.netif import GsoType, HashType
from pvdrivers.net.frame import Checksum, FlowHash, Frame, Offload
from tests.pvdrivers.net.fuzz.stage import FIRST

_TX, _RX = Struct("<IHHHH"), Struct("<HHHh")
_TAIL = b"\xaa\xbb\xcc\xdd"
_EDGES = (0, 1, 13, 14, 15, 60, 64, 255, 256, 257, 1514, 4082, 4095, 4096, 4097, 8191, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_OFFLOADS = tuple(
    Offload(*each)
    for each in (
        (Checksum.UNSAID, GsoType.NONE, 0),
        (Checksum.VALIDATED, GsoType.NONE, 0),
        (Checksum.BLANK, GsoType.NONE, 0),
        (Checksum.BLANK, GsoType.TCPV4, 1448),
        (Checksum.BLANK, GsoType.TCPV6, 1),
        (Checksum.BLANK, GsoType.TCPV4, 0xFFFF),
    )
)
_FLOWS = (None, FlowHash(HashType.IPV4, 5), FlowHash(HashType.IPV6_TCP, 2**32 - 1))
#: What frames and pages are cut out of; the same in all lives, since making it takes longer than many rounds.
DATA = Random(1).randbytes(200_000)  # noqa: S311 - no secret
_GROUPS = tuple(bytes([1, 0, 0, 0, 0, number]) for number in range(8))


def edge(chance: Random) -> int:
    """Give a number where something begins or ends, or any of 16 bits."""
    bits = chance.getrandbits(24)
    return _EDGES[bits & 15] if bits & 16 else _EDGES[16 + (bits & 3)] if bits & 32 else bits >> 8


def extra(chance: Random, *, more: bool, wild: bool) -> bytes:
    """Give an extra of eight bytes.

    :param wild: whether it may be none
    """
    bits = chance.getrandbits(40)
    kind = bits & 7
    if wild:
        return bytes([kind if bits & 8 else bits >> 8 & 255, more]) + (bits >> 4 & 2**48 - 1).to_bytes(6, "little")
    if kind == 0:
        return bytes([2 + (bits >> 3 & 1), more]) + _GROUPS[bits >> 4 & 7]
    if kind < 4:
        return (
            bytes([1, more]) + (1 + (bits >> 8) % 0xFFFF).to_bytes(2, "little") + bytes([1 + (bits >> 3 & 1), 0, 0, 0])
        )
    if kind < 6:
        return bytes([4, more, bits >> 3 & 7, bits >> 6 & 1]) + (bits >> 8).to_bytes(4, "little")
    return bytes([5, more]) + (bits >> 8 & 0x3FF).to_bytes(2, "little") + bytes(4)


def _extras(chance: Random, wild: bool) -> list[bytes]:
    count = 1 + (chance.getrandbits(2) & 1) + (chance.getrandbits(5) == 0) * 3
    return [extra(chance, more=at < count - 1, wild=wild and chance.getrandbits(1) == 0) for at in range(count)]


def packet(chance: Random, pages: int, wild: bool) -> bytes:
    """Give slots of one packet for the TX ring, which may be none.

    :param pages: how many are granted, from `FIRST` on; a few references are of none
    :param wild: whether it may be what ends a queue
    """
    bits = chance.getrandbits(64)
    kind, ident = bits & 15, bits >> 4 & 0xFFFF
    gref = FIRST + (bits >> 20) % (pages + 1)
    flags = bits >> 32 & 3
    size = bits >> 34 & 0xFFF
    if kind < 5:
        size = max(size, 14) if kind else size & 15
        offset = bits >> 46 & (0xFFF if wild and kind == 1 else 4096 - size)
        return _TX.pack(gref, offset, flags, ident, size)
    if kind < 7 or (not wild and kind > 13):
        extras = _extras(chance, wild and kind == 6)
        size = max(size, 14)
        first = _TX.pack(gref, 0, flags | 8, ident, size)
        return first + b"".join([each + _TAIL for each in extras])
    if kind < 14:
        # Slots after the first, of little each or of much; rarely too many.
        count = 1 + (bits >> 46 & (3 if kind < 12 else 15)) + (3 if kind == 13 else 0) * (bits >> 50 & 1)
        count = count if wild else min(count, 20)
        limit = 0xFFF if kind == 8 else 0x3F
        rest = [chance.getrandbits(12) & limit for _ in range(count)]
        slots = [
            _TX.pack(
                gref + at & 0xFFFFFFFF if at & 1 else FIRST + at % pages,
                4096 - length & 0xFC0 & bits >> at,
                4,
                at,
                length,
            )
            for at, length in enumerate(rest)
        ]
        slots[-1] = slots[-1][:6] + b"\0\0" + slots[-1][8:]
        own = size & 0x7FF if kind != 9 else -(size & 7)
        extras = _extras(chance, False) if kind == 10 else []
        whole = min(max(own + sum(rest), 0), 0xFFFF)
        first = _TX.pack(gref, 0, flags | 4 | (8 if extras else 0), ident, whole)
        return first + b"".join([*[each + _TAIL for each in extras], *slots])
    if kind == 14:
        return _TX.pack(gref, edge(chance), bits >> 40 & 0xFFFF, ident, edge(chance))
    return _never(chance, bits >> 40)


def _never(chance: Random, bits: int) -> bytes:
    # What is no packet for anybody.
    first = _TX.pack(FIRST, 0, 8, bits & 0xFFFF, 100)
    match bits & 3:
        case 0:
            return first + bytes([1, 0, 0, 0, 1, 0, 0, 0]) + _TAIL
        case 1:
            return first + bytes([1, 0, 5, 0, bits >> 2 & 0xFC, 0, 0, 0]) + _TAIL
        case 2:
            return _TX.pack(FIRST, 0, 4, 1, 100) + _TX.pack(FIRST, 0, 4, 2, 1) * (20 + (bits >> 2 & 3))
        case _:
            return chance.randbytes(12)


def sent(chance: Random, pages: int) -> bytes:
    """Give slots for the TX ring; one round in 64 has what may end a queue."""
    bits = chance.getrandbits(18)
    wild = bits & 15 == 0 and bits >> 16 == 0
    messages = b"".join([packet(chance, pages, wild) for _ in range(1 + (bits >> 4 & 3))])
    if wild and bits >> 8 & 1:
        # Without its end, which is another's beginning.
        messages = messages[: chance.randrange(1 + len(messages) // 12) * 12]
    if wild and messages and bits >> 12 & 1:
        at = chance.randrange(len(messages))
        messages = messages[:at] + bytes([messages[at] ^ 1 << chance.getrandbits(3)]) + messages[at + 1 :]
    return messages


def frames(chance: Random, *, flows: bool) -> Sequence[Frame]:
    """Give frames for the other end.

    :param flows: whether some have a hash
    """
    bits = chance.getrandbits(8)
    found = []
    for _ in range(bits & 3 if bits & 4 else bits >> 6 & 1):
        each = chance.getrandbits(40)
        size = 14 + (each & 0xFFF) if each & 0x7000 else each >> 8 & 0x13FFF
        begin = each >> 20 & 0xFFF
        flow = _FLOWS[(each >> 32) % 3] if flows else None
        found.append(Frame(DATA[begin : begin + size], _OFFLOADS[(each >> 35) % 6], flow))
    return found


def responses(chance: Random, count: int) -> bytes:
    """Give responses to posted pages, so many at most."""
    found: list[bytes] = []
    while len(found) < count:
        bits = chance.getrandbits(64)
        kind, ident, flags = bits & 15, bits >> 4 & 0xFFFF, bits >> 20 & 3
        size = bits >> 24 & 0xFFF
        offset = 4096 - size & bits >> 36 & 0xFFF
        if kind < 6:
            found.append(_RX.pack(ident, offset, flags, size))
        elif kind < 9:
            extras = _extras(chance, kind == 8)
            found += [_RX.pack(ident, offset, flags | 8 | (bits >> 48 & 4), size), *extras]
        elif kind < 13:
            slots = 1 + (bits >> 48 & (3 if kind < 12 else 31))
            found += [
                _RX.pack(ident, offset, (0 if at else flags) | 4, size if at & 1 else size & 0xFF)
                for at in range(slots)
            ]
            found.append(_RX.pack(ident, 0, 0, size))
        elif kind == 13:
            found.append(_RX.pack(ident, edge(chance), bits >> 40 & 0xFFFF, edge(chance) - 0x8000))
        elif kind == 14:
            found.append(_RX.pack(ident, offset, flags | bits >> 48 & 0xC, -(bits >> 50 & 7)))
        else:
            found.append(chance.randbytes(8))
    return b"".join(found[:count])
