"""Ends a lab: guests, their host, QEMU, in this order and in bounded time."""

from xentool.errors import Unavailable, XentoolError
from xentool.hosts.base import checked
from xentool.lab import leftovers, locks, monitor, patience, places, process, record, status
from xentool.lab.patience import Patience
from xentool.lab.progress import SILENT, Progress

# A dom0 that does not answer is ended within 15 s; one that has just answered gets the time that a busy machine takes.
# On one that is starved all of it takes longer, see `patience`.
_GUESTS_S, _DOM0_S, _QEMU_S = 12.0, 30.0, 1.0


def down(name: str | None = None, progress: Progress = SILENT) -> str:
    """End a lab, dead ones included, and say how it ended; its console file stays.

    :raises Unavailable: there is no such lab
    """
    name = status.default_name() if name is None else name
    run = places.run_folder(name)
    if not run.is_dir():
        raise Unavailable(f"there is no lab {name}")
    with locks.hold(run / "lock", f"another xentool starts or ends lab {name} right now; wait for it"):
        lab = record.read(name)
        if lab is None and process.find(run) is None:
            raise Unavailable(f"no lab {name} is running")
        state = status.of(lab) if lab is not None else None
        how = "by force: it was only half started"
        if state is not None and state.state == "dead":
            how = f"was dead already: {state.reason}"
        elif state is not None and state.state == record.UP:
            progress.step(f"ending lab {name}: guests, {state.lab.under.host}, {state.lab.under.title}")
            how = _in_order(state)
        elif state is not None and state.reason:
            how = f"by force: {state.reason}"
        _quit(name)
        if lab is not None:
            lab.host().disconnect()  # which other commands have left open
    return f"lab {name} ended {how}" if not how.startswith("was") else f"lab {name} {how}"


def _in_order(state: status.Status) -> str:
    host = state.lab.host()
    try:
        stop = [state.lab.under.end]
        checked(host.name, patience.run(host, stop, Patience(_GUESTS_S, state.lab.qemu_pid)))
    except XentoolError as error:
        return f"by force: {error}"
    finally:
        host.close()
    powered_off = Patience(_DOM0_S, state.lab.qemu_pid)
    while not process.wait(state.lab.run, _QEMU_S):
        if powered_off.over():
            return f"by force: {state.lab.under.host} did not power off in {powered_off.passed:.0f} s"
    return "in order"


def _quit(name: str) -> None:
    run = places.run_folder(name)
    if process.find(run) is not None:
        monitor.quit_machine(run)
        process.wait(run, _QEMU_S)
    leftovers.clear(name)
