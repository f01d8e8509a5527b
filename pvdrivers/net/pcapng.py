"""Writing captures as pcapng: frames with their direction, their queue, and in words what does not stand in them.

Law: what is written here is read alike by Wireshark, tcpdump, editcap and mergecap. So there is one section with one
resolution, all interfaces stand at its top with one snapshot length, and what has no option that all of them keep
stands in a comment: no option epb_verdict (editcap 4.0 writes it so that nobody reads the file any more), no custom
options (nobody shows them), no custom blocks (tshark counts them as packets).

Ref: draft-ietf-opsawg-pcapng
"""

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import BinaryIO, NamedTuple

from pvdrivers.abi.netif import GsoType
from pvdrivers.net.frame import Checksum, Offload

#: Bytes that a frame may have, whatever its interface: tcpdump wants them alike, and nobody reads more.
SNAPLEN = 262144
LINKTYPE_ETHERNET = 1
BYTE_ORDER_MAGIC = 0x1A2B3C4D


class Block(IntEnum):
    """What a block is."""

    SECTION = 0x0A0D0D0A
    INTERFACE = 1
    #: Obsolete, and only read.
    PACKET = 2
    SIMPLE_PACKET = 3
    ENHANCED_PACKET = 6


class Option(IntEnum):
    """Options that any block may have, and those of interfaces."""

    END = 0
    COMMENT = 1
    IF_NAME = 2
    IF_TSRESOL = 9
    IF_TSOFFSET = 14


class PacketOption(IntEnum):
    """Options of a packet."""

    FLAGS = 2
    DROPCOUNT = 4
    PACKETID = 5
    QUEUE = 6


class Direction(IntEnum):
    """The lowest two bits of a packet's flags."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


#: What every block begins with: type, and bytes in all; which stand at its end once more.
HEAD = Struct("<II")
_SECTION = Struct("<IHHq")
_INTERFACE = Struct("<HHI")
_PACKET = Struct("<IIIII")
_OPTION = Struct("<HH")
_U32, _U64 = Struct("<I"), Struct("<Q")
_USERAPPL = 4
#: 10**-9 seconds.
_NANOSECONDS = b"\x09"
_OPTION_MAX = 0xFFFF


class Interface(NamedTuple):
    """Where frames were seen.

    :param name: as Wireshark shows it: ``vif3.0``
    """

    name: str
    comment: str = ""


class Writer:
    """A capture that grows. A file belongs to whoever gave it; nothing is kept back from it but what it buffers.

    :param file: is written to from where it stands
    :param interfaces: all that there will be; at least one
    :param begun: whether the file has them already, and is gone on with
    :raises OSError: as the file does
    """

    def __init__(self, file: BinaryIO, interfaces: Sequence[Interface], *, begun: bool = False) -> None:
        self._file, self._interfaces = file, len(interfaces)
        if not begun:
            file.write(beginning(interfaces))

    def write(
        self,
        interface: int,
        time_ns: int,
        data: bytes | memoryview,
        *,
        inbound: bool,
        comment: str = "",
        queue: int | None = None,
        packet_id: int | None = None,
        dropped: int = 0,
    ) -> None:
        """Write a frame.

        :param interface: its index in ``interfaces``
        :param time_ns: since 1970
        :param inbound: whether the interface received it
        :param queue: on which of the interface's queues
        :param packet_id: what identifies it where it is seen more than once
        :param dropped: frames between this and the one before that were lost
        :raises OSError: as the file does
        :raises ValueError: there is no such interface, or it is longer than `SNAPLEN`
        """
        if not 0 <= interface < self._interfaces:
            raise ValueError(f"interface {interface} of {self._interfaces}")
        if len(data) > SNAPLEN:
            raise ValueError(f"a frame of {len(data)} bytes")
        direction = Direction.INBOUND if inbound else Direction.OUTBOUND
        options = [(PacketOption.FLAGS, _U32.pack(direction))]
        if dropped:
            options.append((PacketOption.DROPCOUNT, _U64.pack(dropped)))
        if packet_id is not None:
            options.append((PacketOption.PACKETID, _U64.pack(packet_id)))
        if queue is not None:
            options.append((PacketOption.QUEUE, _U32.pack(queue)))
        head = _PACKET.pack(interface, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), len(data))
        body = head + _padded(bytes(data)) + _options([*_comment(comment), *options])
        self._file.write(_block(Block.ENHANCED_PACKET, body))

    def flush(self) -> None:
        """Let others see what was written.

        :raises OSError: as the file does
        """
        self._file.flush()


def beginning(interfaces: Sequence[Interface]) -> bytes:
    """Give what a capture begins with."""
    section = _SECTION.pack(BYTE_ORDER_MAGIC, 1, 0, -1) + _options([(_USERAPPL, b"xentool")])
    return _block(Block.SECTION, section) + b"".join(map(_interface, interfaces))


def remark(offload: Offload) -> str:
    """Say what is left to be done to a frame: no program that reads captures knows; all call blank checksums bad."""
    said = []
    if offload.checksum is Checksum.BLANK:
        said.append("checksum blank: the pseudo-header's sum alone")
    elif offload.checksum is Checksum.VALIDATED:
        said.append("checksum validated")
    if offload.gso is not GsoType.NONE:
        said.append(f"GSO {offload.gso.name}, segments of {offload.gso_size} bytes")
    return "; ".join(said)


def _interface(interface: Interface) -> bytes:
    options = [(Option.IF_NAME, _text(interface.name)), (Option.IF_TSRESOL, _NANOSECONDS)]
    body = _INTERFACE.pack(LINKTYPE_ETHERNET, 0, SNAPLEN) + _options([*_comment(interface.comment), *options])
    return _block(Block.INTERFACE, body)


def _comment(comment: str) -> list[tuple[int, bytes]]:
    return [(Option.COMMENT, _text(comment))] if comment else []


def _text(text: str) -> bytes:
    # Not in the midst of a character.
    return text.encode(errors="replace")[:_OPTION_MAX].decode(errors="ignore").encode()


def _options(options: Sequence[tuple[int, bytes]]) -> bytes:
    each = [_OPTION.pack(code, len(value)) + _padded(value) for code, value in options]
    return b"".join(each) + _OPTION.pack(Option.END, 0)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: Block, body: bytes) -> bytes:
    size = HEAD.size + len(body) + _U32.size
    return HEAD.pack(kind, size) + body + _U32.pack(size)
