"""Where guests are: in a lab that runs, or on a host in its stead that was made ready as one (provision.sh)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from xentool.hosts import Host, adopted, named, resolve
from xentool.hosts.forms import HostError
from xentool.lab import hypervisors, status
from xentool.lab.hypervisors import Hypervisor


@dataclass(frozen=True)
class Place:
    """A host that runs guests.

    :param emulated: whether QEMU emulates its processors; None if nobody has asked it
    """

    host: Host
    hypervisor: Hypervisor
    emulated: bool | None

    def is_emulated(self) -> bool:
        """Tell it, asking the host if need be."""
        if self.emulated is not None:
            return self.emulated
        # Its processors' name, which Xen gives to dom0 as it is. Ref: QEMU, target/i386/cpu.c
        return self.host.run(["grep", "-q", "QEMU TCG", "/proc/cpuinfo"], check=False).returncode == 0


def elsewhere(lab: str | None, where: str | None = None) -> str | None:
    """Return the host that is meant in a lab's stead: that of --host, or one that was adopted; None for a lab.

    :raises HostError: both were given
    """
    if where is not None:
        if lab is not None:
            raise HostError("a guest is in a lab or on a host: give --name or --host")
        return where
    name = lab or named.read().used
    return f"lab:{name}" if name in adopted.names() else None


@contextmanager
def reached(lab: str | None, where: str | None = None) -> Iterator[Place]:
    """Give a lab's host, or the one in its stead; the connection is left when the context ends.

    :raises Unavailable: the lab does not run
    """
    host = elsewhere(lab, where)
    if host is not None:
        place = Place(resolve(host), hypervisors.XEN, emulated=None)
    else:
        running = status.running(lab)
        place = Place(running.host(), running.under, running.accel == "tcg")
    try:
        yield place
    finally:
        place.host.close()
