"""A lab's record, ``state.json`` in its run folder, from which `xentool.hosts` knows how to reach it."""

import json
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from xentool.hosts.labs import ssh_host
from xentool.hosts.ssh import SshHost
from xentool.lab import hypervisors, places, releases
from xentool.lab.hypervisors import Hypervisor

_FILE = "state.json"
STARTING, UP = "starting", "up"


@dataclass(frozen=True)
class Lab:
    """A lab as its record has it.

    :param xen: the version of Xen that its image brings, which a lab of KVM does not boot
    :param state: ``starting`` or ``up``; whether its QEMU lives is another question
    :param started: seconds since the epoch
    :param hypervisor: one of ``hypervisors.HYPERVISORS``
    :param restored: whether it goes on from a snapshot, and has not booted itself
    """

    name: str
    xen: str
    image: str
    accel: str
    memory_mib: int
    vcpus: int
    ssh_port: int
    ssh_key: str
    known_hosts: str
    qemu_pid: int
    started: float
    state: str
    hypervisor: str = hypervisors.XEN.name
    restored: bool = False

    @property
    def under(self) -> Hypervisor:
        """What its guests run under."""
        return hypervisors.HYPERVISORS[self.hypervisor]

    @property
    def runs(self) -> str:
        """What it runs, in words."""
        return releases.running(self.under, self.xen)

    @property
    def run(self) -> Path:
        """The lab's run folder."""
        return places.run_folder(self.name)

    def host(self) -> SshHost:
        """Return its host, dom0 under Xen; nothing is connected to yet."""
        return ssh_host(self.name, asdict(self))

    def age_s(self) -> float:
        """Return the seconds since it was started."""
        return time.time() - self.started

    def now_up(self) -> "Lab":
        """Return the lab in the state ``up``."""
        return replace(self, state=UP)


def read(name: str) -> Lab | None:
    """Return a lab's record, None when there is none that can be read."""
    try:
        values = json.loads((places.run_folder(name) / _FILE).read_bytes())
        lab = Lab(**{field.name: values[field.name] for field in fields(Lab) if field.name in values})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return lab if lab.hypervisor in hypervisors.HYPERVISORS else None


def write(lab: Lab) -> None:
    """Write a lab's record, whole or not at all."""
    part = lab.run / f"{_FILE}.part"
    part.write_text(json.dumps(asdict(lab), indent=1) + "\n")
    part.replace(lab.run / _FILE)


def remove(name: str) -> None:
    """Forget a lab; its console file stays."""
    (places.run_folder(name) / _FILE).unlink(missing_ok=True)


def names() -> list[str]:
    """Return the names of all labs that have a record."""
    return sorted(path.parent.name for path in places.runs().glob(f"*/{_FILE}"))
