"""Guests in a lab's dom0: kernel and busybox, a disk and a network interface, and something to do."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from xentool.errors import PeerError, XentoolError
from xentool.hosts import Completed, Host, resolve, waiting
from xentool.hosts.resolve import HostError
from xentool.lab import status
from xentool.lab.places import DATA_IN_DOM0, checked_name
from xentool.lab.progress import SILENT, Progress
from xentool.lab.qemu import FASTER
from xentool.tools import xl

TYPES = ("pv", "pvh")
#: What a guest does all the time, at a steady, moderate rate.
WORKLOADS = {
    "idle": "nothing",
    "disk": "direct reads and writes through blkfront",
    "net": "1400-byte pings to dom0 through netfront",
    "fork": "short-lived processes",
    "mixed": "disk, net and fork at once",
    "shell": "what dom0 sends to its TCP port 7000",
}
# How often a guest is looked for until it is up, which takes twenty looks; a busy machine is slower at both.
_LOOKS = 400
#: Exit status of guest-start.sh: the guest was there, and ended before it was up.
DIED = 3
#: Exit status of a shell or ssh that finds no such program.
NOT_READY = 127
#: How often a guest is started on an emulated machine, see ``start``.
EMULATED_TRIES = 4
#: For Linux as an emulated machine's guest: without a TSC of its own, beside Xen's clock. It would measure that by the
#: PIT, of which a PVH guest has none: 100,000 reads of its port, each a VM exit, which takes five seconds of its start.
#: And so it is told how long its loops for short delays are, roughly, which it would measure as well.
_EMULATED = "clearcpuid=tsc lpj=4000000"
_WORKLOAD = re.compile(r"/([^/\n]+)\.cfg:xentool\.workload=(\w+)")


@dataclass(frozen=True)
class Guest:
    """What a guest is started with."""

    name: str
    type: str = "pv"
    vcpus: int = 1
    memory_mib: int = 192
    workload: str = "idle"
    disk_mib: int = 64
    #: Parameters of the kernel's block frontend. Persistent grants would be mapped once, and no trace show it.
    blkfront: tuple[str, ...] = ("feature_persistent=0",)


@dataclass(frozen=True)
class Running:
    """A guest that runs.

    :param workload: None for a domain that somebody else started
    """

    name: str
    domid: int
    type: str | None
    vcpus: int
    workload: str | None


def configuration(guest: Guest, word: str, *, emulated: bool = False) -> str:
    """Make a guest's configuration for xl. guest-start.sh puts the address and the kernel in.

    :param word: what the guest's init prints when it is up
    :param emulated: whether QEMU emulates the machine's processors
    """
    faster = f"{FASTER} {_EMULATED}" if emulated else FASTER
    extra = (
        f"console=hvc0 quiet {faster} xentool.ready={word} xentool.workload={guest.workload} xentool.ip=@IP@ "
        f"xentool.blkfront={','.join(guest.blkfront)}"
    )
    disk = f"format=raw,vdev=xvda,access=rw,script=block-xentool,target=/var/lib/xentool/{guest.name}.img"
    return f"""\
name = "{guest.name}"
type = "{guest.type}"
vcpus = {guest.vcpus}
memory = {guest.memory_mib}
kernel = "@KERNEL@"
ramdisk = "{DATA_IN_DOM0}/guest-initrd"
extra = "{extra}"
disk = ["{disk}"]
vif = ["script=vif-xentool,ip=@IP@"]
on_crash = "destroy"
on_reboot = "destroy"
"""


@contextmanager
def _dom0(lab: str | None, where: str | None) -> Iterator[tuple[Host, bool]]:
    """Connect to a lab, or to a host that was made ready as one (provision.sh); tell whether it is emulated."""
    if where is not None:
        if lab is not None:
            raise HostError("a guest is in a lab or on a host: give --name or --host")
        host: Host = resolve(where)
        emulated = False
    else:
        running = status.running(lab)
        host, emulated = running.host(), running.accel == "tcg"
    try:
        yield host, emulated
    finally:
        host.close()


def start(guest: Guest, lab: str | None = None, progress: Progress = SILENT, *, where: str | None = None) -> int:
    """Start a guest and return its domid when its userland runs and its devices are connected.

    :param lab: the lab's name; None for the only one, or ``default``
    :param where: a host in a lab's stead, which was made ready for guests as one (the Vagrantfile's, for one)
    :raises XentoolError: it runs already, xl refuses, or it is not up in time; with its last console lines
    """
    checked_name(guest.name, "guest")
    if guest.type not in TYPES or guest.workload not in WORKLOADS:
        raise XentoolError(f"a guest is one of {', '.join(TYPES)} and does one of {', '.join(WORKLOADS)}")
    with _dom0(lab, where) as (host, emulated):
        # Once in a hundred starts under emulation the kernel of a PV guest fails in its first seconds.
        tries = EMULATED_TRIES if emulated else 1
        progress.step(f"starting {guest.name} ({guest.type}, {guest.workload})")
        for left in reversed(range(tries)):
            began = time.monotonic()
            done = _try(guest, host, emulated)
            took = time.monotonic() - began
            if done.returncode != DIED or not left:
                break
            progress.step(f"{guest.name} died while it started, as happens under emulation; starting it again")
    output = done.stdout.decode(errors="replace").replace("\r", "")
    if done.returncode == 0:
        return int(output)
    console = "; the end of its console:\n" + "".join(f"  {line}\n" for line in output.splitlines()).rstrip()
    reasons = {
        NOT_READY: f"{host.name} was not made ready for guests as a lab is: there is no {DATA_IN_DOM0}/guest-start.sh",
        2: f"xl refuses to start {guest.name}: {xl.complaint(done.stderr)}",
        DIED: f"{guest.name} died while it started{console}",
        4: f"{guest.name} was not up within {took:.0f} s and was destroyed{console}",
        5: f"{guest.name} runs already; `xentool lab guest stop {guest.name}` ends it",
    }
    raise XentoolError(reasons.get(done.returncode, f"{guest.name} did not start: {xl.complaint(done.stderr)}"))


def _try(guest: Guest, host: Host, emulated: bool) -> Completed:
    word = secrets.token_hex(4)
    argv = [f"{DATA_IN_DOM0}/guest-start.sh", guest.name, word, str(guest.disk_mib), str(_LOOKS)]
    text = configuration(guest, word, emulated=emulated)
    return host.run(argv, input=text.encode(), timeout=waiting.FOREVER, check=False)


def stop(name: str, lab: str | None = None, *, where: str | None = None) -> None:
    """Stop a guest in order, by force when it does not follow within 10 s, and remove its disk.

    :raises XentoolError: there is none of that name
    """
    checked_name(name, "guest")
    with _dom0(lab, where) as (host, _):
        done = host.run([f"{DATA_IN_DOM0}/guest-stop.sh", name], check=False)
        if done.returncode == 5:
            existing = ", ".join(guest.name for guest in _listed(host)) or "none"
            raise XentoolError(f"there is no guest {name}; there are: {existing}")
    if done.returncode != 0:
        raise XentoolError(f"{name} was not stopped: {xl.complaint(done.stderr)}")


def every(lab: str | None = None, *, where: str | None = None) -> list[Running]:
    """Return the guests of a lab, or of a host in its stead, by rising domid."""
    with _dom0(lab, where) as (host, _):
        return _listed(host)


def _listed(host: Host) -> list[Running]:
    # grep's status is 1 when nothing was ever started.
    found = host.run(["grep", "-roE", "--include=*.cfg", r"xentool\.workload=\w+", "/var/lib/xentool"], check=False)
    workloads = dict(_WORKLOAD.findall(found.stdout.decode(errors="replace")))
    try:
        domains = xl.list_domains(host)
    except PeerError as error:
        raise XentoolError(str(error)) from error
    return [
        Running(domain.name or "", domain.domid, domain.type, domain.vcpus, workloads.get(domain.name or ""))
        for domain in domains
        if domain.domid != 0
    ]
