"""A TAP: frames go to the host's network stack, or to a bridge, and come from there.

Law: a TAP that was there is used as it is, but for what was asked for, and stays; one that we make is gone once it is
closed. What the kernel may hand over undone is set at each `open`, by what the frontend can be told.
"""

import os
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EOPNOTSUPP, EPERM
from fcntl import ioctl
from struct import pack

from pvdrivers.abi import netdev
from pvdrivers.abi.virtio_net import HDR
from pvdrivers.errors import MachineError
from pvdrivers.net import virtio
from pvdrivers.net.frame import Abilities
from pvdrivers.net.ports import link, tun
from pvdrivers.net.ports.base import ALL
from pvdrivers.net.ports.headed import HeadedLane
from pvdrivers.net.ports.namespaces import inside
from pvdrivers.net.ports.packed import DirectLane
from pvdrivers.net.ports.plain.single import SingleLine

#: As Xen's vif-bridge has it: a bridge takes the lowest address of its parts for its own.
_OF_A_BRIDGE = bytes.fromhex("feffffffffff")


@dataclass(frozen=True)
class Wish:
    """Which TAP, and what is to be set of it; None leaves things as they are.

    :param name: "" for one that the kernel names
    :param bridge: of which it becomes part
    :param mtu: in bytes
    :param mac: of the host's end
    :param netns: the network namespace that it is in, as `namespaces.inside` has it; "" for this one
    """

    name: str = ""
    bridge: str | None = None
    mtu: int | None = None
    mac: bytes | None = None
    netns: str = ""


class Tap:
    """The port.

    :param compiled: False for the reference alone
    """

    abilities = ALL

    def __init__(self, wish: Wish, *, compiled: bool = True) -> None:
        self._wish, self._compiled = wish, compiled
        self._name = wish.name
        self._lanes: Sequence[HeadedLane] = ()

    @property
    def name(self) -> str:
        """``tap:NAME``; what the kernel calls it is known while it is open."""
        return f"tap:{self._name}" if self._name else "tap"

    @property
    def carrier(self) -> bool:
        """Whether the device is up."""
        file = self._lanes[0].fileno() if self._lanes else -1
        if file < 0:
            return False
        # One that is down takes nothing; true in whichever namespace somebody has moved it to.
        asked = select.poll()
        asked.register(file, select.POLLOUT)
        return any(event & select.POLLOUT for _, event in asked.poll(0))

    def open(self, lanes: int, reader: Abilities) -> Sequence[HeadedLane]:
        """Make the TAP, or open it.

        :raises MachineError: it cannot be had
        """
        self._name, files = inside(self._wish.netns, lambda: self._attach(lanes, reader))
        queues = len(files)
        # One that has one queue gives no more; all lanes send by it.
        files += [os.dup(files[0]) for _ in range(lanes - queues)]
        self._lanes = [self._lane(file, reader, receives=number < queues) for number, file in enumerate(files)]
        return self._lanes

    def _lane(self, file: int, reader: Abilities, *, receives: bool) -> HeadedLane:
        if not self._compiled:
            return HeadedLane(self.name, _Queue(file), self.abilities, reader, receives=receives)
        plain = SingleLine(file, self.abilities, reader)
        return DirectLane(self.name, _Queue(file), plain, self.abilities, reader, receives=receives)

    def _attach(self, lanes: int, reader: Abilities) -> tuple[str, list[int]]:
        name, files = tun.attach(self._wish.name, lanes)
        try:
            ioctl(files[0], netdev.TUNSETVNETHDRSZ, pack("i", HDR.size))
            ioctl(files[0], netdev.TUNSETOFFLOAD, virtio.readable(reader))
            self._set_up(name)
        except (OSError, MachineError) as error:
            for file in files:
                os.close(file)
            if isinstance(error, OSError):
                raise MachineError(f"cannot set up TAP {name}: {error.strerror}") from error
            raise
        return name, files

    def _set_up(self, name: str) -> None:
        wish = self._wish
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked:
            up = link.flags(name, asked) & netdev.IFF_UP
            mtu = None if wish.mtu == link.mtu(name, asked) else wish.mtu
        if up and wish.bridge is None and mtu is None and wish.mac is None:
            # Whoever prepared it may have a right to it that we have not.
            return
        master = None
        if wish.bridge is not None:
            try:
                master = socket.if_nametoindex(wish.bridge)
            except OSError as error:
                raise MachineError(
                    f"no bridge {wish.bridge}: `ip link add name {wish.bridge} type bridge` makes one"
                ) from error
        mac = _OF_A_BRIDGE if wish.mac is None and wish.bridge is not None else wish.mac
        try:
            link.bring_up(socket.if_nametoindex(name), mac=mac, mtu=mtu, master=master)
        except OSError as error:
            if error.errno == EOPNOTSUPP and master is not None:
                raise MachineError(f"{wish.bridge} is no bridge") from error
            hint = f"; {self._by_root(name)}" if error.errno == EPERM else ""
            raise MachineError(f"cannot set up TAP {name}: {error.strerror}{hint}") from error

    def _by_root(self, name: str) -> str:
        wish = self._wish
        words = [f"mtu {wish.mtu}"] if wish.mtu is not None else []
        words += [f"master {wish.bridge}"] if wish.bridge is not None else []
        said = f"as root: ip link set dev {name} {' '.join([*words, 'up'])}"
        return said if wish.bridge is None else f"{said}; then leave bridge= out"

    def close(self) -> None:
        """Close it."""
        for lane in self._lanes:
            lane.close()
        self._lanes = ()


class _Queue:
    # One descriptor.

    def __init__(self, file: int) -> None:
        self._file = file

    def fileno(self) -> int:
        return self._file

    def read(self, header: bytearray, room: memoryview) -> memoryview:
        size = os.readv(self._file, (header, room))
        return room[: size - len(header)]

    def write(self, header: bytes, data: bytes | memoryview) -> None:
        os.writev(self._file, (header, data))

    def gone(self) -> bool:
        # The kernel's answers tell.
        return False

    def lost(self) -> int:
        # The device's own statistics have it (`ip -s link`).
        return 0

    def close(self) -> None:
        os.close(self._file)
