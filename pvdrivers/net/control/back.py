"""A frontend's requests → how its packets are steered from then on, and the answers.

In two steps, since some are about what stands in a page: `needs` tells which, and `answer` is given what was copied. No
request changes anything by half: what is not answered SUCCESS leaves all as it was.

Where netif.h has BUFFER_OVERFLOW for what is too large, Linux's netback answers INVALID_PARAMETER; here it is as in
netif.h. That gives requests that "cannot succeed" before an algorithm is set no status: they have Linux's.

Ref: xen/include/public/io/netif.h, "Control messages"; Linux drivers/net/xen-netback/hash.c
"""

from collections.abc import Callable, Mapping
from struct import iter_unpack
from typing import NamedTuple

from pvdrivers.abi.netif import CtrlStatus, CtrlType, HashAlgorithm, HashType
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import ALL_TYPES, KEY_SIZE, Toeplitz

#: Entries of a mapping of hashes to queues; as many as Linux has.
MAPPING_MAX = 128
_ENTRY_SIZE = 4


class Piece(NamedTuple):
    """The beginning of a granted page; the grant may be for reading alone."""

    gref: int
    length: int


def needs(request: Request, steering: Steering) -> Piece | None:
    """Tell what has to be copied before a request can be answered; None if nothing has, or nothing helps."""
    piece = _piece(request, steering)
    return piece if isinstance(piece, Piece) and piece.length else None


def answer(request: Request, steering: Steering, copied: bytes | None = None) -> tuple[Steering, Response]:
    """Do what is asked for.

    :param copied: what `needs` has named, or None if it cannot be had
    """
    piece = _piece(request, steering)
    if isinstance(piece, CtrlStatus):
        return steering, Response(request.ident, request.type, piece)
    content = b""
    if piece is not None and piece.length:
        if copied is None:
            return steering, Response(request.ident, request.type, CtrlStatus.INVALID_PARAMETER)
        if len(copied) != piece.length:
            raise ValueError(f"{len(copied)} bytes were copied, not {piece.length}")
        content = copied
    done = _DONE.get(request.type, _not_supported)(steering, request.data, content)
    return done.steering, Response(request.ident, request.type, done.status, done.data)


def _piece(request: Request, steering: Steering) -> Piece | CtrlStatus | None:
    """Tell what a request is about, or how it is answered whatever stands there."""
    gref, size, offset = request.data
    if request.type == CtrlType.SET_HASH_KEY:
        return CtrlStatus.BUFFER_OVERFLOW if size > KEY_SIZE else Piece(gref, size)
    if request.type == CtrlType.SET_HASH_MAPPING:
        if size > MAPPING_MAX:
            return CtrlStatus.BUFFER_OVERFLOW
        # Numbers of ours do not wrap at 32 bits.
        if offset + size > len(steering.mapping):
            return CtrlStatus.INVALID_PARAMETER
        return Piece(gref, size * _ENTRY_SIZE)
    return None


class _Done(NamedTuple):
    steering: Steering
    status: CtrlStatus = CtrlStatus.SUCCESS
    data: int = 0


#: Given the request's data and what was copied.
_Do = Callable[[Steering, tuple[int, int, int], bytes], _Done]


def _not_supported(steering: Steering, _data: object, _content: object) -> _Done:
    return _Done(steering, CtrlStatus.NOT_SUPPORTED)


def _set_algorithm(steering: Steering, data: tuple[int, int, int], _content: object) -> _Done:
    if data[0] not in set(HashAlgorithm):
        return _Done(steering, CtrlStatus.INVALID_PARAMETER)
    return _Done(steering._replace(algorithm=HashAlgorithm(data[0])))


def _get_types(steering: Steering, _data: object, _content: object) -> _Done:
    if steering.algorithm is HashAlgorithm.NONE:
        return _Done(steering, CtrlStatus.NOT_SUPPORTED)
    return _Done(steering, data=ALL_TYPES)


def _set_types(steering: Steering, data: tuple[int, int, int], _content: object) -> _Done:
    # Of a flag, Python inverts the bits alone that have names.
    if data[0] & ~int(ALL_TYPES) or steering.algorithm is HashAlgorithm.NONE:
        return _Done(steering, CtrlStatus.INVALID_PARAMETER)
    return _Done(steering._replace(types=HashType(data[0])))


def _set_key(steering: Steering, _data: object, content: bytes) -> _Done:
    return _Done(steering._replace(key=Toeplitz(content)))


def _get_mapping_size(steering: Steering, _data: object, _content: object) -> _Done:
    return _Done(steering, data=MAPPING_MAX)


def _set_mapping_size(steering: Steering, data: tuple[int, int, int], _content: object) -> _Done:
    if data[0] > MAPPING_MAX:
        return _Done(steering, CtrlStatus.INVALID_PARAMETER)
    return _Done(steering._replace(mapping=(0,) * data[0]))


def _set_mapping(steering: Steering, data: tuple[int, int, int], content: bytes) -> _Done:
    _, size, offset = data
    entries = tuple(entry for (entry,) in iter_unpack("<I", content))
    # All of them before any is of use: a queue that there is not would be reached by any packet.
    if any(entry >= steering.queues for entry in entries):
        return _Done(steering, CtrlStatus.INVALID_PARAMETER)
    mapping = steering.mapping[:offset] + entries + steering.mapping[offset + size :]
    return _Done(steering._replace(mapping=mapping))


#: All others are not supported: those of grants that stay mapped among them.
_DONE: Mapping[int, _Do] = {
    CtrlType.SET_HASH_ALGORITHM: _set_algorithm,
    CtrlType.GET_HASH_FLAGS: _get_types,
    CtrlType.SET_HASH_FLAGS: _set_types,
    CtrlType.SET_HASH_KEY: _set_key,
    CtrlType.GET_HASH_MAPPING_SIZE: _get_mapping_size,
    CtrlType.SET_HASH_MAPPING_SIZE: _set_mapping_size,
    CtrlType.SET_HASH_MAPPING: _set_mapping,
}
