"""A state file's bytes: changes of nodes as records, told apart from what is damaged between them. No I/O.

    file    = MAGIC, 8 bytes made up for this file, record*
    record  = the 8 bytes, u32 size, u32 crc32 of the changes, u32 crc32 of these three, change*
    change  = u16 length of path, u16 entries of permissions (``GONE``: the node was removed, and nothing follows),
              u32 length of value, u32 length of children, path, permissions, value, children
    permission = u32 access, u32 domid

All little-endian. By the 8 bytes the record behind a damaged one is found. Nobody who writes nodes knows them, so that
no value can hold what would be taken for a record then. Version 1, which is read too, had records of u32 size, u32
crc32, change*.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pvdrivers.xenstore.perms import Perm
from pvdrivers.xenstore.tree import Node

MAGIC = b"xentool store 2\n"
MAGIC_1 = b"xentool store 1\n"
MARK = 8
GONE = 0xFFFF

_RECORD = struct.Struct(f"<{MARK}sIII")
_RECORD_1 = struct.Struct("<II")
_CRC = struct.Struct("<I")
_CHANGE = struct.Struct("<HHII")
_PERM = struct.Struct("<II")

#: A node put, or removed (None).
Change = tuple[bytes, Node | None]


class Piece(NamedTuple):
    """A stretch of a file.

    :param at: where it begins
    :param changes: a whole record's; None for bytes that are none
    :param torn: whether those are the beginning of a record at the file's end: who was to be answered never was
    """

    at: int
    size: int
    changes: list[Change] | None = None
    torn: bool = False


def encode_change(path: bytes, node: Node | None) -> bytes:
    """Write one change."""
    if node is None:
        return _CHANGE.pack(len(path), GONE, 0, 0) + path
    head = _CHANGE.pack(len(path), len(node.perms), len(node.value), len(node.children))
    perms = b"".join(_PERM.pack(perm.access, perm.domid) for perm in node.perms)
    return head + path + perms + node.value + node.children


def encode(mark: bytes, changes: Iterable[bytes]) -> bytes:
    """Write a record of changes that count as a whole."""
    body = b"".join(changes)
    head = _RECORD.pack(mark, len(body), zlib.crc32(body), 0)[: -_CRC.size]
    return head + _CRC.pack(zlib.crc32(head)) + body


def decode(data: bytes) -> Iterator[Piece]:
    """Read a file, all of which is in the pieces, but for its head.

    :raises ValueError: it is of another kind, or a record whose checksum is right holds what no store has written
    """
    try:
        if data.startswith(MAGIC):
            yield from _pieces(data)
        elif data.startswith(MAGIC_1):
            yield from _pieces_1(data)
        else:
            raise ValueError("is no state of a store")
    except (struct.error, IndexError) as error:
        raise ValueError("is damaged: a record holds what no store has written") from error


def _pieces(data: bytes) -> Iterator[Piece]:
    at = len(MAGIC) + MARK
    # The head's, or the first record's where the head is what was damaged.
    marks = [mark for mark in (data[at - MARK : at], data[at : at + MARK]) if len(mark) == MARK]
    mark = max(marks, key=data.count, default=b"")
    if not mark:
        yield Piece(len(MAGIC), len(data) - len(MAGIC), torn=True)
        return
    while at < len(data):
        piece = _piece(data, at, mark)
        yield piece
        at += piece.size


def _piece(data: bytes, at: int, mark: bytes) -> Piece:
    head = data[at : at + _RECORD.size]
    rest = len(data) - at
    if len(head) < _RECORD.size:
        return Piece(at, rest, torn=head[:MARK] == mark[: len(head)])
    found, size, checksum, head_checksum = _RECORD.unpack(head)
    if found == mark and zlib.crc32(head[: -_CRC.size]) == head_checksum:
        if rest < _RECORD.size + size:
            return Piece(at, rest, torn=True)
        body = data[at + _RECORD.size : at + _RECORD.size + size]
        if zlib.crc32(body) == checksum:
            return Piece(at, _RECORD.size + size, list(_changes(body)))
    following = data.find(mark, at + 1)
    return Piece(at, (following if following >= 0 else len(data)) - at)


def _pieces_1(data: bytes) -> Iterator[Piece]:
    # What comes behind a damaged record cannot be found where its size is what was damaged.
    at = len(MAGIC_1)
    while at < len(data):
        size, body = _body_1(data, at)
        if body is not None:
            yield Piece(at, size, list(_changes(body)))
        elif _body_1(data, at + size)[1] is not None:
            yield Piece(at, size)
        else:
            yield Piece(at, len(data) - at)
            return
        at += size


def _body_1(data: bytes, at: int) -> tuple[int, bytes | None]:
    # A record's size, and its changes unless it is damaged. None is empty: zeroes are no record.
    if len(data) - at <= _RECORD_1.size:
        return _RECORD_1.size, None
    size, checksum = _RECORD_1.unpack_from(data, at)
    body = data[at + _RECORD_1.size : at + _RECORD_1.size + size]
    return _RECORD_1.size + size, body if len(body) == size > 0 and zlib.crc32(body) == checksum else None


def _changes(body: bytes) -> Iterator[Change]:
    at = 0
    while at < len(body):
        path_size, entries, value_size, children_size = _CHANGE.unpack_from(body, at)
        at += _CHANGE.size
        path = body[at : at + path_size]
        at += path_size
        if entries == GONE:
            yield path, None
            continue
        perms = tuple(Perm(*_PERM.unpack_from(body, at + entry * _PERM.size)) for entry in range(entries))
        at += entries * _PERM.size
        value = body[at : at + value_size]
        children = body[at + value_size : at + value_size + children_size]
        at += value_size + children_size
        if not perms:
            raise IndexError
        yield path, Node(0, perms, value, children)
