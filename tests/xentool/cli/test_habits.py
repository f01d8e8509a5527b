"""What people type by habit works or is told rightly, and messages name what the user named."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.traces.captures import capture, stranger
from tests.xentool.cli.inprocess import ran
from tests.xentool.cli.running import run
from xentool.cli.common import awaited
from xentool.cli.device.hotplug import kind_and_device
from xentool.lab import api

NAME = "intel-plain"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "domU.xentrace"
    path.write_bytes(stranger(NAME))
    return path


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("xvdb",), ("block", "xvdb")),
        (("vif1",), ("net", "vif1")),
        (("00:16:3e:00:00:01",), ("net", "00:16:3e:00:00:01")),
        (("block", "51728"), ("block", "51728")),
        (("net", "0"), ("net", "0")),
    ],
)
def test_a_device_tells_its_kind(words: tuple[str, ...], meant: tuple[str, str]) -> None:
    assert kind_and_device(words) == meant


@pytest.mark.parametrize("words", [("7",), ("block",), ("disk", "xvdb"), ("block", "xvdb", "xvdc")])
def test_a_device_that_may_be_either_is_asked_about(words: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError, match="`block 51728`, `net 0`"):
        kind_and_device(words)


def test_a_recording_without_o_says_the_right_form() -> None:
    done = ran("record", "-d", "2", "host.xentrace")
    assert done.returncode == 2
    assert "`xentool record DOMAIN -o host.xentrace`, or `--all -o host.xentrace`" in done.stderr


@pytest.mark.parametrize(
    ("words", "run_there"),
    [
        (["xl dmesg | tail"], ("sh", "-c", "xl dmesg | tail")),
        (["a; b"], ("sh", "-c", "a; b")),
        (["xl", "info"], ("xl", "info")),
        (["uptime"], ("uptime",)),
        (["echo", "a; b"], ("echo", "a; b")),
    ],
)
def test_a_line_for_a_shell_gets_one(
    words: list[str], run_there: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def there(argv: tuple[str, ...], name: str | None) -> int:
        asked.append((argv, name))
        return 7

    monkeypatch.setattr(api, "run", there)
    assert ran("lab", "run", *words).returncode == 7
    assert asked == [(run_there, None)]


def test_a_guests_console_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def console(guest: str, name: str | None, *, follow: bool) -> Iterator[bytes]:
        yield f"{guest} {name} {follow}\n".encode()

    monkeypatch.setattr(api, "guest_console", console)
    assert ran("lab", "logs", "domU").stdout == "domU None False\n"
    assert ran("lab", "logs", "--guest", "domU", "-f").stdout == "domU None True\n"


def test_a_lab_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "down", lambda name, _progress: f"{name} ended")
    assert ran("lab", "down", "two").stdout == "two ended\n"
    assert ran("lab", "down", "--name", "two").stdout == "two ended\n"
    assert ran("lab", "down").stdout == "None ended\n"
    done = ran("lab", "down", "two", "--name", "three")
    assert done.returncode == 2
    assert "one lab, please: two or three" in done.stderr


@pytest.mark.parametrize("command", [["report"], ["report", "--json"], ["dump"], ["sql", "select 1"]])
def test_from_behind_the_end_says_how_long_the_trace_is(command: list[str], trace: Path) -> None:
    name, *rest = command
    whole = ran("report", str(trace), "--from", "0").stdout
    done = run(name, str(trace), *rest, "--from", "9000")
    assert done.returncode == 0
    (told,) = [line for line in done.stderr.splitlines() if "--from" in line]
    assert told.startswith("xentool: --from 9000 is behind the end: the trace is ")
    seconds = float(told.split()[-3])
    assert 0 < seconds < 9000
    assert "--from" not in run(name, str(trace), *rest, "--from", str(seconds * 0.5)).stderr
    assert whole


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_full_disk_names_where_the_output_goes(words: list[str], trace: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        import subprocess  # noqa: PLC0415 - only here stdout is a file

        command = [sys.executable, "-m", "xentool", "report", str(trace), *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert done.stderr == "xentool: No space left on device: /dev/full\n"


@pytest.mark.parametrize("words", [["export", "--format", "jsonl", "-o"], ["report", "--html"]])
@pytest.mark.parametrize(("place", "why"), [("/dev/full", "No space left"), ("/none/x", "No such file or directory")])
def test_a_file_that_cannot_be_written_is_named(words: list[str], place: str, why: str, trace: Path) -> None:
    done = ran(words[0], str(trace), *words[1:], place)
    assert done.returncode == 1
    assert done.stderr.startswith(f"xentool: cannot write {place}: {why}")


def test_what_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "domU.xentrace"
    path.write_bytes(capture("xen-4.20-pvh"))
    done = run("report", str(path), "--name", "0=wéb→", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "mistake" not in done.stderr
    assert done.stdout.isascii()
    assert "w\\xe9b\\u2192  (domid 0" in done.stdout


def test_a_query_that_is_no_text_is_told(trace: Path) -> None:
    done = run("sql", str(trace), "select '\udcff'")
    assert (done.returncode, done.stderr) == (
        1,
        "xentool: the query is not written in this terminal's character set\n",
    )


def test_a_trace_from_the_keyboard_is_waited_for_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    awaited.told(Path("-"))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    awaited.told(Path("domU.xentrace"))
    assert capsys.readouterr().err == ""
    awaited.told(Path("-"))
    assert capsys.readouterr().err == "xentool: waiting for a trace on standard input; Ctrl-C ends\n"


def test_a_bench_of_parts_of_sectors_says_that_they_are_whole() -> None:
    done = run("block", "bench", "--bs", "8000", "--seconds", "0.1")
    assert done.returncode == 1
    assert "operations of 8000 bytes: they are of whole sectors, and this disk's have 512" in done.stderr
