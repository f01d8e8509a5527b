"""A lab that is slow is waited for as long as it goes on; one that says nothing any more is given up."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from xentool.errors import XentoolError
from xentool.hosts import waiting
from xentool.lab import awaited, monitor, record, status
from xentool.lab.hypervisors import XEN
from xentool.lab.progress import SILENT


class Machine:
    """Each look at its console is a second later, and finds what it says by then; dom0 answers after so many looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: Iterator[str], answers: int) -> None:
        self.looks, self.text, self.says = 0, "", says
        self.lab = SimpleNamespace(name="test", ssh_port=22, run=tmp_path, under=XEN)
        monkeypatch.setattr(time, "monotonic", lambda: float(self.looks))
        monkeypatch.setattr(time, "sleep", lambda _: None)
        monkeypatch.setattr(awaited, "_sshd_answers", lambda *_: self.looks >= answers)
        monkeypatch.setattr(status, "of", lambda _: SimpleNamespace(state=record.STARTING))
        monkeypatch.setattr(status, "read_console", lambda _: self.console())
        monkeypatch.setattr(monitor, "run_state", lambda _: "running")
        monkeypatch.setattr(waiting, "limit", lambda: 100.0)

    def console(self) -> str:
        self.looks += 1
        self.text += next(self.says, "")
        return self.text

    def wait(self) -> None:
        awaited.until_it_answers(self.lab, SILENT)  # type: ignore[arg-type] # what it asks of a lab


def words(every: int) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"[{number}] still starting\n" if number % every == 0 else ""


def test_a_lab_that_goes_on_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = Machine(monkeypatch, tmp_path, words(90), answers=900)
    machine.wait()
    assert machine.looks == 900


def test_one_that_says_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = Machine(monkeypatch, tmp_path, iter(["[1] Xen\n"] + [""] * 49 + ["[2] stuck\n"]), answers=900)
    with pytest.raises(XentoolError) as error:
        machine.wait()
    assert str(error.value).startswith(
        "lab test did not start in 152 s, and its console said nothing for the last 101 s (QEMU: running); "
        "the console's end:\n"
    )
    assert "[2] stuck" in str(error.value)


def test_one_that_is_stuck_and_says_so_for_ever_is_given_up_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine(monkeypatch, tmp_path, words(60), answers=10_000)
    with pytest.raises(XentoolError, match="did not start in 1001 s"):
        machine.wait()
