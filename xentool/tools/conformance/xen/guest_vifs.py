"""Linux's network frontend in a guest: its vifs are used by a relay there, which its Python runs."""

import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pvdrivers.conformance.net.frames import Carried
from pvdrivers.conformance.net.subject import UsedVif, Vif
from pvdrivers.errors import MachineError
from xentool.tools.conformance.our_vifs import nodes
from xentool.tools.conformance.xen import relay
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.guests import GuestBench, GuestFront
from xentool.tools.conformance.xen.relayed import RelayedFar
from xentool.tools.conformance.xen.shell import Shell

#: No kernel looks for backends of this kind. Interfaces far behind those that a guest has.
_KIND = Kind("vif", "ukit", lambda n: 64 + n)


class GuestUser:
    """Who uses a vif, from its first frame on: before, the guest has no interface.

    :param folder: the frontend's, in the guest's sysfs
    """

    def __init__(self, shell: Shell, folder: str) -> None:
        self._shell, self._folder = shell, folder
        self._far: RelayedFar | None = None

    def _joined(self) -> RelayedFar | None:
        if self._far is None:
            program = shlex.quote(Path(relay.__file__).read_text())
            with suppress(MachineError):
                self._far = RelayedFar(
                    self._shell.stream(f"exec python3 -I -S -c {program} {self._folder} 2>/dev/null")
                )
        return self._far

    def send(self, frame: Carried) -> bool:
        """Have a frame sent; tell whether it was taken."""
        far = self._joined()
        return far is not None and far.send(frame)

    def receive(self, seconds: float) -> Carried | None:
        """Give the next frame that has come; None if none does within a time."""
        far = self._joined()
        return far.receive(seconds) if far else None

    def close(self) -> None:
        """Use it no more."""
        if self._far:
            self._far.close()


class GuestVifs(GuestBench):
    """A guest's frontend, and vifs for it; see `pvdrivers.conformance.net.subject.VifFrontBench`."""

    kind = _KIND
    counted = {"interrupts": "grep -c xen-dyn /proc/interrupts", "interfaces": "ls /sys/class/net | wc -l"}  # noqa: RUF012 - as declared

    @contextmanager
    def used(self, *, trusted: bool = True) -> Iterator[UsedVif]:
        """Plug in a vif."""
        with self.plugged(lambda spot: nodes(spot, Vif(), trusted=trusted)) as (spot, transport):
            folder = f"/sys/bus/xen/devices/vif-{spot.devid}/net"
            with closing(GuestUser(self.shell, folder)) as user:
                yield UsedVif(spot, transport, user)


def netfront(domain: str) -> GuestFront[GuestVifs]:
    """Give the network frontend of a guest; see `GuestFront`."""
    return GuestFront("linux-net-frontend", "net", domain, GuestVifs)
