"""A test that hangs becomes a failure that tells where, even if what cleans up after it hangs as well."""

import subprocess
import sys
from pathlib import Path

HANGS = """
import signal, subprocess, threading
import pytest

#: Once nobody writes to it any more, it sends the second alarm, and goes on as long as its parent is there.
CHILD = "cat; kill -ALRM $PPID; while kill -0 $PPID; do sleep 0.1; done"

def waits_for_ever(started):
    started.set()
    threading.Event().wait()

def test_that_hangs_twice():
    started = threading.Event()
    threading.Thread(target=waits_for_ever, args=[started], daemon=True).start()
    started.wait()
    with subprocess.Popen(["sh", "-c", CHILD], stdin=subprocess.PIPE):
        signal.raise_signal(signal.SIGALRM)

def test_that_is_watched():
    left, again = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left <= 900
    assert again == 60

@pytest.mark.KIND
def test_that_is_left_alone():
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
"""


def test_who_hangs_fails_and_the_others_run(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(HANGS.replace("KIND", "lab"))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = lab\n")
    run = "import sys, pytest; from tests.hung import Hung; sys.exit(pytest.main(sys.argv[1:], plugins=[Hung()]))"
    words = ["-q", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini"), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", run, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 failed, 2 passed" in done.stdout
    said = [line for line in done.stdout.splitlines() if line.startswith("E ")]
    assert sum("it hangs; its threads:" in line for line in said) == 2
    assert sum("waits_for_ever" in line for line in said) == 2
