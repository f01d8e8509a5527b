"""A lab's QEMU process: known by its command line, so that a reused process id is never taken for it, nor ended."""

import os
import select
import signal
from pathlib import Path

from xentool.lab.qemu import PIDFILE


def find(run: Path) -> int | None:
    """Return the process id of the QEMU of a run folder, None when it does not run."""
    pidfile = run / PIDFILE
    try:
        pid = int(pidfile.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    # A process that ended but was not reaped has no words.
    return pid if str(pidfile).encode() in words else None


def wait(run: Path, seconds: float) -> bool:
    """Wait for the QEMU to end; tell whether it did."""
    pid = find(run)
    if pid is None:
        return True
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def kill(run: Path) -> None:
    """End the QEMU by force, if it runs; its disk is a throw-away overlay, so that nothing can be damaged."""
    pid = find(run)
    if pid is not None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        wait(run, 10)
