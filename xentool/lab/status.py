"""How labs are, and how to get at one that runs."""

from dataclasses import dataclass

from xentool.errors import Unavailable
from xentool.lab import console, monitor, process, qemu, record
from xentool.lab.record import Lab

DEFAULT_NAME = "default"


@dataclass(frozen=True)
class Status:
    """A lab and how it is.

    :param state: ``starting``, ``up``, ``paused`` or ``dead``
    :param reason: why it is paused or dead, else None
    """

    lab: Lab
    state: str
    reason: str | None = None


def every() -> list[Status]:
    """Return the state of each lab that was started and not ended."""
    labs = (record.read(name) for name in record.names())
    return [of(lab) for lab in labs if lab is not None]


def of(lab: Lab) -> Status:
    """Look at a lab: its process, its console, and QEMU's own view of it."""
    # The process first: what it wrote before its end is there then.
    alive = process.find(lab.run) is not None
    died = console.death(read_console(lab), lab.under)
    if not alive:
        return Status(lab, "dead", died or "QEMU was killed or crashed")
    if died is not None:
        return Status(lab, "dead", died)
    if monitor.run_state(lab.run) == "io-error":
        return Status(
            lab,
            "paused",
            f"no space is left on this machine's disk for {lab.under.host}'s changes; free some, then end it",
        )
    return Status(lab, lab.state)


def running(name: str | None) -> Lab:
    """Return the lab of a name; without one the lab ``default``, else the only one there is.

    :raises Unavailable: it does not run; the message says why and what to do
    """
    name = default_name() if name is None else name
    lab = record.read(name)
    if lab is None:
        raise Unavailable(f"no lab {name} is running; `xentool lab up{option(name)}` starts it")
    status = of(lab)
    if status.state == record.STARTING:
        raise Unavailable(f"lab {name} is not up yet; `xentool lab logs -f{option(name)}` shows how far it is")
    if status.state != record.UP:
        raise Unavailable(f"lab {name} is {status.state}: {explain(status)}")
    return lab


def default_name() -> str:
    """Return which lab is meant when none is named."""
    known = record.names()
    return known[0] if len(known) == 1 else DEFAULT_NAME


def explain(status: Status) -> str:
    """Return why a lab died, with the last lines of its console."""
    path = status.lab.run / qemu.CONSOLE
    return f"{status.reason}; the end of {path}:\n{console.ending(read_console(status.lab))}"


def read_console(lab: Lab) -> str:
    """Return what the hypervisor and its host wrote to the console; empty when there is nothing yet."""
    try:
        return (lab.run / qemu.CONSOLE).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def option(name: str) -> str:
    """Return how a command line names a lab, nothing for the default one."""
    return "" if name == DEFAULT_NAME else f" --name {name}"
