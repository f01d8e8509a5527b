"""What each capability needs: a table of rules, from facts to what is missing and the command that mends it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xentool import extras
from xentool.tools.doctor.facts import Facts, first, number

#: ``elsewhere``: this kind of machine has no use for it.
State = Literal["works", "missing", "elsewhere"]
_ROOM_KIB, _MEMORY_KIB = 4 << 20, 3 << 20
_NO_DOM0 = "this machine is no Xen dom0"
_GET_ONE = "xentool lab up, or -H ssh://root@HOST"


@dataclass(frozen=True)
class Missing:
    """Why something does not work, and what mends it: a command, or words where there is none."""

    why: str
    mend: str
    elsewhere: bool = False


@dataclass(frozen=True)
class Check:
    """A capability, and what commands need it."""

    name: str
    commands: tuple[str, ...]
    rule: Callable[[Facts], Missing | None]
    #: Of this program's own machine alone, whatever host is asked about.
    here: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was found of a check."""

    check: Check
    state: State
    missing: Missing | None


def judged(facts: Facts, *, here: bool) -> list[Verdict]:
    """Judge every capability that is asked for.

    :param here: whether the facts are of the machine that this program runs on
    """
    return [_verdict(check, check.rule(facts)) for check in CHECKS if here or not check.here]


def busy(facts: Facts) -> str | None:
    """Say how loaded a host is, where that makes everything slow."""
    load, cpus = number(facts, "load"), number(facts, "cpus")
    if load is None or not cpus or load < 2 * cpus:
        return None
    return f"load {load:g} on {cpus:.0f} CPUs: whatever is asked of it takes longer"


def _verdict(check: Check, missing: Missing | None) -> Verdict:
    if missing is None:
        return Verdict(check, "works", None)
    return Verdict(check, "elsewhere" if missing.elsewhere else "missing", missing)


def _dom0(facts: Facts) -> Missing | None:
    return None if first(facts, "dom0") else Missing(_NO_DOM0, _GET_ONE, elsewhere=True)


def _root(facts: Facts) -> Missing | None:
    if first(facts, "uid") == "0":
        return None
    return Missing("only root may", "run it by sudo, or give -H ssh://root@HOST")


def _tool(facts: Facts, name: str, package: str) -> Missing | None:
    if first(facts, f"tool.{name}"):
        return None
    return Missing(f"{name} is not installed", f"apt install {package}")


def _device(facts: Facts, name: str, module: str) -> Missing | None:
    match first(facts, f"device.{name}"):
        case "yes":
            return None
        case "denied":
            return _root(facts) or Missing(
                f"the device {name} cannot be opened", "look at its mode and at the container"
            )
    return Missing(f"the kernel has no device {name}", f"modprobe {module}")


def _domains(facts: Facts) -> Missing | None:
    if missing := _dom0(facts) or _tool(facts, "xl", "xen-utils-common"):
        return missing
    if error := first(facts, "xl.error"):
        return _root(facts) or Missing(f"xl fails: {error}", "systemctl restart xen, and look at xl info")
    return None


def _store(facts: Facts) -> Missing | None:
    if missing := _dom0(facts):
        return missing
    ways = [first(facts, key) for key in ("socket.xenstored", "device.xenbus")]
    if "yes" in ways:
        return None
    if "denied" in ways:
        return _root(facts) or Missing("XenStore's socket cannot be opened", "look at its mode")
    return Missing("no XenStore is running", "systemctl start xenstored")


def _tracing(facts: Facts) -> Missing | None:
    missing = _dom0(facts) or _tool(facts, "xentrace", "xen-utils-common")
    missing = missing or _tool(facts, "bash", "bash") or _tool(facts, "flock", "util-linux") or _root(facts)
    if missing is None and (tracer := first(facts, "tracer")):
        pid, _, name = tracer.partition(" ")
        return Missing(f"{name} has Xen's trace buffers (process {pid})", f"kill {pid}, if nobody needs it")
    return missing


def _console(facts: Facts) -> Missing | None:
    if missing := _domains(facts):
        return missing
    if error := first(facts, "console.error"):
        return _root(facts) or Missing(f"xl dmesg fails: {error}", "xl dmesg says more")
    return None


def _drivers(facts: Facts) -> Missing | None:
    missing = _dom0(facts) or _device(facts, "gntdev", "xen-gntdev") or _device(facts, "evtchn", "xen-evtchn")
    return missing or _device(facts, "gntalloc", "xen-gntalloc")


def _taps(facts: Facts) -> Missing | None:
    return _device(facts, "tun", "tun") or _root(facts)


def _libvirt(facts: Facts) -> Missing | None:
    if first(facts, "socket.libvirt") == "yes":
        return None
    if first(facts, "socket.libvirt") == "denied":
        return Missing("libvirt's socket is for others", "usermod -aG libvirt USER, and log in again")
    return Missing("no libvirtd is running", "apt install libvirt-daemon-system", elsewhere=True)


def _kvm(facts: Facts) -> Missing | None:
    if first(facts, "dom0"):
        return Missing("this machine is a Xen dom0", "-H ssh://root@HOST for one with KVM", elsewhere=True)
    if first(facts, "device.kvm") in (None, "missing"):
        return Missing("this machine runs no KVM guests", "xentool lab up --hypervisor kvm", elsewhere=True)
    if not first(facts, "tracefs"):
        return _root(facts) or Missing("no tracefs is mounted", "mount -t tracefs tracefs /sys/kernel/tracing")
    if not first(facts, "tracefs.kvm"):
        return Missing("the kernel has no events of KVM", "modprobe kvm_intel, or kvm_amd")
    return _root(facts)


def _lab(facts: Facts) -> Missing | None:
    missing = _tool(facts, "qemu-system-x86_64", "qemu-system-x86") or _tool(facts, "mmdebstrap", "mmdebstrap")
    missing = missing or _tool(facts, "newuidmap", "uidmap")
    # The second for Debian 13's kernel alone.
    missing = missing or _library("qemu.qmp")(facts) or _library("zstandard")(facts)
    for key, least, what in (("room_kib", _ROOM_KIB, "room in the cache"), ("memory_kib", _MEMORY_KIB, "free memory")):
        there = number(facts, key)
        if missing is None and there is not None and there < least:
            told = f"{there / (1 << 20):.1f} GiB of {what}, a lab takes {least >> 20}"
            missing = Missing(
                told, "XENTOOL_CACHE=FOLDER elsewhere" if key == "room_kib" else "xentool lab up --memory"
            )
    return missing


def _library(module: str) -> Callable[[Facts], Missing | None]:
    def rule(_facts: Facts) -> Missing | None:
        if extras.is_there(module):
            return None
        return Missing(f"{module} is not installed", extras.command(module))

    return rule


CHECKS = (
    Check("domains", ("list", "info", "show", "top", "create", "device"), _domains),
    Check("XenStore", ("store", "show", "device"), _store),
    Check("tracing Xen", ("trace", "record", "top -x"), _tracing),
    Check("grants and ports", ("grants", "evtchn", "channels"), _console),
    Check("PV drivers", ("block serve", "net serve", "conformance"), _drivers),
    Check("TAP interfaces", ("net serve --vif port=tap",), _taps),
    Check("tracing KVM", ("trace", "record"), _kvm),
    Check("libvirt", ("list -c", "trace -c"), _libvirt),
    Check("a lab", ("lab up", "lab guest start"), _lab, here=True),
    Check("Perfetto", ("export --format perfetto",), _library("perfetto"), here=True),
    Check("CSV", ("export --format csv",), _library("pyarrow"), here=True),
    Check("SQL", ("sql",), _library("duckdb"), here=True),
    Check("pages", ("report --html", "conformance --html"), _library("jinja2"), here=True),
)
