"""How long a lab is waited for: by a clock that stands while other work keeps its QEMU from this machine's processors.

A lab that is starved is slow, not broken.
"""

import time
from contextlib import suppress
from itertools import chain
from pathlib import Path

# Of the time that passes, this much may count as the lab's own waiting: ten times as long at most.
_MOST = 0.9


def starved(*pids: int, proc: Path = Path("/proc")) -> float:
    """Return for how many seconds processes' threads, taken together, were ready to run and had no processor.

    0.0 where the kernel does not tell (``CONFIG_SCHED_INFO``), or they are gone.
    """
    waited = 0
    for thread in chain.from_iterable(proc.glob(f"{pid}/task/*/schedstat") for pid in pids):
        # Nanoseconds that it ran, and that it waited to; how often it did.
        with suppress(OSError, ValueError, IndexError):
            waited += int(thread.read_text().split()[1])
    return waited / 1e9


class Patience:
    """A limit for what a lab does, from now on.

    :param seconds: how long that may take on a machine that has nothing else to do
    :param qemus: the process of the lab, or those of all that it may be
    """

    def __init__(self, seconds: float, *qemus: int) -> None:
        self._seconds, self._qemus = seconds, qemus
        self._began, self._starved = time.monotonic(), starved(*qemus)

    @property
    def passed(self) -> float:
        """Seconds that have passed, by whatever clock hangs on a wall."""
        return time.monotonic() - self._began

    def over(self) -> bool:
        """Tell whether that long has passed."""
        passed = self.passed
        if passed <= self._seconds:
            return False
        # Its threads wait for each other's turns too: what one has waited is lost to all.
        return passed - min(starved(*self._qemus) - self._starved, _MOST * passed) > self._seconds
