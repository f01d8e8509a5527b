"""Payloads as columns: where the fields of each event's layout lie, read for many records at once.

Law: layouts are declared in ``traces.formats``; here they are only turned into offsets and types.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from traces.xen.formats.event import Release
from traces.xen.formats.events import layout

if TYPE_CHECKING:
    # Who wants no columns begins without numpy.
    import numpy as np
    from numpy.typing import NDArray

    from traces.table import EventTable

_WORD = 4

#: Fields that are named as one of the record's own columns, and what they are called beside those.
RENAMED = {
    "domid": "target_domid",
    "vcpu": "target_vcpu",
    "pcpu": "target_pcpu",
    "offset": "fault_offset",
    "tsc": "guest_tsc",
}


class Field(NamedTuple):
    """A field of a payload: its name in an export, its offset and size in bytes, and whether it may be negative.

    mask    the bits that belong to it, where these are not all
    none    the number that says that there is none
    """

    name: str
    offset: int
    size: int
    signed: bool = False
    mask: int | None = None
    none: int | None = None

    def of(self, payload: bytes) -> int:
        """Read it from one record's payload."""
        value = int.from_bytes(payload[self.offset : self.offset + self.size], "little", signed=self.signed)
        return value if self.mask is None else value & self.mask


@lru_cache(maxsize=4096)
def fields(event: int, words: int, release: Release | None = None) -> tuple[Field, ...]:
    """List the fields that a record of an event with so many words has; trailing ones may be missing."""
    found = []
    offset = 0
    for field in layout(event, release, words).fields:
        kind = field.kind
        if offset + kind.size > _WORD * words:
            break
        found.append(Field(RENAMED.get(field.name, field.name), offset, kind.size, kind.signed, none=kind.none))
        offset += kind.size
    return tuple(found)


def nones(event: int, words: int) -> dict[str, int]:
    """Give, of the fields that may say so, the number that stands for none."""
    return {field.name: field.none for field in fields(event, words) if field.none is not None}


def read(table: "EventTable", rows: "NDArray[np.intp]", field: Field) -> "NDArray[np.integer[Any]]":
    """Read a field of some records, all of which must have it."""
    import numpy as np  # noqa: PLC0415 - see above

    dtype = _dtype(field.signed, field.size)
    # A view that starts at each byte: damage may have moved records off their alignment.
    shape = max(len(table.data) - field.size + 1, 0)
    every_byte: NDArray[np.integer[Any]] = np.ndarray(shape, dtype, buffer=table.data, strides=(1,))
    values = every_byte[table.payload[rows] + field.offset]
    return values if field.mask is None else values & dtype.type(field.mask)


def alone(payload: bytes, field: Field) -> "NDArray[np.integer[Any]]":
    """Do as ``read`` does with one record, given its payload."""
    import numpy as np  # noqa: PLC0415 - see above

    return np.array([field.of(payload)], _dtype(field.signed, field.size))


@lru_cache(maxsize=16)
def _dtype(signed: bool, size: int) -> "np.dtype[Any]":
    import numpy as np  # noqa: PLC0415 - see above

    return np.dtype(f"<{'i' if signed else 'u'}{size}")
