"""The columns that every trace becomes, and the account of what was wrong with it."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Who ran is not known: before a pCPU's first scheduling record, or between two of them. (xenalyze's default domain.)
UNKNOWN_DOMID = 0x8000
#: xen/include/public/xen.h, DOMID_IDLE
IDLE_DOMID = 0x7FFF

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
    event    id with the flags that tell its layout, see ``formats.xentrace``
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

    def __len__(self) -> int:
        """Count the records."""
        return len(self.tsc)

    def take(self, rows: NDArray[np.intp]) -> "EventTable":
        """Give a table of some of the records."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    @cached_property
    def payload(self) -> NDArray[np.int64]:
        """Where each record's payload begins in ``data``."""
        return self.offset.astype(np.int64) + (4 - self.base) + 8 * self.timed.astype(np.int64)

    def word(self, rows: NDArray[np.intp], index: int) -> NDArray[np.uint32]:
        """Read payload word ``index`` of the given rows, all of which must have more words than that."""
        return self._every_byte()[self.payload[rows] + 4 * index]

    def payload_bytes(self, row: int) -> bytes:
        """Give one record's payload."""
        start = int(self.payload[row])
        return self.data[start : start + 4 * int(self.words[row])]

    def _every_byte(self) -> NDArray[np.uint32]:
        # A 32-bit view that starts at each byte: damage may have moved records off their alignment.
        return np.ndarray(shape=max(len(self.data) - 3, 0), dtype="<u4", buffer=self.data, strides=(1,))


@dataclass(frozen=True)
class Diagnostic:
    """One kind of damage: how often, how bad, and where it was first seen (file offset in bytes)."""

    code: str
    severity: str
    count: int
    first_offset: int


#: How bad each kind of damage is: "info" changes no answer, "data_loss" lacks records, "error" makes answers doubtful.
SEVERITIES = {
    "unattributed": "info",
    "unknown_event": "info",
    "clock_restart": "info",
    "resync": "data_loss",
    "bad_pcpu": "data_loss",
    "record_straddles_window": "data_loss",
    "window_cut_short": "data_loss",
    "truncated": "data_loss",
    "lost_records": "data_loss",
    "tsc_backwards": "error",
    "bad_tsc": "error",
    "out_of_order": "error",
    "too_many_kinds": "error",
}


@dataclass
class Account:
    """What became of the input: ``decoded + skipped_bytes == bytes``, always."""

    bytes: int = 0
    records: int = 0
    skipped_bytes: int = 0
    lost_records: int = 0
    pcpus: list[int] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
