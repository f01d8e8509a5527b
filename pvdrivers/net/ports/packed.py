"""Frames without an object for each: bytes in an arena, and a record of each that says where.

Law: a record says all that is known of a frame but its hash, which no port tells or asks for.

A lane that has this form (`PackedLane`) is spared a list of `Frame` where its peer has it as well; lists are what all
lanes have.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Protocol, runtime_checkable

from pvdrivers.abi.netif import GsoType
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.net.ports.base import Lane

#: Where a frame begins in its arena, its bytes, its checksum (by `CHECKSUMS`), how it is to be cut, into which size.
RECORD = Struct("<IIBBH")
#: By number.
CHECKSUMS = (Checksum.UNSAID, Checksum.VALIDATED, Checksum.BLANK)
_NUMBERS = {checksum: number for number, checksum in enumerate(CHECKSUMS)}


@runtime_checkable
class PackedLane(Lane, Protocol):
    """A lane that gives and takes records. What it does is what `base.Lane` says."""

    @property
    def arena(self) -> memoryview:
        """Where frames lie that are received, writable; valid until the next call of `receive_packed`."""
        ...

    def receive_packed(self, records: memoryview) -> int:
        """Take frames that wait; never blocks.

        :param records: room for as many as are wanted at most
        :returns: how many records were written, from the beginning on
        :raises MachineError: the port is gone
        """
        ...

    def send_packed(self, arena: memoryview, records: memoryview) -> int:
        """Send frames on; never blocks.

        :param arena: where they lie, for as long as this call lasts
        :returns: how many were taken
        :raises MachineError: the port is gone
        """
        ...


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
