"""Calls that need no parser, beside click's doing of the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.traces.captures import stranger
from tests.xentool.cli.inprocess import Done, ran
from xentool.cli import quick

#: What stands for a file, and what is in it.
FILES = {
    "TRACE": stranger("intel-plain"),
    "CUT": stranger("intel-plain")[:-3],
    "TEXT": b"these are words, and no trace of anything\n",
    "EMPTY": b"",
    "-trace": stranger("viridian"),
}
QUICK = ("--help", "-h", "report TRACE", "report TRACE --json", "report --json CUT", "report CUT", "report TEXT --json")
FAILING = ("report EMPTY", "report .", "report NONE --json", "report --json NONE/NONE", "report TRACE --json --json")
CLICKS = (
    *("", "--version", "--helf", "report", "report --help", "report -h", "reports TRACE", "--json report TRACE", "--"),
    *("report TRACE CUT", "report --json", "report --jso TRACE", "report -- TRACE", "report -- -trace"),
    *("report -trace", "report TRACE --json=1", "report TRACE --domain 1", "report TRACE -h", "-h report", "-h -h"),
    *("report TRACE --html -", "report --json TRACE --domain 77", "lab --help", "-- report TRACE", "report '' --json"),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_click(words: list[str]) -> Done:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "run", lambda _words: None)
        return ran(*words)


def words_of(line: str) -> list[str]:
    return ["" if word == "''" else word for word in line.split()]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", [*QUICK, *FAILING, *CLICKS])
def test_it_makes_no_difference(line: str) -> None:
    words = words_of(line)
    assert ran(*words) == by_click(words)
    assert (quick.report_asked(words) is None) == (line in CLICKS or words[0] != "report")


@pytest.mark.parametrize("columns", ["", "wide", "-1", "0", "1", "20", "60", "79", "80", "81", "100", "1000"])
def test_help_is_as_wide_as_click_has_it(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert ran("--help") == by_click(["--help"])


def test_completion_is_clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_XENTOOL_COMPLETE", "bash_complete")
    assert quick.run(["--help"]) is None
    assert quick.run(["report", "TRACE"]) is None


def test_ctrl_c_is_told_alike(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("xentool.tools.tracing.reports.report", interrupted)
    done = ran("report", str(folder / "TRACE"))
    assert done == by_click(["report", str(folder / "TRACE")])
    assert done.returncode == 130


@pytest.mark.parametrize("line", ["--help", "report TRACE --json"])
def test_nothing_is_loaded_for_it_that_takes_long(line: str, folder: Path) -> None:
    code = (
        "import sys, atexit, xentool.cli\n"
        "slow = {'click', 'rich', 'numpy', 'construct', 'dataclasses', 'inspect', 'concurrent.futures', 'shutil'}\n"
        "slow |= {'logging', 'queue', 'datetime'}\n"
        "atexit.register(lambda: print(*sorted(slow & sys.modules.keys()), file=sys.stderr))\n"
        "xentool.cli.main()"
    )
    words = [sys.executable, "-c", code, *line.split()]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == "\n"
