"""Each command of docs/concepts.md that is shown with its output gives it, on the captures that the tests have."""

import lzma
import shlex
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.docs import concepts
from tests.traces.captures import FOLDER
from tests.xentool.cli.inprocess import ran
from tests.xentool.dom0 import hosted
from tests.xentool.tools.pci_hosts import EMULATED

SHOWN = list(concepts.shown())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("concepts")
    for name, of in concepts.CAPTURES.items():
        (made / name).write_bytes(lzma.decompress((FOLDER / of).read_bytes()))
    return made


def test_there_are_some() -> None:
    assert len(SHOWN) >= 7
    assert all(one.output for one in SHOWN)


@pytest.mark.parametrize("one", SHOWN, ids=lambda one: one.command)
def test_what_is_shown_is_written(
    one: concepts.Shown, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    program, *words = shlex.split(one.command)
    assert program == "xentool"
    # Of what no capture is about, a host as its dom0 told of it.
    host = hosted(tmp_path, monkeypatch, {0: "Domain-0", 1: "pci"}, [], pci=EMULATED)
    with host if words[0] == "device" else nullcontext():
        done = ran(*words)
    assert done.returncode == 0
    assert one.missing(done.stdout) == []


def test_the_bar_is_drawn_of_what_stands_above_it() -> None:
    (above,) = [one for one in SHOWN if "-e exit,hypercall" in one.command]
    assert concepts.drawn() == concepts.bar(above.output, 0.3011)
    root, guest = concepts.drawn().splitlines()
    assert 20 < root.count("█") < 60
    assert root.count("█") + guest.count("█") == concepts.COLUMNS


def test_a_line_that_is_elsewhere_or_left_out_is_noticed() -> None:
    one = concepts.Shown("", ["a", "...", "c"])
    assert one.missing("a\nb\nc\n") == []
    assert one.missing("a\nb\n") == ["c"]
    assert one.missing("a\nc\nd\n") == ["d"]
    assert concepts.Shown("", ["a", "b", "..."]).missing("a\nx\nb\n") == ["b"]
