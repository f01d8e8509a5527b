"""What a domain asks of the machine, a packet each way: 32-bit words, and file descriptors beside them.

A request is its number and arguments. A reply is an errno, then results if that is 0.
"""

import os
import socket
from array import array
from collections.abc import Sequence
from enum import IntEnum
from errno import ECONNRESET, EMFILE
from pathlib import Path

#: Pages that one call maps: each may bring a descriptor of its own, and a packet carries no more than 253.
MAP_MAX = 128
#: Bytes of the longest packet: the references of all that a domain may grant.
PACKET_MAX = 256 << 10
_FDS_MAX = 253


class Call(IntEnum):
    """What can be asked for: arguments → results, descriptors."""

    #: domid, writable, pages → region, a gref for each; the pages
    GRANT = 1
    #: region →
    REVOKE = 2
    #: domid, writable, grefs → mapping, then for each gref which of the descriptors, and which page in it
    MAP = 3
    #: mapping →
    UNMAP = 4
    #: domid → ; the domain's grant table
    TABLE = 5
    #: domid, gref → region, pages, writable; the pages
    OPEN = 6
    #: domid → port; own eventfd, the peer's
    ALLOC_UNBOUND = 7
    #: domid, port → port; own eventfd, the peer's
    BIND_INTERDOMAIN = 8
    #: port →
    CLOSE = 9


def address(directory: Path, domid: int) -> Path:
    """Give the socket where whoever connects is a domain."""
    return directory / f"{domid}.xen"


def store_address(directory: Path, domid: int) -> Path:
    """Give the socket of a domain's XenStore."""
    return directory / f"{domid}.store"


def send(to: socket.socket, words: Sequence[int], fds: Sequence[int] = ()) -> None:
    """Send a packet."""
    packet = array("I", words).tobytes()
    if fds:
        socket.send_fds(to, [packet], fds)
    else:
        to.send(packet)


def receive(source: socket.socket) -> tuple[list[int], list[int]]:
    """Take a packet: words and descriptors.

    :raises ConnectionError: the other side is gone
    :raises OSError: this process cannot take so many descriptors
    """
    packet, fds, flags, _ = socket.recv_fds(source, PACKET_MAX, _FDS_MAX)
    if not packet:
        raise ConnectionResetError(ECONNRESET, os.strerror(ECONNRESET))
    if flags & socket.MSG_CTRUNC:
        for fd in fds:
            os.close(fd)
        raise OSError(EMFILE, os.strerror(EMFILE))
    return list(array("I", packet[: len(packet) & ~3])), list(fds)
