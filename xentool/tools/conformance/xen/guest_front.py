"""Linux's block frontend in a guest that is there to be broken; the kit's backends are in this dom0.

Its shell is at a TCP port, as the lab's guests have it with the workload ``shell``: ``nc -ll -p 7000 -e /bin/sh``.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.end import put
from pvdrivers.conformance.block.subject import Used
from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from pvdrivers.transport.xen import Xen
from pvdrivers.xenbus import Role
from pvdrivers.xenstore.client import Client, NotFound, XenStoreError
from xentool.errors import Unavailable
from xentool.hosts.local import LocalHost
from xentool.tools.conformance.xen.blkback import kernel_version
from xentool.tools.conformance.xen.devices import Devices, Kind
from xentool.tools.conformance.xen.guest_user import GuestUser
from xentool.tools.conformance.xen.held import held
from xentool.tools.conformance.xen.klog import complaint
from xentool.tools.conformance.xen.shell import Shell
from xentool.tools.conformance.xen.world import dom0
from xentool.tools.devices import vdev

#: No kernel looks for backends of this kind. Disks far behind those that a guest has, and each is new to it.
_KIND = Kind("vbd", "ukit", lambda n: vdev.number_of(64 + n))
#: Seconds for what needs no disk.
_SOON = 60.0
#: What is never to be gone through: one that goes on after a mistake says nothing true any more.
_BREAKABLE = "echo 1 >/proc/sys/kernel/panic_on_oops; dmesg -c >/dev/null; uname -v; uname -r"
_RESOURCES = "grep -c blkif /proc/interrupts; ls /sys/block | wc -l"


class GuestFrontBench:
    """A guest's frontend, and disks for it; see `pvdrivers.conformance.block.subject.FrontBench`."""

    def __init__(self, store: Client, domid: int, shell: Shell) -> None:
        self._store, self._domid, self._shell = store, domid, shell
        self._devices = Devices(store, _KIND, domid)
        self._host = LocalHost()

    @contextmanager
    def used(self) -> Iterator[Used]:
        """Plug in a disk."""
        with self._devices.plugged(
            lambda spot: ({"mode": "w"}, {"virtual-device": spot.devid, "device-type": "disk"})
        ) as spot:
            try:
                with Xen() as transport:
                    yield Used(spot, transport, GuestUser(self._shell, vdev.name(spot.devid)))
            finally:
                # Nobody else does.
                put(self._store, spot.back, {"state": XenbusState.CLOSED.value})

    def resources(self) -> Resources:
        """Tell what the guest has: ports, interrupts of disks, and disks."""
        found = {what: number for what, number in held(self._host, [], [0, self._domid]).items() if what == "ports"}
        with suppress(MachineError, ValueError):
            interrupts, disks = self._shell.run(_RESOURCES, _SOON).output.split()
            found |= {"interrupts": int(interrupts), "disks": int(disks)}
        return found

    def ended(self) -> str | None:
        """Tell whether the guest is gone, or what its kernel complained of since this was asked last."""
        if not self._store.exists(f"/local/domain/{self._domid}"):
            return "the guest is gone: its kernel has panicked, or was ended"
        try:
            return complaint(self._shell.run("dmesg -c", _SOON).output.decode(errors="replace").splitlines())
        except MachineError as error:
            return str(error)

    def effort(self) -> float:
        """Give the processor time that the guest's CPUs have used."""
        fields = self._shell.run("head -n1 /proc/stat; getconf CLK_TCK 2>/dev/null || echo 100", _SOON).output.split()
        user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[1:8])
        return (user + nice + system + irq + softirq) / int(fields[-1])


class GuestFront:
    """Linux's block frontend in a guest; see `pvdrivers.conformance.subject.Subject`.

    :param domain: the guest's name or domid, and ``=ADDRESS`` where XenStore does not tell it (``ip=`` of its vif)
    :raises Unavailable: there is no such guest, or its shell does not answer
    """

    role = Role.FRONT
    device = "block"
    kernel = True

    def __init__(self, domain: str) -> None:
        self.name = f"linux-block-frontend@{domain}"
        name, _, address = domain.partition("=")
        try:
            with Xen() as transport:
                self._domid = _domid(transport.store, name)
                self._shell = Shell(address or _address(transport.store, self._domid))
                version, release = self._shell.run(_BREAKABLE, _SOON).output.decode(errors="replace").splitlines()
        except (MachineError, XenStoreError, ValueError) as error:
            raise Unavailable(f"no {self.name}: {error}") from error
        self.version = kernel_version(version, release)

    @contextmanager
    def running(self) -> Iterator[GuestFrontBench]:
        """Have devices for it, which are gone at the end."""
        with ExitStack() as stack:
            transport = stack.enter_context(dom0())
            yield GuestFrontBench(transport.store, self._domid, self._shell)


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
