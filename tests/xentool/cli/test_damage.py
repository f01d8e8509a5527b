"""Every command that reads a trace, on damaged ones: it ends, with what can be decoded, and with 0 or 4.

``XENTOOL_FUZZ=N`` makes about N turns instead of some two hundred; ``XENTOOL_FUZZ_SEED`` other ones.
"""

import contextlib
import io
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.damage import DAMAGES, piece, windows
from xentool.cli.root import group
from xentool.errors import PeerError

TURNS = max(int(os.environ.get("XENTOOL_FUZZ", "200")) // len(DAMAGES), 1)
SEED = int(os.environ.get("XENTOOL_FUZZ_SEED", "1"))
#: Seconds of processor time for a command on one input.
PATIENCE = 20.0

COMMANDS = (
    "report --json A",
    "report A --histograms --slowest 3",
    "report A --from 0.001 --to 0.02 -e hypercall,exit --pcpu 1",
    "report A --html OUT",
    "dump A",
    "dump --json -e sched A",
    "diff A B",
    "diff --json B A",
    "export --format perfetto A -o OUT",
    "export --format parquet A -o OUT",
    "export --format jsonl A -o OUT",
    "export --format csv A -o OUT",
    "export --format folded A -o OUT",
)
SQL = "select (select count(*) from events), (select count(*) from runstates), (select sum(duration_ns) from exits)"


def run(*args: str) -> int:
    """Run a command in this process; an exception that is no error of ours comes out as it is."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            group.main(list(args), standalone_mode=False)
    except PeerError as error:
        return error.exit_code
    return 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "B"
    path.write_bytes(capture(NAMES[0])[:1_000_000])
    return path


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_every_command_ends_in_order(kind: str, whole: Path, tmp_path: Path) -> None:
    number = sorted(DAMAGES).index(kind)
    for turn in range(TURNS):
        chance = random.Random(f"{SEED} {kind} {turn}")  # noqa: S311 - to be repeated, not kept secret
        command = (*COMMANDS, "sql A")[(number + turn) % (len(COMMANDS) + 1)]
        # A comparison wants some time to compare.
        data = bytearray(piece(chance.choice(NAMES)) if "diff" not in command else capture(NAMES[1])[:1_000_000])
        for one in [kind, *chance.choices(sorted(DAMAGES), k=chance.choice((0, 0, 2)))]:
            if data and windows(data):
                DAMAGES[one](data, chance)
        damaged = tmp_path / "A"
        damaged.write_bytes(data)
        places = {"A": str(damaged), "B": str(whole), "OUT": str(tmp_path / "OUT")}
        args = [places.get(word, word) for word in command.split()] + ([SQL] if command == "sql A" else [])
        began = time.process_time()
        try:
            assert run(*args) in (0, 4)
        except Exception as error:
            error.add_note(f"XENTOOL_FUZZ_SEED={SEED}, {kind}, turn {turn}: xentool {command}")
            if "too short" not in str(error):
                raise
        assert time.process_time() - began < PATIENCE, command


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("xentrace: unknown option\nUsage: xentrace [OPTION...] [output file]\n" * 40)


def folder(path: Path) -> None:
    path.mkdir()


def zeros(path: Path) -> None:
    path.write_bytes(bytes(10_000))


@pytest.mark.parametrize("command", [*COMMANDS, "sql A"])
@pytest.mark.parametrize("make", [empty, text, zeros, folder])
def test_what_is_no_trace_is_told_so(make: Callable[[Path], None], command: str, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "A"
    make(path)
    places = {"A": str(path), "B": str(whole), "OUT": str(tmp_path / "OUT")}
    args = [places.get(word, word) for word in command.split()] + ([SQL] if command == "sql A" else [])
    assert run(*args) == 4
    assert not (tmp_path / "OUT").exists()
