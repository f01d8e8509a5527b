"""All tests, as `make test` runs them: those in the lab, and in what that leaves of the machine those that need none.

A lab waits a good deal, for its guests and for what they wait for; but it is slow where others take its processors'
time: a processor of its that has to wait keeps the other one waiting, too. So the others have what it leaves, and no
more. What they say is shown once the lab's tests are done.
Vagrant's box is built beside them, too.

A machine so full stands still at times, and so does an emulated one: a few tests that failed are run once more, alone.
That decides, and is told at the end of all.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import times
from xentool.lab.releases import DEFAULT_XEN

#: Where the tests that need a lab are: who collects these alone begins sooner.
LAB = "tests/xen"
#: What builds the box that a test in the lab brings up later; that says what this machine lacks for it.
BOX = [sys.executable, "-m", "tests.xen.vagrant.box", DEFAULT_XEN]
#: They have the processors that nobody else wants.
_GIVES_WAY = ("chrt", "--idle", "0")
#: Linux shares time out by session first, where it does; there, as nice(1) has it, that is the last who gets some.
_LAST = 19
#: Of more tests at once it is not the machine.
_FEW = 6


def main(words: list[str]) -> int:
    """Run all; give the status of what failed for good.

    :param words: options for the tests in the lab
    """
    shutil.rmtree(times.FOLDER, ignore_errors=True)
    times.FOLDER.mkdir(parents=True)
    run = [sys.executable, "-m", "pytest"]
    no_lab = [*run, "-n", "auto", "--dist", "worksteal", "-m", "not lab", "--times", "no lab"]
    lab = [*run, "-m", "lab", "--times", "lab", *words, LAB]
    said = times.FOLDER / "no lab.txt"
    with _beside(BOX, times.FOLDER / "box.txt"), _beside(no_lab, said) as other:
        print(f"Tests that need no lab run beside those that do; {said} has what they say.", flush=True)
        statuses = {subprocess.run(lab, check=False).returncode, other.wait()} - {pytest.ExitCode.OK}
    print(said.read_text(errors="replace"), flush=True)
    failed = times.failed()
    if statuses == {pytest.ExitCode.TESTS_FAILED} and 0 < len(failed) <= _FEW:
        statuses = _alone(failed, [*run, "--times", "alone", *words]) - {pytest.ExitCode.OK}
    times.main()
    return max(statuses, default=0)


def _alone(failed: list[str], argv: list[str]) -> set[int]:
    """Run tests that failed once more, and tell it."""
    print("\nThese failed, and are run once more, now that nothing else runs:", *failed, sep="\n  ", flush=True)
    status = subprocess.run([*argv, *failed], check=False).returncode
    if status == pytest.ExitCode.OK:
        print("\nThey passed alone. What fails so now and then has a race: it is to be found above.")
    return {status}


@contextmanager
def _beside(argv: list[str], said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that gives way to others, until the context ends.

    :param said: where its output goes
    """
    with said.open("wb") as output:
        # A session of its own: where Linux shares time out by session, a process's class counts inside of one alone.
        child = subprocess.Popen([*_GIVES_WAY, *argv], stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    with suppress(OSError):
        Path(f"/proc/{child.pid}/autogroup").write_text(str(_LAST))
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGINT)
        child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
