"""Linux's network frontend in a guest: its vifs are used by a relay there, which its Python runs."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pvdrivers.conformance import waits
from pvdrivers.conformance.net.frames import Carried
from pvdrivers.conformance.net.subject import UsedVif, Vif
from pvdrivers.errors import MachineError
from xentool.tools.conformance.our_vifs import nodes
from xentool.tools.conformance.xen import relay
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.guests import GuestBench, GuestFront
from xentool.tools.conformance.xen.relayed import RelayedFar
from xentool.tools.conformance.xen.shell import Shell

#: A frontend that has given its vif up says it in its kernel's log alone. Ref: Linux drivers/net/xen-netfront.c
_GIVEN_UP = "dmesg | grep -cE 'Disabled for further use|Illegal number of responses'"
#: Seconds that this may take, and between looks.
_SOON, _BETWEEN = 60.0, 2.0
#: No kernel looks for backends of this kind. Interfaces far behind those that a guest has.
_KIND = Kind("vif", "ukit", lambda n: 64 + n)


class GuestUser:
    """Who uses a vif, once the guest has an interface: its relay starts meanwhile.

    :param folder: the frontend's, in the guest's sysfs
    """

    def __init__(self, shell: Shell, folder: str) -> None:
        program = shlex.quote(Path(relay.__file__).read_text())
        self._far: RelayedFar | None = None
        with suppress(MachineError):
            self._far = RelayedFar(shell.stream(f"exec python3 -I -S -c {program} {folder} 2>/dev/null"))

    def send(self, frame: Carried) -> bool:
        """Have a frame sent; tell whether it was taken."""
        return self._far is not None and self._far.send(frame)

    def receive(self, seconds: float) -> Carried | None:
        """Give the next frame that has come; None if none does within a time."""
        return self._far.receive(seconds) if self._far else None

    def close(self) -> None:
        """Use it no more."""
        if self._far:
            self._far.close()


class GuestVifs(GuestBench):
    """A guest's frontend, and vifs for it; see `pvdrivers.conformance.net.subject.VifFrontBench`."""

    kind = _KIND
    counted = {"interrupts": "grep -c xen-dyn /proc/interrupts", "interfaces": "ls /sys/class/net | wc -l"}  # noqa: RUF012 - as declared
    # How often its kernel's log says that a vif is given up, as far as that is known.
    _given_up = 0

    @contextmanager
    def used(self, *, trusted: bool = True) -> Iterator[UsedVif]:
        """Plug in a vif."""
        with self.plugged(lambda spot: nodes(spot, Vif(), trusted=trusted)) as (spot, transport):
            folder = f"/sys/bus/xen/devices/vif-{spot.devid}/net"
            with closing(GuestUser(self.shell, folder)) as user:
                yield UsedVif(spot, transport, user, cut_off=now_and_then(self._cut_off))

    def _cut_off(self) -> bool:
        with suppress(MachineError, ValueError):
            before, self._given_up = self._given_up, int(self.shell.run(_GIVEN_UP, _SOON).output)
            return self._given_up > before
        return False

    def ended(self) -> str | None:
        """Tell what `GuestBench` does; the log begins anew then."""
        self._given_up = 0
        return super().ended()


def now_and_then(look: Callable[[], bool]) -> Callable[[], bool]:
    """Look at what is asked for again and again, and takes its time: not at once, and not each time."""
    found, due = False, waits.now() + _BETWEEN

    def looked() -> bool:
        nonlocal found, due
        if not found and waits.now() >= due:
            found, due = look(), waits.now() + _BETWEEN
        return found

    return looked


def netfront(domain: str) -> GuestFront[GuestVifs]:
    """Give the network frontend of a guest; see `GuestFront`."""
    return GuestFront("linux-net-frontend", "net", domain, GuestVifs)
