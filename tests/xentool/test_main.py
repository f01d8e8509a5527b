"""Ctrl-C never shows a traceback, whenever it comes: while modules are loaded, in finalizers, as Python ends."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.traces.captures import stranger

#: Interrupts itself as it loads the module of the number given, and says at the end how many were loaded.
INTERRUPTED = """
import atexit, signal, sys
import xentool.__main__
met, at = 0, int(sys.argv.pop(1))
def hear(event, about):
    global met
    met += event == "import"
    if event == "import" and met == at:
        signal.raise_signal(signal.SIGINT)
sys.addaudithook(hear)
if not at:
    atexit.register(lambda: print(met, file=sys.stderr))
xentool.__main__.main()
"""
#: Runs what stands for the command line.
STANDING_IN = """
import sys, xentool.__main__, xentool.cli
class Goes:
    def __init__(self, error): self.error = error
    def __del__(self): raise self.error
def main():
{}
xentool.cli.main = main
xentool.__main__.main()
"""
#: How a shell sees that it was Ctrl-C.
BY_SIGNAL, BY_STATUS = -signal.SIGINT, 130


def ran(code: str, *words: str) -> tuple[int, str]:
    """Run some Python; give how it ended, and what it said on stderr but for the end of the line of ^C."""
    # A test may run in the background of a shell, which lets those ignore Ctrl-C.
    default = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    done = subprocess.run(
        [sys.executable, "-c", default + code, *words], capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stderr.strip()


def test_a_command_that_is_interrupted_while_it_is_loaded_says_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_bytes(stranger("intel-plain"))
    words = ("report", str(trace), "--interval", "10ms")
    status, loaded = ran(INTERRUPTED, "0", *words)
    assert status == 0
    assert int(loaded) > 100
    for at in sorted({1, 2, 3, *range(9, int(loaded) + 1, int(loaded) // 8)}):
        status, said = ran(INTERRUPTED, str(at), *words)
        assert (said, status in (BY_SIGNAL, BY_STATUS)) == ("", True), at


def standing_in(*lines: str) -> tuple[int, str]:
    return ran(STANDING_IN.format("\n".join(f"    {line}" for line in lines)))


def test_what_nobody_catches_is_told_unless_it_is_ctrl_c() -> None:
    assert standing_in("raise KeyboardInterrupt") == (BY_SIGNAL, "")
    status, said = standing_in("raise ValueError('wrong')")
    assert status == 1
    assert said.splitlines()[-1] == "ValueError: wrong"


def test_ctrl_c_in_a_finalizer_ends_the_command_all_the_same() -> None:
    assert standing_in("Goes(KeyboardInterrupt())", "while True: pass") == (BY_SIGNAL, "")
    status, said = standing_in("Goes(ValueError('wrong'))", "sys.exit(7)")
    assert status == 7
    assert said.splitlines()[-1] == "ValueError: wrong"


def test_ctrl_c_while_python_ends_changes_nothing() -> None:
    late = ("import atexit", "def late(): raise KeyboardInterrupt", "atexit.register(late)", "sys.exit(7)")
    assert standing_in(*late) == (7, "")
