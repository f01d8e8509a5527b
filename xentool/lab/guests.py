"""Guests in a lab: kernel and busybox, a disk and a network interface, and something to do."""

import secrets
import time

from xentool.errors import PeerError, XentoolError
from xentool.hosts import Completed, waiting
from xentool.lab import hypervisors, kvm_guest, status, xl_guest
from xentool.lab.guest import WORKLOADS, Guest, Running
from xentool.lab.place import Place, elsewhere, reached
from xentool.lab.places import DATA_IN_DOM0, checked_name
from xentool.lab.progress import SILENT, Progress
from xentool.tools import xl

# How often a guest is looked for until it is up, which takes twenty looks; a busy machine is slower at both.
_LOOKS = 400
#: Exit status of the programs that start guests: the guest was there, and ended before it was up.
DIED = 3
#: Exit status of a shell or ssh that finds no such program.
NOT_READY = 127
#: How often a guest is started on an emulated machine, see ``start``.
EMULATED_TRIES = 4


def types(lab: str | None = None, *, where: str | None = None) -> tuple[str, ...]:
    """Return what guests of a lab may be, first what one is if nobody says."""
    return (hypervisors.XEN if elsewhere(lab, where) else status.running(lab).under).types


def start(guest: Guest, lab: str | None = None, progress: Progress = SILENT, *, where: str | None = None) -> int:
    """Start a guest and return its domid, or QEMU's process, when its userland runs and its devices are connected.

    :param lab: the lab's name; None for the one that was adopted and is in use, or the only one, or ``default``
    :param where: a host in a lab's stead, which was made ready for guests as one (the Vagrantfile's, for one)
    :raises XentoolError: it runs already, no lab has such guests, xl or QEMU refuses, or it is not up in time; with its
        last console lines
    """
    checked_name(guest.name, "guest")
    if guest.workload not in WORKLOADS:
        raise XentoolError(f"a guest does one of {', '.join(WORKLOADS)}")
    if guest.type in hypervisors.LEFT_OUT:
        raise XentoolError(f"a lab has no {guest.type} guests: {hypervisors.LEFT_OUT[guest.type]}")
    with reached(lab, where) as place:
        if guest.type not in place.hypervisor.types:
            raise XentoolError(
                f"{place.host.name} runs {place.hypervisor.title}, where a guest is one of "
                f"{', '.join(place.hypervisor.types)}"
            )
        # Once in a hundred starts under emulation the kernel of a PV guest fails in its first seconds.
        emulated = place.is_emulated()
        tries = EMULATED_TRIES if emulated else 1
        progress.step(f"starting {guest.name} ({guest.type}, {guest.workload})")
        for left in reversed(range(tries)):
            began = time.monotonic()
            done = _try(guest, place, emulated=emulated)
            took = time.monotonic() - began
            if done.returncode != DIED or not left:
                break
            progress.step(f"{guest.name} died while it started, as happens under emulation; starting it again")
    output = done.stdout.decode(errors="replace").replace("\r", "")
    if done.returncode == 0:
        return int(output)
    program = place.hypervisor.start
    console = "; the end of its console:\n" + "".join(f"  {line}\n" for line in output.splitlines()).rstrip()
    reasons = {
        NOT_READY: f"{place.host.name} was not made ready for guests as a lab is: there is no {program}",
        2: f"{_starter(place)} refuses to start {guest.name}: {xl.complaint(done.stderr)}",
        DIED: f"{guest.name} died while it started{console}",
        4: f"{guest.name} was not up within {took:.0f} s and was destroyed{console}",
        5: f"{guest.name} runs already; `xentool lab guest stop {guest.name}` ends it",
        6: f"{guest.name} needs KVM to page in another way than {' '.join(output.split())} does: stop that first",
    }
    raise XentoolError(reasons.get(done.returncode, f"{guest.name} did not start: {xl.complaint(done.stderr)}"))


def _starter(place: Place) -> str:
    return "QEMU" if place.hypervisor is hypervisors.KVM else "xl"


def _try(guest: Guest, place: Place, *, emulated: bool) -> Completed:
    word = secrets.token_hex(4)
    argv = [place.hypervisor.start, guest.name, word, str(guest.disk_mib), str(_LOOKS)]
    if place.hypervisor is hypervisors.KVM:
        text = kvm_guest.command(guest, word)
        argv.append("0" if guest.type == "shadow" else "1")
    else:
        text = xl_guest.configuration(guest, word, emulated=emulated)
    return place.host.run(argv, input=text.encode(), timeout=waiting.FOREVER, check=False)


def stop(name: str, lab: str | None = None, *, where: str | None = None) -> None:
    """Stop a guest, under Xen in order if it follows within 10 s, and remove its disk.

    :raises XentoolError: there is none of that name
    """
    checked_name(name, "guest")
    with reached(lab, where) as place:
        done = place.host.run([place.hypervisor.stop, name], check=False)
        if done.returncode == 5:
            existing = ", ".join(guest.name for guest in _listed(place)) or "none"
            raise XentoolError(f"there is no guest {name}; there are: {existing}")
    if done.returncode != 0:
        raise XentoolError(f"{name} was not stopped: {xl.complaint(done.stderr)}")


def every(lab: str | None = None, *, where: str | None = None) -> list[Running]:
    """Return the guests of a lab, or of a host in its stead, by rising domid."""
    with reached(lab, where) as place:
        return _listed(place)


def _listed(place: Place) -> list[Running]:
    if place.hypervisor is hypervisors.KVM:
        return kvm_guest.listed(place.host.run([f"{DATA_IN_DOM0}/kvm-guest-list.sh"]).stdout.decode(errors="replace"))
    # grep's status is 1 when nothing was ever started.
    words = ["grep", "-roE", "--include=*.cfg", r"xentool\.workload=\w+", "/var/lib/xentool"]
    workloads = place.host.run(words, check=False).stdout.decode(errors="replace")
    try:
        return xl_guest.listed(xl.list_domains(place.host), workloads)
    except PeerError as error:
        raise XentoolError(str(error)) from error
