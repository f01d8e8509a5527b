"""QEMU's network backend; the kit's frontends are in dom0, too, and so is what lies behind its vifs: a socket.

A vif that a toolstack plugs lies on nothing in it: this one is told to have its own (``device_add``), and writes the
nodes of both ends itself.

Ref: QEMU hw/net/xen_nic.c, of 8.2 and later
"""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from pathlib import Path

from pvdrivers.bus.end import put
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.net.frames import Carried, finished
from pvdrivers.conformance.net.subject import ServedVif, Vif
from pvdrivers.conformance.observation import Unsupported
from pvdrivers.errors import MachineError
from pvdrivers.transport.xen import Xen
from pvdrivers.xenbus import Role
from xentool.tools.conformance.our_vifs import MAC
from xentool.tools.conformance.xen import qemu
from xentool.tools.conformance.xen.bench import bench
from xentool.tools.conformance.xen.devices import Kind, away, marked
from xentool.tools.conformance.xen.qmp import Qmp
from xentool.tools.conformance.xen.world import STRANGER

#: As QEMU calls them.
_KIND = Kind("vif", "qnic", lambda n: n)
_ROOM = 1 << 17


class WireFar:
    """Frames as they are on a wire: of none is anything said besides; see `pvdrivers.conformance.net.subject.FarSide`.

    :param here: where what comes out is put
    :param there: where what is to go in is
    """

    def __init__(self, here: Path, there: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(here))
        self._there = there

    def send(self, frame: Carried) -> bool:
        """Let a frame come in; tell whether it was taken: one that is to be cut never is."""
        if frame.gso:
            return False
        with suppress(OSError):
            self._socket.sendto(finished(frame), str(self._there))
            return True
        return False

    def receive(self, seconds: float) -> Carried | None:
        """Give the next frame that has come out; None if none does within a time."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        return Carried(self._socket.recv(_ROOM)) if ready else None

    def close(self) -> None:
        """Be gone."""
        self._socket.close()


class QnicBench(qemu.QemuBench):
    """A QEMU, and vifs for it; see `pvdrivers.conformance.net.subject.VifBackBench`."""

    told: Qmp
    numbers: Iterator[int]

    @contextmanager
    def served(self, vif: Vif) -> Iterator[ServedVif]:
        """Plug in a vif.

        :raises Unsupported: it is to have a rate, which this backend does not know
        """
        if vif.rate:
            raise Unsupported("it knows of no rate")
        number = next(self.numbers)
        spot = Spot(_KIND.front, _KIND.back, 0, 0, number)
        here, there = (self.folder / f"{end}-{number}" for end in ("kit", "qemu"))
        with ExitStack() as stack:
            far = stack.enter_context(closing(WireFar(here, there)))
            local, remote = ({"type": "unix", "path": str(path)} for path in (there, here))
            self.told.does("netdev_add", type="dgram", id=f"wire{number}", local=local, remote=remote)
            stack.callback(self._gone, spot, f"wire{number}")
            self.told.does(
                "device_add", driver="xen-net-device", id=f"vif{number}", netdev=f"wire{number}", mac=MAC, idx=number
            )
            for path in (spot.back, spot.front):
                put(self.devices.store, path, marked())
            yield ServedVif(spot, stack.enter_context(Xen()), far, STRANGER, self.devices.store)

    def _gone(self, spot: Spot, wire: str) -> None:
        away(self.devices.store, spot)
        # What its device was is gone with that, or goes now.
        for command, ident in (("device_del", f"vif{spot.devid}"), ("netdev_del", wire)):
            with suppress(MachineError):
                self.told.does(command, id=ident)


class Qnic:
    """QEMU's network backend; see `pvdrivers.conformance.subject.Subject`."""

    name = "qnic"
    role = Role.BACK
    device = "net"
    kernel = False

    def __init__(self) -> None:
        self.version = qemu.version()

    @contextmanager
    def running(self) -> Iterator[QnicBench]:
        """Have it run, and devices for it.

        :raises MachineError: it cannot, or knows of no device that is told what it lies on
        """
        with ExitStack() as stack:
            made = stack.enter_context(bench(QnicBench, _KIND))
            path = made.folder / "qmp"
            words = ("-qmp", f"unix:{path},server=on,wait=off")
            made.qemu = stack.enter_context(qemu.running(made.folder, "vif", *words))
            made.told = stack.enter_context(closing(Qmp(path)))
            made.numbers = count(1)
            yield made
