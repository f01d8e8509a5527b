"""What an event's format file says: where its fields lie, and the names of values that its print format has.

Law: no offset is ever taken from anywhere else; a kernel may lay out any event anew.

Ref: Linux, Documentation/trace/events.rst, "Event formats"
"""

import re
from collections.abc import Iterator, Mapping

from traces.errors import TraceError
from traces.plain import frozen

_FIELD = re.compile(
    r"field:(?P<type>[^;]*?)(?P<name>\w+)(?P<array>\[[^\]]*\])?;\s*offset:(?P<offset>[0-9]+);\s*size:(?P<size>[0-9]+);"
    r"(?:\s*signed:(?P<signed>[01]);)?"
)
_HEAD = re.compile(r"name:\s*(?P<name>[^\s]+)\s*\nID:\s*(?P<id>[0-9]+)\s*\n")
_SYMBOLIC = re.compile(r"__print_symbolic\(\s*REC->(\w+)[^,{]*,\s*((?:\{[^{}]*\}\s*,?\s*)+)\)")
_CONSTANT = r"(?:0[xX][0-9a-fA-F]+|[0-9]+)"
#: AMD's exits for exceptions are written as sums: ``{ 0x040 + 14, "PF excp" }``.
_NAMED = re.compile(
    rf'\{{\s*({_CONSTANT})[uUlL]*\s*(?:\+\s*({_CONSTANT})[uUlL]*\s*)?,\s*("[^"]*"(?:\s*"[^"]*")*)\s*\}}'
)
#: A text in C may be in several pieces.
_PIECE = re.compile(r'"([^"]*)"')
#: Digits of the largest number that a field may hold, in base eight.
_DIGITS_MAX = 22
#: Records are no larger than a page; a field beyond that is none.
_PAGE_MAX = 1 << 16
_NUMBERS = {1, 2, 4, 8}
#: Linux' largest event has some fifty.
_FIELDS_MAX = 1 << 8


@frozen
class Field:
    """Where a field of an event lies: bytes from its record's beginning.

    ``dynamic`` is whether it says only where its bytes are (__data_loc); ``text`` whether it is an array of characters.
    """

    name: str
    offset: int
    size: int
    signed: bool = False
    array: bool = False
    text: bool = False
    dynamic: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is one number; others are texts and arrays of bytes."""
        return self.size in _NUMBERS and not self.array and not self.dynamic


@frozen
class Layout:
    """One event: its number in the records, its fields by name in order, and its print format."""

    system: str
    name: str
    id: int
    fields: Mapping[str, Field]
    print_format: str

    @property
    def own(self) -> Iterator[Field]:
        """Its fields without those that all events have."""
        return (field for field in self.fields.values() if not field.name.startswith("common_"))

    def symbols(self, name: str) -> list[dict[int, str]]:
        """Give the tables of names for a field's values, in the order of the print format."""
        return [
            {
                _constant(value) + _constant(more or "0"): "".join(_PIECE.findall(text))
                for value, more, text in _NAMED.findall(table)
                if len(value) <= _DIGITS_MAX >= len(more)
            }
            for field, table in _SYMBOLIC.findall(self.print_format)
            if field == name
        ]


def layout(text: str, system: str) -> Layout:
    """Read an event's format file.

    :raises TraceError: it names no event, or one that has a field beyond any record
    """
    head = _HEAD.search(text)
    if head is None or _number(head["id"]) > 0xFFFF:
        raise TraceError(f"a format of {system} names no event")
    body, _, print_format = text.partition("print fmt:")
    found = fields(body)
    # Each byte of a record is of one field, so that all fields together are no more than it.
    if sum(one.size for one in found.values()) > max((one.offset + one.size for one in found.values()), default=0):
        raise TraceError(f"fields of {head['name']} lie over one another")
    return Layout(system, head["name"], int(head["id"]), found, print_format)


def fields(text: str) -> dict[str, Field]:
    """Find the fields of a format file, by name.

    :raises TraceError: one lies beyond any record, or there are more than any event has
    """
    found: dict[str, Field] = {}
    for each in _FIELD.finditer(text):
        if len(found) >= _FIELDS_MAX:
            raise TraceError("an event has more fields than any")
        offset, size = _number(each["offset"]), _number(each["size"])
        if offset + size > _PAGE_MAX:
            raise TraceError(f"the field {each['name']} lies beyond its page")
        found[each["name"]] = Field(
            each["name"],
            offset,
            size,
            each["signed"] == "1",
            array=each["array"] is not None,
            text=each["array"] is not None and re.search(r"\bchar\b", each["type"]) is not None,
            dynamic="__data_loc" in each["type"],
        )
    return found


def _number(digits: str) -> int:
    # So many digits as a file likes may stand there.
    if len(digits) > _DIGITS_MAX:
        raise TraceError("a number in a format is larger than any")
    return int(digits)


def _constant(text: str) -> int:
    # As C has it; a kernel writes some of its flags in base eight.
    if text[:2].lower() == "0x":
        return int(text, 16)
    octal = text.startswith("0") and not set(text) & {"8", "9"}
    return int(text, 8 if octal else 10)
