"""Where nobody says how fast the clock ticks, every time and rate that is printed says so; else none does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.traces.captures import capture

_TIME = re.compile(r"\d(?: (?:s|ms|µs|ns)\b|\.\d{9})")
_UNMARKED = re.compile(r"(?<![~\d.,])\d[\d.,]*(?: (?:s|ms|µs|ns)\b|\.\d{9})")
REPORT = ("report", "--histograms", "--times", "--slowest", "2", "--interval", "500ms")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Where Xen is emulated, its own clock is too uneven to tell.
    path = tmp_path_factory.mktemp("assumed") / "a.xentrace"
    path.write_bytes(capture("xen-4.17-pv1"))
    return path


def told(*words: str) -> str:
    command = [sys.executable, "-m", "xentool", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("words", [REPORT, ("dump",)])
def test_times_are_marked(file: Path, words: tuple[str, ...]) -> None:
    text = told(*words, str(file))
    assert len(_TIME.findall(text)) > 100
    assert _UNMARKED.findall(text) == []


def test_rates_are_marked(file: Path) -> None:
    text = told("report", str(file))
    assert "assumed: the trace tells no more; ~ marks times" in text
    (iret,) = (line for line in text.splitlines() if line.split()[:2] == ["iret", "4,277"])
    assert re.fullmatch(r"~2,\d{3}", iret.split()[2])


def test_the_page_is_marked(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    told("report", str(file), "--html", str(page))
    texts = re.findall(r">([^<>{}]*\d (?:s|ms|µs|ns)[^<>{}]*)<", page.read_text())
    assert len(texts) > 50
    assert [one for one in texts if "~" not in one] == []


def test_a_known_clock_needs_no_marks(file: Path) -> None:
    assert "~" not in told("report", str(file), "--hz", "2596000000")
    assert "~" not in told("dump", str(file), "--hz", "2596000000", "--to", "0.1")
