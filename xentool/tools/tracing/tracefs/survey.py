"""What kind of host one is, and which machines KVM runs there: asked by survey.sh, which needs no program of ours."""

from importlib.resources import files
from typing import Literal, TypeAlias, get_args

from traces.foreign import printable
from traces.kvm.stream import name_of
from traces.plain import frozen
from xentool.errors import Unavailable, XentoolError
from xentool.hosts import Host, labs

Kind: TypeAlias = Literal["xen", "kvm", "none"]
_MACHINES_MAX = 1 << 14


@frozen
class Machine:
    """A machine of KVM's: its process, and what it is called if anything."""

    pid: int
    name: str | None


@frozen
class Survey:
    """What a host is; whether root asked; its machines by rising number, which only root sees all."""

    kind: Kind
    root: bool = True
    machines: tuple[Machine, ...] = ()


def survey(host: Host) -> Survey:
    """Ask a host what it is.

    :raises Unavailable: it cannot be reached
    :raises XentoolError: it did not answer
    """
    asked = host.run(["sh", "-c", files(__package__).joinpath("survey.sh").read_text()])
    return parsed(asked.stdout.decode("ascii", "replace"), host.name)


def parsed(text: str, host: str) -> Survey:
    """Read what survey.sh printed.

    :param host: for messages
    :raises XentoolError: it is something else
    """
    first, *rest = text.splitlines() or [""]
    kind, _, uid = first.partition(" ")
    known: dict[str, Kind] = {one: one for one in get_args(Kind)}
    if kind not in known:
        raise XentoolError(f"{host} did not say what kind of host it is")
    found = []
    for line in rest[:_MACHINES_MAX]:
        pid, _, words = line.partition(" ")
        if not (pid.isascii() and pid.isdigit()):
            continue
        try:
            told = bytes.fromhex(words)
        except ValueError:
            continue
        found.append(Machine(int(pid), name_of(tuple(one.decode("utf8", "replace") for one in told.split(b"\0")[:-1]))))
    return Survey(known[kind], kind == "xen" or uid == "0", tuple(sorted(found, key=lambda one: one.pid)))


def choose(told: Survey, text: str, host: str) -> Machine:
    """Find a machine by its process's number, or else by its name, which libvirt and QEMU have alike.

    :param host: for messages
    :raises Unavailable: KVM is not there, or runs no machine
    :raises XentoolError: there is no such machine, the message lists those that there are; or there are several
    """
    if told.kind != "kvm":
        raise Unavailable(f"{host} is neither a Xen dom0 nor a KVM host")
    if not told.root:
        raise XentoolError(f"tracing on {host} needs root there")
    if not told.machines:
        raise Unavailable(
            f"{host} is no Xen dom0, and KVM runs no machine there; {labs.GET_ONE}, --host names a Xen host"
        )
    found = [one for one in told.machines if str(one.pid) == text]
    found = found or [one for one in told.machines if one.name == text]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(str(one.pid) for one in found)
        raise XentoolError(f"several machines of {host} are called {printable(text)!r}: {several}; give a number")
    there = ", ".join(f"{printable(one.name or 'unnamed')} ({one.pid})" for one in told.machines)
    raise XentoolError(f"{host} has no machine {printable(text)!r}; it has {there}")
