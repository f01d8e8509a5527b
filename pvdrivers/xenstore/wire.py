"""Packets of the XenStore protocol: bytes in, packets out. No socket, node or client is known here.

Ref: xen/include/public/io/xs_wire.h
"""

from enum import IntEnum
from errno import errorcode
from struct import Struct
from typing import NamedTuple

#: Bytes of payload that a packet may have, either way.
PAYLOAD_MAX = 4096
#: op, request id, transaction id, length of the payload; in the machine's byte order.
HEADER = Struct("=IIII")

#: Errors that have a name on the wire.
ERRORS = (
    *("EINVAL", "EACCES", "EEXIST", "EISDIR", "ENOENT", "ENOMEM", "ENOSPC", "EIO", "ENOTEMPTY", "ENOSYS", "EROFS"),
    *("EBUSY", "EAGAIN", "EISCONN", "E2BIG", "EPERM"),
)


class Op(IntEnum):
    """What a packet asks for, or, for ERROR and WATCH_EVENT, tells. 20 was RESTRICT."""

    CONTROL = 0
    DIRECTORY = 1
    READ = 2
    GET_PERMS = 3
    WATCH = 4
    UNWATCH = 5
    TRANSACTION_START = 6
    TRANSACTION_END = 7
    INTRODUCE = 8
    RELEASE = 9
    GET_DOMAIN_PATH = 10
    WRITE = 11
    MKDIR = 12
    RM = 13
    SET_PERMS = 14
    WATCH_EVENT = 15
    ERROR = 16
    IS_DOMAIN_INTRODUCED = 17
    RESUME = 18
    SET_TARGET = 19
    RESET_WATCHES = 21
    DIRECTORY_PART = 22
    GET_FEATURE = 23
    SET_FEATURE = 24
    GET_QUOTA = 25
    SET_QUOTA = 26


class Feature(IntEnum):
    """Bits of what a server can do, as GET_FEATURE tells them."""

    RECONNECTION = 1
    ERROR = 2
    WATCHDEPTH = 4
    DOMID_ANY = 8


class Packet(NamedTuple):
    """One packet. ``op`` is a plain number: a client may send any."""

    op: int
    request: int
    transaction: int
    payload: bytes


class BadPacket(Exception):
    """What came is no packet, nor is what follows: the stream has lost its step."""


def encode(op: int, request: int, transaction: int, payload: bytes) -> bytes:
    """Give a packet's bytes; the payload has at most ``PAYLOAD_MAX``."""
    return HEADER.pack(op, request, transaction, len(payload)) + payload


def error_name(code: int) -> bytes:
    """Give the payload of an ERROR packet; EINVAL stands for what has no name there."""
    name = errorcode.get(code, "EINVAL")
    return (name if name in ERRORS else "EINVAL").encode() + b"\0"


class Parser:
    """Cuts a stream into packets.

    Holds what was fed and not yet taken. Whoever takes all packets before feeding on holds less than one packet more.
    """

    def __init__(self) -> None:
        self._data = b""
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._data = self._data[self._start :] + data
        self._start = 0

    def next(self) -> Packet | None:
        """Give the next packet, or None when more bytes are needed.

        :raises BadPacket: when a header announces more than ``PAYLOAD_MAX``; as soon as that header is there
        """
        payload = self._start + HEADER.size
        if len(self._data) < payload:
            return None
        op, request, transaction, size = HEADER.unpack_from(self._data, self._start)
        if size > PAYLOAD_MAX:
            raise BadPacket(f"a packet of {size} bytes; {PAYLOAD_MAX} are allowed")
        end = payload + size
        if len(self._data) < end:
            return None
        self._start = end
        return Packet(op, request, transaction, self._data[payload:end])
