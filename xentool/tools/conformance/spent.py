"""Processor time of processes and threads of this machine."""

import os
from contextlib import suppress
from pathlib import Path

#: Of /proc/PID/stat, counted behind the name: ticks in its own code, and in the kernel.
_USER, _SYSTEM = 11, 12


def spent(pid: int) -> float:
    """Give the seconds that a process has used; none for one that is no more."""
    with suppress(OSError):
        return _seconds(Path(f"/proc/{pid}/stat"))
    return 0.0


def spent_by(prefix: str) -> float:
    """Give the seconds that all processes have used whose names begin so."""
    seconds = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if path.with_name("comm").read_text().startswith(prefix):
                seconds += _seconds(path)
    return seconds


def busy(stat: str | None = None) -> float:
    """Give the seconds that a machine's processors were not idle.

    :param stat: its /proc/stat's first line; None for this machine's
    """
    line = stat or Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, line.split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _seconds(path: Path) -> float:
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")
