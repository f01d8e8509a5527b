"""The pager: for what is longer than the terminal's screen, and for nothing else."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from tests.xentool.cli.terminals import said
from xentool.cli.common import pager

#: Says that it is there, and passes on what it gets.
PAGER = "echo paged; cat"
#: What explains a case in lines that are longer than 80 characters.
CASE = ("conformance", "--explain", "BB13")


def on_a_terminal(*words: str, rows: int = 24, **environment: str) -> tuple[int, str]:
    """Run a command on a terminal of so many rows and 80 columns; give its status, and what is seen there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    argv = [sys.executable, "-m", "xentool", *words]
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environ | {"TERM": "xterm"} | environment
    ) as child:
        os.close(theirs)
        seen = said(ours)
        os.close(ours)
        return child.wait(), seen.decode().replace("\r\n", "\n")


def test_what_has_room_is_written_as_ever() -> None:
    status, seen = on_a_terminal("schema", PAGER=PAGER, rows=200)
    assert status == 0
    assert "paged" not in seen
    assert "report" in seen.split()


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (("--help",), "xentool [OPTIONS] COMMAND [ARGS]..."),
        (("report", "-h"), "xentool report [OPTIONS] FILE"),
        (("lab", "--help"), "xentool lab [OPTIONS] COMMAND [ARGS]..."),
        (("dump", "-", "-e", "list"), "hypercalls and multicall sub-calls"),
    ],
)
def test_help_begins_on_the_screen_however_long_it_is(words: tuple[str, ...], usage: str) -> None:
    status, seen = on_a_terminal(*words, PAGER=PAGER, rows=10)
    assert (status, seen.partition("\n")[0]) == (0, "paged")
    assert seen.splitlines()[1].partition(": ")[2] == usage
    status, unpaged = on_a_terminal(*words, PAGER=PAGER, rows=200)
    assert (status, f"paged\n{unpaged}") == (0, seen)


def test_what_has_none_is_paged_and_keeps_colours_and_width() -> None:
    status, seen = on_a_terminal("doctor", PAGER=PAGER, rows=5)
    assert (status, seen.partition("\n")[0]) == (0, "paged")
    assert "\x1b[" in seen
    status, seen = on_a_terminal("detect", "--why", "--color", "never", PAGER=PAGER, rows=2)
    assert (status, seen.partition("\n")[0]) == (0, "paged")
    assert "\x1b[" not in seen
    assert max(map(len, seen.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (("--no-pager",), {}),
        ((), {"PAGER": ""}),
        ((), {"PAGER": "cat"}),
        ((), {"PAGER": "/no/such/pager -x"}),
        ((), {"PAGER": "'unclosed"}),
        ((), {"TERM": "dumb"}),
    ],
)
def test_none_is_wanted(words: tuple[str, ...], environment: dict[str, str]) -> None:
    status, seen = on_a_terminal("schema", *words, rows=3, **{"PAGER": PAGER} | environment)
    assert status == 0
    assert "paged" not in seen
    assert "report" in seen.split()


def test_a_pager_that_is_left_ends_the_command() -> None:
    status, seen = on_a_terminal("schema", "report", rows=3, PAGER="head -n 1")
    assert (status, seen) == (0, "{\n")


def test_what_is_said_meanwhile_comes_below() -> None:
    status, seen = on_a_terminal("report", "/no/such/file", rows=3, PAGER=PAGER)
    assert (status, seen) == (1, "xentool: cannot read /no/such/file: No such file or directory\n")


def test_a_pager_that_is_told_nothing_is_told_what_git_tells_it() -> None:
    assert on_a_terminal("schema", rows=3, PAGER='echo "$LESS $LV"', LV="")[1] == "FRX \n"
    assert on_a_terminal("schema", rows=3, PAGER='echo "$LESS"', LESS="-S")[1] == "-S\n"


def test_which_one() -> None:
    assert pager.program({"PAGER": "LESSCHARSET=utf-8 sh -S", "TERM": "xterm"}) == "LESSCHARSET=utf-8 sh -S"
    assert pager.program({"PAGER": "X=1", "TERM": "xterm"}) is None


def test_what_explains_a_case_is_folded_between_words() -> None:
    status, seen = on_a_terminal(*CASE, PAGER=PAGER, rows=200)
    assert status == 0
    assert max(map(len, seen.splitlines())) <= 80
    piped = subprocess.run([sys.executable, "-m", "xentool", *CASE], stdout=subprocess.PIPE, text=True, check=True)
    assert seen.split() == piped.stdout.split()
