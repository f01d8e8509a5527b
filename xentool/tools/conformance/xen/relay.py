"""Frames between a network interface and a stream: alone in a guest, by its input and output, or in a thread.

``python3 -c RELAY FOLDER``, where FOLDER is the driver's ``net`` in sysfs (``/sys/bus/xen/devices/vif-1/net``). Each
record of the stream is LENGTH (4 bytes, the highest first), virtio_net_hdr and frame; one of nothing comes first, once
frames are listened for. It ends with the stream, or with the interface.

Law: it is sent to guests as it is, whose Python may be an old one, and has nothing of this project.

Ref: packet(7), netdevice(7), Linux include/uapi/linux/{if_packet,ethtool}.h
"""

import array
import errno
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from fcntl import ioctl

HEAD = struct.Struct(">I")
#: virtio_net_hdr.
_HDR = struct.Struct("<BBHHHH")
_NEEDS_CSUM = 1
#: Seconds that an interface may take to be there, and to take a frame; and between looks.
_PATIENCE, _STUCK, _LOOK = 60.0, 10.0, 0.02
#: Bytes of the longest frame with its header, and of what may wait for the stream's other end.
_ROOM, _WAITING = 1 << 17, 4 << 20
#: Bytes before an interface's payload, and the longest payload that any driver of vifs takes.
_AROUND, _LONGEST = 18, 65517
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
_PACKET_ADD_MEMBERSHIP, _PACKET_MR_PROMISC, _ETH_P_ALL = 1, 1, 3
#: struct tpacket_auxdata; of its status, that a tag is there, and of which kind.
_AUXDATA = struct.Struct("=IIIHHHH")
_TAG, _TAG_KIND, _VLAN = 1 << 4, 1 << 6, 0x8100
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFMTU, _SIOCETHTOOL = 0x8913, 0x8914, 0x8922, 0x8946
_IFF_UP, _IFF_NOARP, _IFF_MULTICAST = 0x1, 0x80, 0x1000
#: Whether frames are put together as they come.
_ETHTOOL_SGRO = 0x2C
_IPV6 = "/proc/sys/net/ipv6/conf"
#: What passes: no link yet, no room, no queue.
_LATER = {errno.ENOBUFS, errno.ENETDOWN, errno.EAGAIN}


def found(folder: str, there: int) -> str:
    """Wait for a driver's interface; give its name.

    :param there: descriptor of a stream that says nothing before, unless it ends
    :raises OSError: there is no interface, or nobody who waits for it
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        with suppress(OSError):
            if names := os.listdir(folder):  # noqa: PTH208 - pathlib takes an emulated guest longer than all the rest
                return names[0]
        if select.select([there], [], [], _LOOK)[0] or time.monotonic() > deadline:
            raise OSError(errno.ENODEV, "no interface", folder)


def _asked(name: str, number: int, content: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        return ioctl(asking, number, struct.pack("16s24s", name.encode(), content))[16:]


def _quiet(name: str) -> None:
    # Up, and nothing goes over it but what the stream gives; what comes in stays in as many frames.
    off = array.array("I", (_ETHTOOL_SGRO, 0))
    with suppress(OSError):
        _asked(name, _SIOCETHTOOL, struct.pack("P", off.buffer_info()[0]))
    # Behind what waits for the kernel's lock (rtnl): an interface is in sysfs before IPv6 knows it.
    with suppress(OSError), open(f"{_IPV6}/{name}/disable_ipv6", "w") as disabled:  # noqa: PTH123 - as above
        disabled.write("1")
    (flags,) = struct.unpack_from("H", _asked(name, _SIOCGIFFLAGS, b""))
    _asked(name, _SIOCSIFFLAGS, struct.pack("H", flags & ~_IFF_MULTICAST | _IFF_UP | _IFF_NOARP))


class _Line:
    # A packet socket, and its interface.

    def __init__(self, name: str) -> None:
        self._name, self._long = name, False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        for option in (_PACKET_VNET_HDR, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING):
            self.socket.setsockopt(_SOL_PACKET, option, 1)
        # Frames of a burst, the longest of them.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _WAITING)
        all_of_it = struct.pack("=iHH8s", socket.if_nametoindex(name), _PACKET_MR_PROMISC, 0, b"")
        self.socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, all_of_it)
        self.socket.bind((name, _ETH_P_ALL))

    def read(self) -> bytes:
        """Give a frame that has come, with a tag that the kernel had taken out."""
        message, ancillary, _, _ = self.socket.recvmsg(_ROOM, 256)
        for _, kind, value in ancillary:
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack(value) if kind == _PACKET_AUXDATA else (0,) * 7
            if status & _TAG:
                message = _tagged(message, tpid if status & _TAG_KIND else _VLAN, tci)
        return message

    def write(self, message: bytes) -> None:
        """Send a frame, once it is taken; one that never is is lost, as on any wire."""
        if len(message) - _HDR.size > 1500 + _AROUND and not self._long:
            # What is longer is refused, unless it is to be cut.
            self._long = True
            with suppress(OSError):
                _asked(self._name, _SIOCSIFMTU, struct.pack("i", _LONGEST))
        deadline = time.monotonic() + _STUCK
        while time.monotonic() < deadline:
            try:
                self.socket.send(message, socket.MSG_DONTWAIT)
            except OSError as error:
                if error.errno not in _LATER:
                    return
                time.sleep(_LOOK)
            else:
                return


def _tagged(message: bytes, tpid: int, tci: int) -> bytes:
    flags, gso, length, size, start, offset = _HDR.unpack_from(message)
    if flags & _NEEDS_CSUM:
        # Counted from the frame's beginning.
        start += 4
    at = _HDR.size + 12
    return (
        _HDR.pack(flags, gso, length, size, start, offset)
        + message[_HDR.size : at]
        + struct.pack(">HH", tpid, tci)
        + message[at:]
    )


def relay(folder: str, there: int, back: int) -> None:
    """Pass frames on until the stream ends, or the interface is gone.

    :param there: descriptor that what is to be sent is read from
    :param back: descriptor that what comes is written to
    :raises OSError: there is no interface, or nobody may listen there
    """
    name = found(folder, there)
    _quiet(name)
    line = _Line(name)
    os.set_blocking(back, False)
    records, waiting = bytearray(), bytearray(HEAD.pack(0))
    with line.socket, suppress(OSError):
        while True:
            reads: list[int | socket.socket] = [there] if len(waiting) > _WAITING else [there, line.socket]
            readable, writable, _ = select.select(reads, [back] if waiting else [], [])
            if line.socket in readable:
                message = line.read()
                waiting += HEAD.pack(len(message)) + message
            if writable:
                with suppress(BlockingIOError):
                    del waiting[: os.write(back, waiting)]
            if there in readable:
                with suppress(BlockingIOError):
                    some = os.read(there, 1 << 16)
                    if not some:
                        return
                    records += some
            while len(records) >= HEAD.size:
                (length,) = HEAD.unpack_from(records)
                if len(records) < HEAD.size + length:
                    break
                line.write(bytes(records[HEAD.size : HEAD.size + length]))
                del records[: HEAD.size + length]


if __name__ == "__main__":
    relay(sys.argv[1], 0, 1)
