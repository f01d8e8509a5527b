"""The record of any event, and the kinds of fields that construct lacks; the slow decoder alone brings construct.

Ref: xen/include/public/trace.h, xen/common/trace.c (``__insert_record``)
"""

from typing import Any

from construct import Adapter, Array, BitsInteger, BitStruct, ByteSwapped, Flag, If, Int32ul, Int64ul, Struct, this

Header = ByteSwapped(BitStruct("cycles" / Flag, "extra" / BitsInteger(3), "event" / BitsInteger(28)))
Record = Struct(
    "header" / Header,
    "tsc" / If(this.header.cycles, Int64ul),
    "words" / Array(this.header.extra, Int32ul),
)


class Optional(Adapter):  # type: ignore[misc] # construct ships no types
    """What ``layout.OrNone`` declares."""

    def __init__(self, subcon: Any, none: int) -> None:  # noqa: ANN401 - see above
        super().__init__(subcon)
        self.fmtstr, self.none = subcon.fmtstr, none

    def _decode(self, obj: int, _context: Any, _path: Any) -> int | None:  # noqa: ANN401 - see above
        return None if obj == self.none else obj
