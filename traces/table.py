"""The columns that every trace becomes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Records that are worth a turn of an analysis, and take some megabytes of its memory, should each end an interval.
PIECE = 1 << 15

COLUMNS: dict[str, type[np.unsignedinteger[Any]]] = {
    "tsc": np.uint64,
    "event": np.uint32,
    "words": np.uint8,
    "timed": np.uint8,
    "pcpu": np.uint16,
    "domid": np.uint16,
    "vcpu": np.uint16,
    "offset": np.uint64,
}


@dataclass(frozen=True)
class EventTable:
    """Some consecutive records, oldest first, as columns of equal length.

    tsc      cycles; a record without a time stamp has the last one of its pCPU
    event    id with the flags that tell its layout, see ``formats.events``
    words    number of 32-bit payload words, 0 to 7
    timed    1 where the record itself carries a time stamp
    pcpu     where it was recorded
    domid, vcpu   who ran there; ``UNKNOWN_DOMID`` and the pCPU's number where that is not known
    offset   of the record in its file, in bytes

    ``data`` holds the records' bytes, the first of them at file offset ``base``.
    """

    tsc: NDArray[np.uint64]
    event: NDArray[np.uint32]
    words: NDArray[np.uint8]
    timed: NDArray[np.uint8]
    pcpu: NDArray[np.uint16]
    domid: NDArray[np.uint16]
    vcpu: NDArray[np.uint16]
    offset: NDArray[np.uint64]
    data: bytes = field(repr=False)
    base: int = 0
    #: The first table of another run of the clock: nothing that went before tells about it.
    restart: bool = False
    #: Did not wait for its turn, since memory is bounded: older records may follow.
    hurried: bool = False

    def __len__(self) -> int:
        """Count the records."""
        return len(self.tsc)

    def take(self, rows: NDArray[np.intp]) -> "EventTable":
        """Give a table of some of the records."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def pieces(self, size: int = PIECE) -> "Iterator[EventTable]":
        """Cut it into tables of at most ``size`` records, which bounds what is made of one."""
        for start in range(0, len(self), size):
            part = {name: getattr(self, name)[start : start + size] for name in COLUMNS}
            yield replace(self, **part, restart=self.restart and start == 0)

    @cached_property
    def payload(self) -> NDArray[np.int64]:
        """Where each record's payload begins in ``data``."""
        return self.offset.astype(np.int64) + (4 - self.base) + 8 * self.timed.astype(np.int64)

    def word(self, rows: NDArray[np.intp], index: int) -> NDArray[np.uint32]:
        """Read payload word ``index`` of the given rows, all of which must have more words than that."""
        return self._every_byte[self.payload[rows] + 4 * index]

    def payload_bytes(self, row: int) -> bytes:
        """Give one record's payload."""
        start = int(self.payload[row])
        return self.data[start : start + 4 * int(self.words[row])]

    @cached_property
    def _every_byte(self) -> NDArray[np.uint32]:
        # A 32-bit view that starts at each byte: damage may have moved records off their alignment.
        return np.ndarray(shape=max(len(self.data) - 3, 0), dtype="<u4", buffer=self.data, strides=(1,))
