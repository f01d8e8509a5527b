"""How long a lab is waited for, by the kernel's own account of what kept it waiting."""

from pathlib import Path

import pytest

from xentool.errors import XentoolError
from xentool.hosts.local import LocalHost
from xentool.lab import patience
from xentool.lab.patience import Patience, starved


class Lab:
    """A clock, and what a lab's QEMU waited by it."""

    now = waited = 0.0


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    lab = Lab()
    monkeypatch.setattr("time.monotonic", lambda: lab.now)
    monkeypatch.setattr(patience, "starved", lambda *_: lab.waited)
    return lab


@pytest.mark.parametrize(
    ("passed", "waited", "over"), [(99, 0, False), (101, 0, True), (150, 60, False), (150, 40, True)]
)
def test_what_a_lab_waited_itself_does_not_count(lab: Lab, passed: float, waited: float, over: bool) -> None:
    lab.now, lab.waited = 1000.0, 500.0
    limit = Patience(100, 1)
    lab.now, lab.waited = lab.now + passed, lab.waited + waited
    assert limit.over() == over
    assert limit.passed == passed


def test_it_ends_for_a_lab_that_gets_nothing_at_all(lab: Lab) -> None:
    limit = Patience(100, 1)
    lab.now = lab.waited = 999.0
    assert not limit.over()
    lab.now = lab.waited = 1001.0
    assert limit.over()


def test_threads_of_all_are_counted_together(tmp_path: Path) -> None:
    for pid, thread, told in ((7, 7, "9 2500000000 1"), (7, 8, "9 500000000 1"), (9, 9, "1 1000000000 1"), (9, 10, "")):
        (tmp_path / f"{pid}/task/{thread}").mkdir(parents=True)
        (tmp_path / f"{pid}/task/{thread}/schedstat").write_text(told)
    assert starved(7, proc=tmp_path) == 3
    assert starved(7, 9, 11, proc=tmp_path) == 4


def test_a_command_gets_its_input_and_gives_what_it_prints() -> None:
    done = patience.run(LocalHost(), ["sh", "-c", "cat; echo 2 >&2; exit 3"], Patience(100, 1), b"1")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"1", b"2\n")


def test_a_command_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_TICK_S", 0.01)
    with pytest.raises(XentoolError, match=r"^sleep did not end within 0 s on "):
        patience.run(LocalHost(), ["sleep", "1000"], Patience(0, 1))
