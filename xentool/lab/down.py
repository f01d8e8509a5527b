"""Ends a lab: guests, dom0, QEMU, in this order and in bounded time."""

from xentool.errors import Unavailable, XentoolError
from xentool.lab import leftovers, locks, monitor, places, process, record, status
from xentool.lab.progress import SILENT, Progress

# A dom0 that does not answer is ended within 15 s; one that has just answered gets the time that a busy machine takes.
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
            progress.step(f"ending lab {name}: guests, dom0, Xen")
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
        host.run([f"{places.DATA_IN_DOM0}/dom0-stop.sh"], timeout=_GUESTS_S)
    except XentoolError as error:
        return f"by force: {error}"
    finally:
        host.close()
    return (
        "in order" if process.wait(state.lab.run, _DOM0_S) else f"by force: dom0 did not power off in {_DOM0_S:.0f} s"
    )


def _quit(name: str) -> None:
    run = places.run_folder(name)
    if process.find(run) is not None:
        monitor.quit_machine(run)
        process.wait(run, _QEMU_S)
    leftovers.clear(name)
