"""Frames without an object for each: bytes in an arena, and a record of each that says where.

Law: a record says all that is known of a frame but its hash, which no port tells or asks for.

A lane that has this form (`ports.base.PackedLane`) is spared a list of `Frame` by queues that are compiled; lists are
what all lanes have.
"""

from collections.abc import Iterable
from struct import Struct

from pvdrivers.abi.netif import GsoType
from pvdrivers.net.frame import Checksum, Frame, Offload

#: Where a frame begins in its arena, its bytes, its checksum (by `CHECKSUMS`), how it is to be cut, into which size.
RECORD = Struct("<IIBBH")
#: By number.
CHECKSUMS = (Checksum.UNSAID, Checksum.VALIDATED, Checksum.BLANK)
_NUMBERS = {checksum: number for number, checksum in enumerate(CHECKSUMS)}


def unpack(arena: memoryview, records: memoryview) -> list[Frame]:
    """Give frames; their bytes stay where they are."""
    return [
        Frame(arena[place : place + length], Offload(CHECKSUMS[checksum], GsoType(gso), gso_size))
        for place, length, checksum, gso, gso_size in RECORD.iter_unpack(records)
    ]


def pack(frames: Iterable[Frame], place: int = 0) -> bytes:
    """Give the records of frames that lie one after the other in an arena.

    :param place: of the first
    """
    records = []
    for data, (checksum, gso, gso_size), _ in frames:
        records.append(RECORD.pack(place, len(data), _NUMBERS[checksum], gso, gso_size))
        place += len(data)
    return b"".join(records)
