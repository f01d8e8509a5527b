"""A network interface that is there: a vif's frames go out by it, and what comes in by it is for the vif.

Law: the interface's host and the vif share the wire and do not hear one another: what leaves by the interface is not
taken for what came in.

Ref: packet(7), Linux net/packet/af_packet.c
"""

import socket
from collections.abc import Sequence
from errno import EMEDIUMTYPE, ENODEV, EPERM
from struct import Struct

from pvdrivers.abi import netdev, wire
from pvdrivers.abi.netdev import PACKET_MREQ, TPACKET_AUXDATA
from pvdrivers.abi.virtio_net import HDR, HdrFlag
from pvdrivers.abi.wire import EtherType
from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Abilities
from pvdrivers.net.ports import link
from pvdrivers.net.ports.base import ALL
from pvdrivers.net.ports.headed import HeadedLane
from pvdrivers.net.ports.packed import PackedHeadedLane
from pvdrivers.net.ports.plain.batched import BatchedLine

_SAID = {
    ENODEV: "there is no such interface (`ip link` lists them)",
    EPERM: "only root has a right to its frames (CAP_NET_RAW)",
}
#: Bytes that wait to be read, or to be sent: some dozens of the longest frames.
_BUFFER = 4 << 20
_ANCILLARY = 256
#: Where a tag stands: behind both addresses.
_TAG_AT = 2 * wire.ADDRESS_SIZE
_TAG = Struct(">HH")
_U32 = Struct("=I")
#: What an MTU leaves out: the kernel lets a frame with a tag be longer by that.
_AROUND = wire.ETHERNET_SIZE + wire.TAG_SIZE


class Packet:
    """The port.

    :param interface: its name
    :param compiled: False for the reference alone
    """

    def __init__(self, interface: str, *, compiled: bool = True) -> None:
        self._interface, self._compiled = interface, compiled
        self._asked: socket.socket | None = None
        self._lanes: Sequence[HeadedLane] = ()
        #: Frames above the MTU are refused, but for those that the kernel is to cut.
        self.abilities = ALL._replace(longest=1500 + _AROUND)

    @property
    def name(self) -> str:
        """``packet:INTERFACE``."""
        return f"packet:{self._interface}"

    @property
    def carrier(self) -> bool:
        """Whether the interface is up, and has a link."""
        try:
            return bool(self._asked and link.flags(self._interface, self._asked) & netdev.IFF_RUNNING)
        except OSError:
            return False

    def open(self, lanes: int, reader: Abilities) -> Sequence[HeadedLane]:
        """Listen on the interface, and send by it.

        :raises MachineError: there is no such interface, or no right to it
        """
        lines: list[_Line] = []
        try:
            self._asked = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            longest = link.mtu(self._interface, self._asked) + _AROUND
            for number in range(lanes):
                lines.append(_Line())
                lines[-1].bind(self._interface, receives=number == 0)
        except OSError as error:
            for line in lines:
                line.close()
            self.close()
            why = _SAID.get(error.errno or 0, error.strerror)
            raise MachineError(f"cannot listen on {self._interface}: {why}") from error
        self.abilities = ALL._replace(longest=longest)
        self._lanes = [self._lane(line, reader, receives=number == 0) for number, line in enumerate(lines)]
        return self._lanes

    def _lane(self, line: "_Line", reader: Abilities, *, receives: bool) -> HeadedLane:
        if not self._compiled:
            return HeadedLane(self.name, line, self.abilities, reader, receives=receives)
        plain = BatchedLine(line.fileno(), self.abilities, reader)
        return PackedHeadedLane(self.name, line, plain, self.abilities, reader, receives=receives)

    def close(self) -> None:
        """Let go of the interface."""
        for lane in self._lanes:
            lane.close()
        self._lanes = ()
        if self._asked:
            self._asked.close()
            self._asked = None


class _Line:
    # A packet socket. Nothing comes in before it is bound.

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._lost = self._told = 0

    def bind(self, interface: str, *, receives: bool) -> None:
        """Begin.

        :raises OSError: it cannot be had
        """
        ours = self._socket
        for option in (netdev.PACKET_VNET_HDR, netdev.PACKET_AUXDATA, netdev.PACKET_IGNORE_OUTGOING):
            ours.setsockopt(netdev.SOL_PACKET, option, 1)
        ours.setsockopt(socket.SOL_SOCKET, netdev.SO_RXQ_OVFL, 1)
        for option, forced in (
            (socket.SO_RCVBUF, netdev.SO_RCVBUFFORCE),
            (socket.SO_SNDBUF, netdev.SO_SNDBUFFORCE),
        ):
            try:
                ours.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
            except PermissionError:
                # As much as anybody may have.
                ours.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        wanted = PACKET_MREQ.struct.pack(socket.if_nametoindex(interface), netdev.PACKET_MR_PROMISC, 0, b"")
        ours.setsockopt(netdev.SOL_PACKET, netdev.PACKET_ADD_MEMBERSHIP, wanted)
        ours.bind((interface, netdev.ETH_P_ALL if receives else 0))
        *_, kind, _ = ours.getsockname()
        if kind != netdev.ARPHRD_ETHER:
            raise OSError(EMEDIUMTYPE, "it is no interface of Ethernet")

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, header: bytearray, room: memoryview) -> memoryview:
        size, ancillary, flags, _ = self._socket.recvmsg_into((header, room[wire.TAG_SIZE :]), _ANCILLARY)
        if flags & socket.MSG_TRUNC:
            return room
        data = room[wire.TAG_SIZE : wire.TAG_SIZE + size - len(header)]
        for level, kind, value in ancillary:
            if (level, kind) == (netdev.SOL_PACKET, netdev.PACKET_AUXDATA):
                status, *_, tci, tpid = TPACKET_AUXDATA.struct.unpack(value)
                if status & netdev.TP_STATUS_VLAN_VALID:
                    known = status & netdev.TP_STATUS_VLAN_TPID_VALID
                    data = _tagged(header, room, len(data), tpid if known else EtherType.VLAN, tci)
            elif (level, kind) == (socket.SOL_SOCKET, netdev.SO_RXQ_OVFL):
                (self._lost,) = _U32.unpack(value)
        return data

    def write(self, header: bytes, data: bytes | memoryview) -> None:
        self._socket.sendmsg((header, data))

    def gone(self) -> bool:
        return not self._socket.getsockname()[0]

    def lost(self) -> int:
        # The kernel's counter has 32 bits.
        more = (self._lost - self._told) & 0xFFFFFFFF
        self._told = self._lost
        return more

    def close(self) -> None:
        self._socket.close()


def _tagged(header: bytearray, room: memoryview, size: int, tpid: int, tci: int) -> memoryview:
    # Puts a tag back that the kernel, or the interface itself, has taken out.
    room[:_TAG_AT] = room[wire.TAG_SIZE : wire.TAG_SIZE + _TAG_AT]
    _TAG.pack_into(room, _TAG_AT, tpid, tci)
    flags, gso, length, gso_size, start, offset = HDR.struct.unpack(header)
    if flags & HdrFlag.NEEDS_CSUM:
        # Both are counted from the frame's beginning.
        HDR.struct.pack_into(header, 0, flags, gso, length + wire.TAG_SIZE, gso_size, start + wire.TAG_SIZE, offset)
    return room[: wire.TAG_SIZE + size]
