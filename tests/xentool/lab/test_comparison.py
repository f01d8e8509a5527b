"""A guest is told to work and waited for, on a host that is made up; tables of techniques and works hold together."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.xentool.cli.kept import keep
from xentool.errors import XentoolError
from xentool.hosts import Completed
from xentool.lab.comparison import guest, run, techniques
from xentool.lab.comparison.run import _DISKS


class Host:
    """Keeps a guest's console, of which each look sees more."""

    def __init__(self, *seen: str) -> None:
        self.seen = list(seen)
        self.asked: list[tuple[list[str], bytes | None]] = []

    def run(self, argv: list[str], *, input: bytes | None = None) -> Completed:
        self.asked.append((argv, input))
        text = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        return Completed(tuple(argv), 0, text.encode(), b"")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def test_a_guest_is_told_by_its_shell_and_not_waited_for() -> None:
    host = Host("")
    guest.begin(host, "10.77.0.11", "/dev/vda", 3, [("none", 0), ("net", 50)])  # type: ignore[arg-type] # what it asks of one
    ((argv, script),) = host.asked
    assert argv == ["busybox", "nc", "10.77.0.11", "7000"]
    assert script == b"setsid work /dev/vda 3 none:0 net:50 </dev/null >/dev/null 2>&1 &\n"


def test_its_marks_are_read_off_its_console_until_it_is_done() -> None:
    first = (
        "[ 1.0] xentool-phase begin none 0\r\n[ 1.1] xentool-phase end none\r\n[ 1.2] xentool-phase begin net 50\r\n"
    )
    first += "(early) [ 1.2] xentool-phase begin net 50\r\n"
    host = Host(first, first, f"{first}[ 2.0] xentool-phase end net\r\n[ 2.1] xentool-phase done\r\n")
    assert guest.finished(host, "/log", 100, 0) == [("none", 0), ("net", 50)]  # type: ignore[arg-type] # see above
    assert {tuple(argv) for argv, _ in host.asked} == {("tail", "-c", "+101", "/log")}


def test_one_that_is_silent_is_given_up_with_the_end_of_its_console() -> None:
    host = Host("xentool-phase begin fork 20\r\nKernel panic\r\n")
    with pytest.raises(XentoolError) as error:
        guest.finished(host, "/log", 0, 0)  # type: ignore[arg-type] # see above
    assert str(error.value).startswith("the guest did not go on with its work for 30")
    assert str(error.value).endswith("its console:\n  xentool-phase begin fork 20\n  Kernel panic")


def test_a_technique_whose_guest_does_not_work_is_left_out_and_the_others_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @contextmanager
    def lab(*_: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(host=lambda: SimpleNamespace(close=lambda: None))

    def record(_lab: object, _host: object, technique: techniques.Technique, *_: object) -> None:
        if technique.name == "xen-pvh":
            raise XentoolError("worker died while it started; the end of its console:\n  Oops")
        keep(tmp_path, technique.name, 10)

    monkeypatch.setattr(run, "_lab", lab)
    monkeypatch.setattr(run, "_record", record)
    found = run.compare(["xen-pv", "xen-pvh", "xen-hvm"], ["disk-write"], keep=tmp_path)
    assert [each.name for each in found.techniques] == ["xen-pv"]
    assert found.left_out == {
        "xen-hvm": techniques.LEFT_OUT["xen-hvm"],
        "xen-pvh": "worker died while it started; the end of its console",
    }


def test_each_technique_is_a_guest_that_its_lab_can_start_and_has_a_disk() -> None:
    for name, each in techniques.TECHNIQUES.items():
        assert name == each.name
        assert each.type in each.under.types
        assert each.type in _DISKS
    assert not set(techniques.LEFT_OUT) & set(techniques.TECHNIQUES)
