"""A network device, by its name: whether it is up, and what is to be set of it, in one message of rtnetlink.

One message, so that a device is never half set; and the kernel says in words what is wrong with it. A library for this
(pyroute2) has some hundred modules.

Ref: rtnetlink(7), netlink(7)
"""

import os
import re
import socket
from errno import ENODEV
from fcntl import ioctl
from struct import Struct

from pvdrivers.abi import netdev
from pvdrivers.abi.netdev import IFINFOMSG, IFREQ, NLMSGHDR, RTATTR
from pvdrivers.errors import MachineError

_INT = Struct("<i")
_U32 = Struct("<I")
_ANSWER = 4096
# NLA_TYPE_MASK
_TYPE_MASK = 0x3FFF


def named(name: str) -> str:
    """Give a device's name: one that the kernel takes as it is, and that is fit for a terminal and a path in /sys.

    Ref: Linux net/core/dev.c (``dev_valid_name``), which takes control characters too, and a number of its own for %d

    :raises MachineError: no device has such a name
    """
    long = len(name.encode(errors="surrogateescape")) >= netdev.IFNAMSIZ
    if long or name in (".", "..") or not name.isprintable() or re.search(r"[/:%\s]", name) or not name:
        raise MachineError(
            f"{name!r} is no name for a network device: {netdev.IFNAMSIZ - 1} bytes at most, without blanks, /, : and %"
        )
    return name


def flags(name: str, asked: socket.socket) -> int:
    """Ask for a device's flags (IFF_UP, IFF_RUNNING).

    :param asked: any socket of its network namespace
    :raises OSError: there is no such device
    """
    return _ask(netdev.SIOCGIFFLAGS, name, asked) & 0xFFFF


def mtu(name: str, asked: socket.socket) -> int:
    """Ask for a device's MTU, in bytes.

    :raises OSError: there is no such device
    """
    return _ask(netdev.SIOCGIFMTU, name, asked)


def _ask(request: int, name: str, asked: socket.socket) -> int:
    encoded = name.encode()
    if len(encoded) >= netdev.IFNAMSIZ:
        raise OSError(ENODEV, os.strerror(ENODEV))
    answer = ioctl(asked, request, encoded.ljust(IFREQ.size, b"\0"))
    return int(_INT.unpack_from(answer, IFREQ.offsets["ifr_flags"])[0])


def bring_up(index: int, *, mac: bytes | None = None, mtu: int | None = None, master: int | None = None) -> None:
    """Set a device up, and what else is given; in this thread's network namespace.

    :param mac: its own address
    :param mtu: in bytes
    :param master: the index of a bridge, of which it becomes part
    :raises OSError: the kernel refuses; in its words if it has some
    """
    attributes = []
    if mac is not None:
        attributes.append((netdev.IFLA_ADDRESS, mac))
    if mtu is not None:
        attributes.append((netdev.IFLA_MTU, _U32.pack(mtu)))
    if master is not None:
        attributes.append((netdev.IFLA_MASTER, _U32.pack(master)))
    body = IFINFOMSG.struct.pack(socket.AF_UNSPEC, 0, 0, index, netdev.IFF_UP, netdev.IFF_UP)
    for kind, value in attributes:
        body += RTATTR.struct.pack(RTATTR.size + len(value), kind) + value + bytes(-len(value) % 4)
    wanted = netdev.NLM_F_REQUEST | netdev.NLM_F_ACK
    head = NLMSGHDR.struct.pack(NLMSGHDR.size + len(body), netdev.RTM_NEWLINK, wanted, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        for option in (netdev.NETLINK_CAP_ACK, netdev.NETLINK_EXT_ACK):
            asked.setsockopt(netdev.SOL_NETLINK, option, 1)
        asked.send(head + body)
        _settle(asked.recv(_ANSWER))


def _settle(answer: bytes) -> None:
    # struct nlmsgerr: the error, and the head of what was asked for; then words.
    (error,) = _INT.unpack_from(answer, NLMSGHDR.size)
    if not error:
        return
    at = 2 * NLMSGHDR.size + _INT.size
    while at + RTATTR.size <= len(answer):
        length, kind = RTATTR.struct.unpack_from(answer, at)
        if kind & _TYPE_MASK == netdev.NLMSGERR_ATTR_MSG:
            raise OSError(-error, answer[at + RTATTR.size : at + length].rstrip(b"\0").decode(errors="replace"))
        at += max(length + -length % 4, RTATTR.size)
    raise OSError(-error, os.strerror(-error))
