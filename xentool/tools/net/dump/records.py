"""What a daemon, and who watches its vifs, tell each other: bytes, without a socket.

First a `Wish`, then its `Reply`, each a message of JSON; then messages of records, one after the other, the last an
`End`. Numbers are little-endian:

|of each|of a packet besides|
|-|-|
|kind u8, vif u16, lost u64|sent u8, queue u32, time u64, number u64, lengths of requests, answers and data u32|
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, NamedTuple

from pvdrivers.net.watched import Seen
from xentool.errors import PeerError

#: Bytes of a message, but for one whose only record is longer.
BATCH = 1 << 16
#: Bytes of any message.
LONGEST = 1 << 18
_END, _PACKET = range(2)
_HEAD = Struct("<BHQ")
_BODY = Struct("<BIQQIII")


class Vif(NamedTuple):
    """One that a daemon serves."""

    domid: int
    handle: int


@dataclass(frozen=True)
class Wish:
    """What somebody wants to watch.

    :param domid: None for all domains that the daemon serves
    :param handle: None for all vifs
    """

    domid: int | None = None
    handle: int | None = None

    def encode(self) -> bytes:
        """Form the message."""
        return json.dumps([self.domid, self.handle]).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Wish":
        """Read the message.

        :raises PeerError: it is none
        """
        match _document(message):
            case [int() | None as domid, int() | None as handle]:
                return cls(domid, handle)
        raise PeerError("no wish")


@dataclass(frozen=True)
class Reply:
    """What is shown from now on.

    :param vifs: which records name by their place here
    :param others: vifs of that domain, or of all, that were not wanted
    :param refused: why nothing is
    """

    vifs: tuple[Vif, ...] = ()
    others: tuple[Vif, ...] = ()
    refused: str = ""

    def encode(self) -> bytes:
        """Form the message."""
        return json.dumps([self.vifs, self.others, self.refused]).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Reply":
        """Read the message.

        :raises PeerError: it is none
        """
        match _document(message):
            case [list() as vifs, list() as others, str() as refused]:
                return cls(_vifs(vifs), _vifs(others), refused)
        raise PeerError("the daemon's reply is none")


def _document(message: bytes) -> Any:  # noqa: ANN401 - whoever asks looks at it
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return None


def _vifs(values: list[Any]) -> tuple[Vif, ...]:
    found = []
    for value in values:
        match value:
            case [int() as domid, int() as handle]:
                found.append(Vif(domid, handle))
            case _:
                raise PeerError("the daemon's reply names what is no vif")
    return tuple(found)


class Record(NamedTuple):
    """A packet.

    :param vif: its place in the reply
    :param lost: packets of this vif, between this and the one before, that there was no room for
    :param time_ns: since 1970
    :param number: of all packets of this vif that somebody watched
    """

    vif: int
    lost: int
    queue: int
    time_ns: int
    number: int
    seen: Seen


class End(NamedTuple):
    """Nothing more comes; so many packets were lost after the last."""

    lost: int


def head(vif: int, lost: int) -> bytes:
    """Form what comes before each packet's `body`; it differs between those who watch."""
    return _HEAD.pack(_PACKET, vif, lost)


def body(queue: int, time_ns: int, number: int, seen: Seen) -> bytes:
    """Form a packet's record without its `head`."""
    lengths = len(seen.requests), len(seen.answers), len(seen.data)
    return b"".join((_BODY.pack(seen.sent, queue, time_ns, number, *lengths), seen.requests, seen.answers, seen.data))


def end(lost: int) -> bytes:
    """Form the last record."""
    return _HEAD.pack(_END, 0, lost)


def decode(message: bytes, vifs: int) -> Iterator[Record | End]:
    """Read a message's records.

    :param vifs: of the reply
    :raises PeerError: they are none
    """
    at = 0
    while at < len(message):
        if len(message) - at < _HEAD.size:
            raise PeerError("the daemon sends what is no record")
        kind, vif, lost = _HEAD.unpack_from(message, at)
        at += _HEAD.size
        if (kind, vif) == (_END, 0):
            yield End(lost)
            continue
        if kind != _PACKET or vif >= vifs or len(message) - at < _BODY.size:
            raise PeerError("the daemon sends what is no record")
        sent, queue, time_ns, number, *lengths = _BODY.unpack_from(message, at)
        at += _BODY.size
        if sent > 1 or sum(lengths) > len(message) - at:
            raise PeerError("the daemon sends a record that is not whole")
        parts = []
        for length in lengths:
            parts.append(message[at : at + length])
            at += length
        yield Record(vif, lost, queue, time_ns, number, Seen(bool(sent), *parts))
