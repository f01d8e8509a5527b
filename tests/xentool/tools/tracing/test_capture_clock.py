"""The part of capture.sh that reads the clocks, on a tracefs that is made of files."""

import re
import subprocess
import time
from importlib.resources import files
from pathlib import Path

import pytest

from traces.counting.wallclock import Noted
from xentool.tools.tracing import capture_status
from xentool.tools.tracing.capture_status import Began, Compared, Over

SCRIPT = files("xentool.tools.tracing").joinpath("capture.sh").read_text()
TSC = 9_876_543_210_123

#: In a kernel's tracefs a new folder has all files, and goes with them.
KERNEL = f"""
mkdir() {{
    command mkdir "$1" || return
    for n in 1 2 3 4 5; do
        echo "           <...>-1234    [001] ..... {TSC}$n: tracing_mark_write: xentool $n"
    done >"$1/trace"
}}
rmdir() {{ rm -rf "$1"; }}
"""


def said(tmp_path: Path, clocks: str) -> list[capture_status.Status | None]:
    root = tmp_path / "tracing"
    (root / "instances").mkdir(parents=True)
    (root / "trace_clock").write_text(clocks)
    functions = SCRIPT[: SCRIPT.index('\nmain "$@"')].replace("/sys/kernel/tracing", str(root))
    ends = 'now; say began "$wall" +0530; compare_clocks; now; say over "$wall"'
    done = subprocess.run(["bash", "-c", functions + KERNEL + ends], capture_output=True, text=True, check=True)
    assert not list((root / "instances").iterdir())
    return [capture_status.parse(line) for line in done.stderr.splitlines()]


def test_the_counter_and_the_clock_are_read_together(tmp_path: Path) -> None:
    before = time.time()
    began, compared, over = said(tmp_path, "[local] global counter x86-tsc mono\n")
    assert isinstance(began, Began)
    assert isinstance(compared, Compared)
    assert isinstance(over, Over)
    assert began.utc_offset_s == 19_800
    assert re.fullmatch(f"{TSC}[1-5]", str(compared.tsc))
    assert before - 1 < began.at_s <= compared.before_s <= compared.after_s <= over.at_s < time.time() + 1
    noted = capture_status.noted([compared, began, over])
    assert isinstance(noted, Noted)
    assert noted.begin_ns <= noted.pairs[0].ns <= (noted.end_ns or 0)
    # Half of the time between both looks, and the clock's last digit.
    assert noted.pairs[0].error_ns == pytest.approx(5e8 * (compared.after_s - compared.before_s) + 1000, abs=1000)


def test_without_that_counter_only_the_ends_are_told(tmp_path: Path) -> None:
    began, over = said(tmp_path, "[local] global counter mono\n")
    noted = capture_status.noted([began, over])  # type: ignore[list-item] # what kinds they are is asserted by it
    assert noted is not None
    assert (noted.pairs, noted.begin_ns <= (noted.end_ns or 0)) == ((), True)
