"""Reading captures, pcap and pcapng, one frame after the other.

Law: a file is a stranger's. No length in it is believed before it is compared with a bound, nothing is kept but the
interfaces' few bytes, and whatever is wrong ends the reading with one line that says where.

No library reads both formats rightly: scapy (2.8) cuts frames at 65,535 bytes, which a TCP frame that is to be cut may
exceed, and makes 14 bytes of none; scapy and dpkt (1.9) take a file's second section or interface for the first, with
its resolution; python-pcapng (2.1) knows no pcap.

Ref: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng
"""

import struct
from collections.abc import Iterator
from os import SEEK_CUR, SEEK_END
from struct import Struct
from typing import BinaryIO, NamedTuple

from pvdrivers.net.pcapng import BYTE_ORDER_MAGIC, HEAD, SNAPLEN, Block, Direction, Option, PacketOption

#: Bytes of a block; those of a packet have at most some options beside `SNAPLEN`.
_BLOCK_MAX = 1 << 24
_INTERFACES_MAX = 65536
_NAME_MAX = 255
#: pcap's magic numbers, with what a second is divided into.
_MAGIC = {0xA1B2C3D4: 1_000_000, 0xA1B23C4D: 1_000_000_000}
_NANO = 1_000_000_000
#: Shorter ones can't be: type, length, length.
_BLOCK_MIN = 12


class BadCapture(ValueError):
    """What a file holds is no capture, or no longer."""


class Captured(NamedTuple):
    """A frame of a capture.

    :param time_ns: since 1970; 0 where the file does not say
    :param length: bytes that it had, of which ``data`` may be the beginning alone
    :param linktype: what it is a frame of: 1 is Ethernet
    :param interface: its name, or "" where the file does not say
    """

    time_ns: int
    data: bytes
    length: int
    linktype: int
    interface: str = ""
    direction: Direction = Direction.UNKNOWN
    comments: tuple[str, ...] = ()


def read(file: BinaryIO) -> Iterator[Captured]:
    """Read a capture from where the file stands, to its end; never more of it than was asked for.

    :raises BadCapture: it is none, or is damaged; what came before was right
    :raises OSError: as the file does
    """
    magic = _take(file, 4, 0)
    if magic == Block.SECTION.to_bytes(4, "little"):
        yield from _Sections(file).read()
        return
    for order in "<>":
        units = _MAGIC.get(int(Struct(order + "I").unpack(magic)[0])) if len(magic) == 4 else None
        if units:
            yield from _pcap(file, order, units)
            return
    raise BadCapture("neither pcap nor pcapng")


def whole(file: BinaryIO, beginning: bytes) -> int:
    """Tell up to which byte a pcapng is whole that grows by blocks of little endian; its last one may be cut off.

    :param file: can be sought in; read from its first byte on, but for what blocks hold
    :param beginning: the blocks with which it begins
    :returns: 0 if not even those are whole
    :raises BadCapture: it begins otherwise, or has no block where one should be
    :raises OSError: as the file does
    """
    size = file.seek(0, SEEK_END)
    file.seek(0)
    found = file.read(len(beginning))
    if not beginning.startswith(found):
        raise BadCapture("it begins otherwise")
    at = len(found)
    if at < len(beginning):
        return 0
    # Both lengths of a block are its own: what a frame holds is not taken for one.
    while at + HEAD.size <= size:
        _, length = HEAD.unpack(_need(file, HEAD.size, at))
        if not _BLOCK_MIN <= length <= _BLOCK_MAX or length % 4:
            raise BadCapture(f"a block of {length} bytes at byte {at}")
        if at + length > size:
            break
        file.seek(length - _BLOCK_MIN, SEEK_CUR)
        if _need(file, 4, at) != length.to_bytes(4, "little"):
            raise BadCapture(f"a block with two lengths at byte {at}")
        at += length
    return at


def _take(file: BinaryIO, size: int, at: int) -> bytes:
    # All that was asked for, or nothing at the end of the file.
    data = file.read(size)
    if data and len(data) < size:
        raise BadCapture(f"cut off at byte {at + len(data)}")
    return data


def _need(file: BinaryIO, size: int, at: int) -> bytes:
    data = _take(file, size, at)
    if len(data) < size:
        raise BadCapture(f"cut off at byte {at}")
    return data


def _pcap(file: BinaryIO, order: str, units: int) -> Iterator[Captured]:
    *_, linktype = Struct(order + "HHiIII").unpack(_need(file, 20, 4))
    head, at = Struct(order + "IIII"), 24
    while record := _take(file, head.size, at):
        seconds, fraction, size, length = head.unpack(record)
        if size > SNAPLEN:
            raise BadCapture(f"a frame of {size} bytes at byte {at}")
        data = _need(file, size, at + head.size) if size else b""
        # The upper bits of a link type tell of check sequences.
        yield Captured(seconds * _NANO + fraction * (_NANO // units), data, length, linktype & 0xFFFF)
        at += head.size + size


class _Seen(NamedTuple):
    # An interface block. A time counts `units` to a second, and from `offset` seconds on.
    linktype: int
    snaplen: int
    name: str = ""
    units: int = 1_000_000
    offset: int = 0


class _Sections:
    # A pcapng file, its first block's type being read.

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0
        self._order = "<"
        self._interfaces: list[_Seen] = []

    def read(self) -> Iterator[Captured]:
        kind = Block.SECTION.to_bytes(4, "little")
        while kind:
            # A section's type reads the same in both orders.
            number = int.from_bytes(kind, "little")
            if number == Block.SECTION:
                self._begin()
            else:
                number = int(self._struct("I").unpack(kind)[0])
                body = self._body(_need(self._file, 4, self._at + 4))
                try:
                    if captured := self._block(number, body):
                        yield captured
                except (struct.error, IndexError) as error:
                    raise BadCapture(f"a block that contradicts itself, at byte {self._at}") from error
                self._at += len(body) + _BLOCK_MIN
            kind = _take(self._file, 4, self._at)

    def _struct(self, codes: str) -> Struct:
        return Struct(self._order + codes)

    def _begin(self) -> None:
        # Its length can be read once its magic number is.
        size, magic = _need(self._file, 4, self._at + 4), _need(self._file, 4, self._at + 8)
        for order in "<>":
            if Struct(order + "I").unpack(magic)[0] == BYTE_ORDER_MAGIC:
                self._order = order
                break
        else:
            raise BadCapture(f"no section begins at byte {self._at}")
        self._interfaces = []
        self._at += len(self._body(size, had=4)) + 4 + _BLOCK_MIN

    def _body(self, size: bytes, had: int = 0) -> bytes:
        (length,) = self._struct("I").unpack(size)
        if not _BLOCK_MIN + had <= length <= _BLOCK_MAX or length % 4:
            raise BadCapture(f"a block of {length} bytes at byte {self._at}")
        rest = _need(self._file, length - 8 - had, self._at + 8 + had)
        if rest[-4:] != size:
            raise BadCapture(f"a block with two lengths at byte {self._at}")
        return rest[:-4]

    def _block(self, kind: int, body: bytes) -> Captured | None:
        match kind:
            case Block.INTERFACE:
                self._interface(body)
            case Block.ENHANCED_PACKET:
                number, high, low, size, length = self._struct("IIIII").unpack_from(body)
                return self._packet(number, high << 32 | low, size, length, body[20:])
            case Block.PACKET:
                number, _, high, low, size, length = self._struct("HHIIII").unpack_from(body)
                return self._packet(number, high << 32 | low, size, length, body[20:])
            case Block.SIMPLE_PACKET:
                (length,) = self._struct("I").unpack_from(body)
                interface = self._interfaces[0]
                size = min(length, interface.snaplen or length, len(body) - 4)
                return Captured(0, body[4 : 4 + size], length, interface.linktype, interface.name)
        return None

    def _interface(self, body: bytes) -> None:
        linktype, _, snaplen = self._struct("HHI").unpack_from(body)
        if len(self._interfaces) == _INTERFACES_MAX:
            raise BadCapture(f"more than {_INTERFACES_MAX} interfaces at byte {self._at}")
        name, units, offset = "", 1_000_000, 0
        for code, value in self._options(body[8:]):
            if code == Option.IF_NAME:
                name = value[:_NAME_MAX].decode(errors="replace")
            elif code == Option.IF_TSRESOL:
                base, exponent = (2, value[0] & 0x7F) if value[0] & 0x80 else (10, value[0])
                units = base**exponent
            elif code == Option.IF_TSOFFSET:
                (offset,) = self._struct("q").unpack(value)
        self._interfaces.append(_Seen(linktype, snaplen, name, units, offset))

    def _packet(self, number: int, time: int, size: int, length: int, rest: bytes) -> Captured:
        if size > SNAPLEN or size > len(rest):
            raise BadCapture(f"a frame of {size} bytes at byte {self._at}")
        interface = self._interfaces[number]
        direction, comments = Direction.UNKNOWN, []
        for code, value in self._options(rest[size + -size % 4 :]):
            if code == Option.COMMENT:
                comments.append(value.decode(errors="replace"))
            elif code == PacketOption.FLAGS:
                bits = self._struct("I").unpack(value)[0] & 3
                direction = Direction(bits) if bits < 3 else Direction.UNKNOWN
        time_ns = interface.offset * _NANO + time * _NANO // interface.units
        data = rest[:size]
        return Captured(time_ns, data, length, interface.linktype, interface.name, direction, tuple(comments))

    def _options(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        head, at = self._struct("HH"), 0
        while at + head.size <= len(data):
            code, size = head.unpack_from(data, at)
            at += head.size
            if code == Option.END:
                return
            if at + size > len(data):
                raise BadCapture(f"an option of {size} bytes in the block at byte {self._at}")
            yield code, data[at : at + size]
            at += size + -size % 4
