"""Linux's frontends in a guest that is there to be broken; the kit's backends are in this dom0.

Its shell is at a TCP port, as the lab's guests have it with the workload ``shell``: ``nc -ll -p 7000 -e /bin/sh``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Generic, TypeVar

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.end import put
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from pvdrivers.transport.xen import Xen
from pvdrivers.xenbus import Role
from pvdrivers.xenstore.client import Client, NotFound, XenStoreError
from xentool.errors import Unavailable
from xentool.hosts.local import LocalHost
from xentool.tools.conformance.spent import busy
from xentool.tools.conformance.xen.devices import Devices, Kind
from xentool.tools.conformance.xen.held import held
from xentool.tools.conformance.xen.klog import complaint, kernel_version
from xentool.tools.conformance.xen.shell import Shell
from xentool.tools.conformance.xen.world import dom0

#: Seconds for what needs no device.
_SOON = 60.0
#: What is never to be gone through: one that goes on after a mistake says nothing true any more.
_BREAKABLE = "echo 1 >/proc/sys/kernel/panic_on_oops; dmesg -c >/dev/null; uname -v; uname -r"


class GuestBench:
    """A guest's frontend, and devices for it; see `pvdrivers.conformance.subject.Bench`.

    :cvar kind: what its devices are called
    :cvar counted: the guest's counts of what it has: by name, what its shell prints of each
    """

    kind: Kind
    counted: dict[str, str]

    def __init__(self, store: Client, domid: int, shell: Shell) -> None:
        self.store, self.domid, self.shell = store, domid, shell
        self._devices = Devices(store, self.kind, domid)
        self._host = LocalHost()

    @contextmanager
    def plugged(self, nodes: Callable[[Spot], tuple[Nodes, Nodes]]) -> Iterator[tuple[Spot, Xen]]:
        """Plug in a device without a backend, and be dom0 for it alone."""
        with self._devices.plugged(nodes) as spot:
            try:
                with Xen() as transport:
                    yield spot, transport
            finally:
                # Nobody else does.
                put(self.store, spot.back, {"state": XenbusState.CLOSED.value})

    def resources(self) -> Resources:
        """Tell what the guest has: ports, and what is counted in it."""
        found = {what: number for what, number in held(self._host, [], (0, self.domid)).items() if what == "ports"}
        with suppress(MachineError, ValueError):
            said = self.shell.run("; ".join(self.counted.values()), _SOON).output.split()
            found |= {what: int(number) for what, number in zip(self.counted, said, strict=True)}
        return found

    def ended(self) -> str | None:
        """Tell whether the guest is gone, or what its kernel complained of since this was asked last."""
        if not self.store.exists(f"/local/domain/{self.domid}"):
            return "the guest is gone: its kernel has panicked, or was ended"
        try:
            return complaint(self.shell.run("dmesg -c", _SOON).output.decode(errors="replace").splitlines())
        except MachineError as error:
            return str(error)

    def effort(self) -> float:
        """Give the processor time that the guest's CPUs have used."""
        return busy(self.shell.run("head -n1 /proc/stat", _SOON).output.decode())


_Bench = TypeVar("_Bench", bound=GuestBench)


class GuestFront(Generic[_Bench]):
    """Linux's frontend in a guest; see `pvdrivers.conformance.subject.Subject`.

    :param name: of the driver
    :param domain: the guest's name or domid, and ``=ADDRESS`` where XenStore does not tell it (``ip=`` of its vif)
    :param make: makes its bench
    :raises Unavailable: there is no such guest, or its shell does not answer
    """

    role = Role.FRONT
    kernel = True

    def __init__(self, name: str, device: str, domain: str, make: Callable[[Client, int, Shell], _Bench]) -> None:
        self.name, self.device, self._make = f"{name}@{domain}", device, make
        guest, _, address = domain.partition("=")
        try:
            with Xen() as transport:
                self._domid = _domid(transport.store, guest)
                self._shell = Shell(address or _address(transport.store, self._domid))
                version, release = self._shell.run(_BREAKABLE, _SOON).output.decode(errors="replace").splitlines()
        except (MachineError, XenStoreError, ValueError) as error:
            raise Unavailable(f"no {self.name}: {error}") from error
        self.version = kernel_version(version, release)

    @contextmanager
    def running(self) -> Iterator[_Bench]:
        """Have devices for it, which are gone at the end."""
        with ExitStack() as stack:
            transport = stack.enter_context(dom0())
            yield self._make(transport.store, self._domid, self._shell)


def _domid(store: Client, name: str) -> int:
    for domid in store.directory("/local/domain"):
        with suppress(NotFound):
            if name in (domid, store.read(f"/local/domain/{domid}/name").decode(errors="replace")) and domid != "0":
                return int(domid)
    raise MachineError(f"there is no guest {name}")


def _address(store: Client, domid: int) -> str:
    # As a toolstack was told it, with the guest's network interface.
    for vif in _names(store, f"/local/domain/{domid}/device/vif"):
        with suppress(NotFound):
            back = store.read(f"/local/domain/{domid}/device/vif/{vif}/backend").decode("ascii")
            return store.read(f"{back}/ip").decode("ascii").split()[0]
    raise MachineError("XenStore does not say what its address is: give @DOMAIN=ADDRESS")


def _names(store: Client, path: str) -> list[str]:
    with suppress(NotFound):
        return store.directory(path)
    return []
