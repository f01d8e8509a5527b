"""Thrift's compact protocol, as far as Parquet's headers need it: structs of numbers, strings, lists and structs.

Ref: thrift-compact-protocol.md of apache/thrift
"""

from collections.abc import Mapping, Sequence

_I8, _I32, _I64, _BINARY, _LIST, _STRUCT = 3, 5, 6, 8, 9, 12
_TRUE, _FALSE = 1, 2
_SHORT_LIST = 15


class I8(int):
    """A number of 8 bits, which go as they are."""


class I32(int):
    """A number of 32 bits; any other has 64."""


class Struct:
    """A struct: its fields by their numbers, ascending; None is a field that it does not have."""

    def __init__(self, fields: "Mapping[int, Value | None]") -> None:
        self._bytes = _struct(fields)

    def __bytes__(self) -> bytes:
        return self._bytes


_KINDS: dict[type, int] = {I8: _I8, I32: _I32, int: _I64, bytes: _BINARY, Struct: _STRUCT}

Value = bool | int | bytes | Struct | Sequence["I32 | int | bytes | Struct"]


def _struct(fields: "Mapping[int, Value | None]") -> bytes:
    found = bytearray()
    before = 0
    for number, value in fields.items():
        if value is None:
            continue
        kind = (_TRUE if value else _FALSE) if isinstance(value, bool) else _kind(value)
        # All of Parquet's numbers are near enough for the short form.
        found.append(number - before << 4 | kind)
        found += b"" if isinstance(value, bool) else _value(value)
        before = number
    return bytes(found) + b"\0"


def _kind(value: Value) -> int:
    return _KINDS.get(type(value), _LIST)


def _value(value: Value) -> bytes:
    if isinstance(value, I8):
        return bytes([value & 0xFF])
    if isinstance(value, int):
        return varint(value << 1 if value >= 0 else ~(value << 1))
    if isinstance(value, bytes):
        return varint(len(value)) + value
    if isinstance(value, Struct):
        return bytes(value)
    kind = _kind(value[0]) if value else _STRUCT
    many = len(value) >= _SHORT_LIST
    head = bytes([(_SHORT_LIST if many else len(value)) << 4 | kind]) + (varint(len(value)) if many else b"")
    return head + b"".join(map(_value, value))


def varint(value: int) -> bytes:
    """Write a number, 7 bits a byte, the lowest first."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
