"""How long a lab is waited for: by a clock that stands while other work keeps its QEMU from this machine's processors.

A lab that is starved is slow, not broken.
"""

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from xentool.errors import XentoolError
from xentool.hosts import Completed, Host

# Between two looks at the clock.
_TICK_S = 5.0
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


def run(host: Host, argv: Sequence[str], patience: Patience, input: bytes | None = None) -> Completed:
    """Run a command in a lab's dom0 to its end, whatever its exit status.

    :raises XentoolError: that did not come in time, or it could not start
    """
    pipe = subprocess.PIPE
    with host.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        try:
            while True:
                try:
                    output, errors = child.communicate(input, _TICK_S)
                except subprocess.TimeoutExpired:
                    input = None  # it has that, or gets it
                    if patience.over():
                        raise XentoolError(
                            f"{argv[0]} did not end within {patience.passed:.0f} s on {host.name}"
                        ) from None
                else:
                    return Completed(tuple(argv), child.returncode, output, errors)
        finally:
            child.kill()
