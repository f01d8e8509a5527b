"""`xentool fleet record` on real Xen: labs side by side, of which somebody else traces one."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.xen.labs import HUNG, Lab, eventually, usually

pytestmark = pytest.mark.lab

#: In dom0: somebody traces, and has some records; and ends, telling how much he had.
_HOLD = "xentrace -e 0x2f000 /tmp/f </dev/null >/dev/null 2>&1 & until [ -s /tmp/f ]; do sleep 0.2; done"
_SIZE = "stat -c %s /tmp/f"
_LET_GO = "kill -INT $(pgrep -x xentrace); while pgrep -x xentrace >/dev/null; do sleep 0.2; done; rm /tmp/f"


def command(labs: list[Lab], out: Path, *words: str) -> list[str]:
    of = [word for lab in labs for word in ("-H", lab.host)]
    return [sys.executable, "-m", "xentool", "fleet", "record", *of, "-o", str(out), "--json", *words]


def whole(capture: dict[str, Any], lab: Lab) -> None:
    """Assert that a capture is of its lab, all of it, and that its host's clock stands beside it."""
    file = Path(capture["file"])
    assert (capture["host"], capture["kind"], capture["bytes"]) == (lab.host, "xen", file.stat().st_size)
    words = [sys.executable, "-m", "xentool", "report", str(file), "--json"]
    told = json.loads(subprocess.run(words, check=True, capture_output=True, timeout=HUNG).stdout)["capture"]
    assert (told["bytes"], told["skipped_bytes"]) == (capture["bytes"], 0)
    assert told["records"] > 1000
    about = json.loads(Path(f"{file}.meta.json").read_text())
    assert (about["host"], about["clock"]) == (lab.host, capture["clock"])


def quiet(lab: Lab) -> None:
    """Assert that nothing traces there any more."""
    assert eventually(lambda: not lab.tracing())


def began(capture: dict[str, Any]) -> tuple[float, float]:
    """Give the earliest and the latest that it can have begun, by this machine's clock."""
    at, error_s = datetime.fromisoformat(capture["began"]).timestamp(), capture["clock"]["error_s"]
    return at - error_s, at + error_s


@usually()
def test_two_labs_and_a_third_that_somebody_else_traces(small_labs: Callable[[int], list[Lab]], tmp_path: Path) -> None:
    labs = small_labs(3)
    first, second, held = labs
    held.run("sh", "-c", _HOLD)
    before = time.time()
    done = subprocess.run(
        command(labs, tmp_path / "all", "-d", "5"), capture_output=True, text=True, check=False, timeout=HUNG
    )
    after = time.time()
    assert (done.returncode, done.stderr) == (1, "xentool: 1 of 3 hosts not recorded, or not whole: listed above\n")
    told = json.loads(done.stdout)
    print(json.dumps(told, indent=2))  # how far apart they began, for whoever looks; a starved lab is no measure
    (failed,) = told["failed"]
    assert (failed["host"], failed["file"]) == (held.host, None)
    assert failed["error"].startswith(f"{held.host} is being traced by another program (")
    for capture, lab in zip(told["recorded"], (first, second), strict=True):
        whole(capture, lab)
        earliest, latest = began(capture)
        assert before < latest
        assert earliest < after
        quiet(lab)
    # What somebody else traces goes on.
    size = int(held.run("sh", "-c", _SIZE))
    assert eventually(lambda: int(held.run("sh", "-c", _SIZE)) > size)
    held.run("sh", "-c", _LET_GO)

    # All three, until Ctrl-C.
    process = subprocess.Popen(
        command(labs, tmp_path / "until"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert eventually(lambda: process.poll() is not None or _growing(tmp_path / "until") == len(labs))
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=HUNG)
    assert (process.returncode, errors) == (130, "")
    told = json.loads(output)
    assert (told["failed"], told["interrupted"]) == ([], True)
    for capture, lab in zip(told["recorded"], labs, strict=True):
        whole(capture, lab)
        quiet(lab)


def _growing(folder: Path) -> int:
    return sum(file.stat().st_size > 0 for file in folder.glob("*.xentrace"))
