"""How long a dom0 is waited for, and what is said meanwhile."""

import io
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from xentool import output
from xentool.cli.common import options
from xentool.cli.lab import progress
from xentool.errors import XentoolError
from xentool.hosts import waiting
from xentool.hosts.local import LocalHost


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    # Not sys.stderr: pytest sets that for each phase of a test.
    monkeypatch.setattr(waiting, "sys", SimpleNamespace(stderr=made))
    monkeypatch.setattr(waiting, "_QUIET", 0.0)
    monkeypatch.setattr(waiting, "_TICK", 0.001)
    return made


@pytest.mark.usefixtures("terminal")
def test_no_limit_on_a_terminal() -> None:
    assert waiting.limit() == waiting.FOREVER
    assert waiting.of_requests() > 1e6


def test_the_limit_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waiting.limit() == 300
    monkeypatch.setenv("XENTOOL_TIMEOUT", "7.5")
    assert waiting.limit() == 7.5
    for rubbish in ("", "x", "-1", "0"):
        monkeypatch.setenv("XENTOOL_TIMEOUT", rubbish)
        assert waiting.limit() == 300


def test_the_limit_that_a_user_chooses() -> None:
    told = []

    @click.command()
    @options.where
    def command(where: str | None) -> None:
        told.append((where, waiting.limit()))

    CliRunner().invoke(command, ["-H", "lab", "--timeout", "12.5"])
    CliRunner().invoke(command, [])
    assert told == [("lab", 12.5), (None, 300.0)]


@pytest.mark.parametrize(
    ("argv", "title"),
    [
        (["xl", "list", "--long"], "xl list"),
        (["sh", "-c", "# What xl and others know\nset -e\ncat /proc/uptime\nxl list\nxl vcpu-list"], "xl list"),
        (["sh", "-c", "xl debug-keys e && xl dmesg"], "xl debug-keys"),
        (["sh", "-c", 'f=$(mktemp) && cat >"$f" && xl create -q "$f"'], "xl create"),
        (["sh", "-c", "for path; do :; done"], "sh"),
        (["cat", "/proc/loadavg"], "cat"),
    ],
)
def test_what_a_command_is_called(argv: list[str], title: str) -> None:
    assert waiting.title(argv) == title


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("14.21 9.1 3.0 2/345 6789\n2\n", "load 14.2 on 2 CPUs"),
        ("0.50 0.1 0.0 1/90 77\n1\n", "load 0.5 on 1 CPU"),
        ("", ""),
        ("cat: /proc/loadavg: No such file\n", ""),
    ],
)
def test_a_machines_load(told: str, said: str) -> None:
    assert waiting.load(told) == said


def test_what_is_waited_for_is_shown_with_the_load_and_wiped_off(terminal: Terminal) -> None:
    with waiting.shown("xl list on xen1", lambda: "its dom0 has load 14.2 on 2 CPUs"):
        for _ in range(10_000):
            if "load 14.2 on 2 CPUs" in terminal.getvalue():
                break
            time.sleep(0.001)
    assert "load 14.2 on 2 CPUs" in terminal.getvalue()
    assert "waiting for xl list on xen1: 0 s" in terminal.getvalue()
    assert max(map(len, terminal.getvalue().split("\r\x1b[K"))) <= 79
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_nothing_is_shown_while_nothing_is_waited_for_or_something_else_draws(terminal: Terminal) -> None:
    looked = threading.Semaphore(0)

    def waits() -> bool:
        looked.release()
        return len(hidden) > 0

    hidden: list[int] = []
    with waiting.shown("XenStore", waits=waits):
        assert looked.acquire(timeout=600)
        assert looked.acquire(timeout=600)
        with output.drawing():
            hidden.append(1)
            assert looked.acquire(timeout=600)
            assert looked.acquire(timeout=600)
            hidden.clear()
    assert terminal.getvalue() == ""


def test_a_long_operation_of_a_lab_draws_alone(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr(output, "stderr", lambda: Console(file=drawn, force_terminal=True))
    with progress.shown() as steps:
        steps.step("starting domU")
        with waiting.shown("guest-start.sh"):
            assert "xentool-waiting" not in {thread.name for thread in threading.enumerate()}
    assert terminal.getvalue() == ""
    assert "starting domU" in drawn.getvalue()


@pytest.mark.parametrize(
    "draws",
    [lambda: output.progress("reading"), lambda: output.ticking("measuring", 9), lambda: output.status(console(), "…")],
    ids=["progress", "ticking", "status"],
)
def test_what_draws_on_the_terminal_draws_alone(
    draws: Callable[[], AbstractContextManager[object]], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "stderr", console)
    monkeypatch.setattr(output, "sys", SimpleNamespace(stderr=Terminal()))
    with draws():
        assert output.is_drawn_on()
        with waiting.shown("xl list"):
            assert "xentool-waiting" not in {thread.name for thread in threading.enumerate()}
    assert not output.is_drawn_on()
    assert terminal.getvalue() == ""


def test_no_terminal_is_written_to_and_the_end_says_how_busy_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    waiting.choose(0.05)
    try:
        said = r"^xl list did not end within 0\.05 s on local \(load \d+\.\d on \d+ CPUs?\); --timeout SECONDS waits"
        with pytest.raises(XentoolError, match=said):
            LocalHost().run(["sh", "-c", "sleep 5\nxl list"])
    finally:
        waiting.choose(None)
    assert capfd.readouterr().err == ""
