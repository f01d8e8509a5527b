"""All tests, as `make test` runs them: those that need no lab beside those that do; then where the time went.

A lab keeps one processor busy, and the other now and then: there is room beside it. What is there yields, and may not
see the lab.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests import times

#: A quarter of a processor is left to what yields, when a lab wants all of it: as much as on a busy machine.
_NICE = 5


def start(words: list[str], log: Path, cache: str) -> "subprocess.Popen[bytes]":
    """Start what yields to everything else, in a session of its own, where no lab is seen."""
    with log.open("wb") as sink:
        child = subprocess.Popen(
            words,
            env={**os.environ, "XENTOOL_CACHE": cache},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, child.pid, max(os.nice(0), _NICE))
        # Where the kernel shares processors among sessions, it compares theirs (sched(7)).
        Path(f"/proc/{child.pid}/autogroup").write_text(str(_NICE))
    return child


def both(beside: list[str], foreground: list[str], log: Path) -> int:
    """Run two programs at once; show the first's output when both have ended, and give the status of what failed."""
    with tempfile.TemporaryDirectory(prefix="xt-", dir="/tmp") as cache:
        child = start(beside, log, cache)
        try:
            status = subprocess.run(foreground, check=False).returncode
            other = child.wait()
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
                child.wait()
    print(log.read_text(errors="replace"), flush=True)
    return status or other


def main(words: list[str]) -> int:
    """Run all.

    :param words: options for the tests in the lab
    """
    shutil.rmtree(times.FOLDER, ignore_errors=True)
    times.FOLDER.mkdir(parents=True)
    pytest = [sys.executable, "-m", "pytest"]
    no_lab = [*pytest, "-n", "auto", "--dist", "worksteal", "-m", "not lab", "--times", "no lab"]
    status = both(no_lab, [*pytest, "-m", "lab", "--times", "lab", *words], times.FOLDER / "no-lab.log")
    times.main()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
