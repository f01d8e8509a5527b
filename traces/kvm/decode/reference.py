"""Pages to records straight from their declaration: slow, the oracle of the tests for ``cursor``.

Ref: Linux, include/linux/ring_buffer.h (enum ring_buffer_type), kernel/trace/ring_buffer.c
"""

from collections.abc import Iterator
from typing import NamedTuple

from construct import BitsInteger, BitStruct, Bytes, ByteSwapped, Int32ul, Int64ul, Struct, Switch, this

PADDING, EXTEND, STAMP = 29, 30, 31
_TIME_BITS = 27

#: The first word of a record: five bits of its kind, or how many words it has, and how much later than the last it is.
HEAD = ByteSwapped(BitStruct("delta" / BitsInteger(_TIME_BITS), "kind" / BitsInteger(5)))
RECORD = Struct(
    "head" / HEAD,
    "more" / Switch(this.head.kind, {0: Int32ul, PADDING: Int32ul, EXTEND: Int32ul, STAMP: Int32ul}),
    "data"
    / Switch(
        this.head.kind,
        {
            # The length counts itself, and what follows lies at a whole word.
            0: Bytes((this.more - 4 + 3) // 4 * 4),
            PADDING: Bytes(this.more - 4),
            EXTEND: Bytes(0),
            STAMP: Bytes(0),
        },
        default=Bytes(4 * this.head.kind),
    ),
)
#: What lies before them: the time of the page, and how many bytes of records it holds, below two flags.
PAGE = Struct("ts" / Int64ul, "commit" / Int64ul)
_HELD = (1 << _TIME_BITS) - 1


class ReferenceRecord(NamedTuple):
    """One event: its time, and its bytes, the event's number first."""

    ts: int
    data: bytes


def decode(page: bytes) -> Iterator[ReferenceRecord]:
    """Decode an undamaged page.

    Raises ConstructError where it is damaged.
    """
    head = PAGE.parse(page)
    ts = head.ts
    at = PAGE.sizeof()
    end = at + (head.commit & _HELD)
    while at < end:
        one = RECORD.parse(page[at:end])
        size = 4 + (0 if one.more is None else 4) + len(one.data)
        if one.head.kind == PADDING and not one.head.delta:
            return
        if one.head.kind == STAMP:
            ts = ts >> 59 << 59 | one.more << _TIME_BITS | one.head.delta
        elif one.head.kind == EXTEND:
            ts += one.more << _TIME_BITS | one.head.delta
        else:
            ts += one.head.delta
            if one.head.kind != PADDING:
                yield ReferenceRecord(ts, one.data)
        at += size
