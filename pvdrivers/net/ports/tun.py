"""Linux's TAPs by their descriptors: made or found, one descriptor a queue.

Ref: Linux Documentation/networking/tuntap.rst, drivers/net/tun.c
"""

import os
import socket
from contextlib import suppress
from errno import EACCES, EBUSY, EINVAL, EPERM
from fcntl import ioctl

from pvdrivers.abi import netdev
from pvdrivers.abi.netdev import IFREQ
from pvdrivers.errors import MachineError
from pvdrivers.net.ports import link

_CLONE = "/dev/net/tun"
_TAKEN = "TAP {} is taken: another program has it open"
#: What the kernel's refusals mean, since both kinds of queues were tried.
_SAID = {
    EBUSY: _TAKEN,
    EINVAL: "{} is no TAP",
    EPERM: "no right to TAP {0}: only root makes one, for others as well: ip tuntap add dev {0} mode tap user $USER",
}
_FLAGS = netdev.IFF_TAP | netdev.IFF_NO_PI | netdev.IFF_VNET_HDR


def attach(name: str, queues: int) -> tuple[str, list[int]]:
    """Make a TAP, or open the one that is there; in this thread's network namespace.

    :param name: one that `link.named` lets pass, or "" for one that the kernel names
    :param queues: how many are wanted; a TAP that is there with one has no more
    :returns: its name, and a descriptor for each queue, none of which blocks
    :raises MachineError: it cannot be had
    """
    several = netdev.IFF_MULTI_QUEUE
    was_running = _running(name)
    files: list[int] = []
    try:
        found, kind = _first(name, (several, 0) if queues > 1 else (0, several), files)
        if kind == several and was_running:
            # The kernel lets any program have some of its queues, and that one some of the frames.
            raise MachineError(_TAKEN.format(found))
        if kind == several:
            for _ in range(queues - 1):
                files.append(_open())
                _join(files[-1], found, several)
    except OSError as error:
        _close(files)
        said = _SAID.get(error.errno or 0, "no TAP {}: {}")
        raise MachineError(said.format(name or "NAME", error.strerror)) from error
    except MachineError:
        _close(files)
        raise
    return found, files


def _first(name: str, kinds: tuple[int, int], files: list[int]) -> tuple[str, int]:
    # One that is there has one queue or several, and refuses the other.
    files.append(_open())
    try:
        return _join(files[0], name, kinds[0]), kinds[0]
    except OSError as error:
        if error.errno != EINVAL:
            raise
    return _join(files[0], name, kinds[1]), kinds[1]


def _join(file: int, name: str, kind: int) -> str:
    request = IFREQ.struct.pack(name.encode(), _FLAGS | kind, b"")
    (found, *_) = IFREQ.struct.unpack(ioctl(file, netdev.TUNSETIFF, request))
    return bytes(found).rstrip(b"\0").decode()


def _open() -> int:
    try:
        return os.open(_CLONE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        hint = "" if error.errno == EACCES else "; `modprobe tun` may bring it"
        raise MachineError(f"no TAPs here: {_CLONE}: {error.strerror}{hint}") from error


def _running(name: str) -> bool:
    # Of a TAP: whether a program has it.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked:
        return bool(link.flags(name, asked) & netdev.IFF_RUNNING)
    return False


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
