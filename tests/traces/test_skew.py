"""Clocks of pCPUs that differ: found by what vCPUs do, put right, and never silently reported."""

import io
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.traces.captures import NAMES, capture, stranger
from tests.traces.handmade import record, window
from traces.account import IDLE_DOMID
from traces.analyses import skew
from traces.analyses.findings import findings
from traces.answers import Report
from traces.exporters.words import skew_doubt
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace
from xentool.tools.tracing import reports

RUNNING, RUNNABLE, BLOCKED = range(3)
#: Cycles in a microsecond.
US = 2_000


def change(tsc: int, vcpu: int, old: int, new: int, domid: int = 1) -> bytes:
    return record(xentrace.RUNSTATE_CHANGE | old << 8 | new << 4, tsc, domid << 16 | vcpu)


def hopping(pcpus: int, vcpus: int, turns: int, seed: int = 0) -> list[tuple[int, int, bytes]]:
    """Give (time, pCPU, record) of vCPUs that run, are preempted or block and are woken, each time elsewhere."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    found = []
    free = [1_000_000_000 + pcpu for pcpu in range(pcpus)]
    ready = [0] * vcpus
    woken_on: list[int | None] = [None] * vcpus
    for _ in range(turns):
        vcpu = min(range(vcpus), key=lambda one: ready[one])
        pcpu = min(chance.sample(range(pcpus), min(2, pcpus)), key=lambda one: free[one])
        begin = max(free[pcpu], ready[vcpu]) + chance.randrange(2 * US, 20 * US)
        if (waker := woken_on[vcpu]) is not None:
            found.append((begin - US, waker, change(begin - US, vcpu, BLOCKED, RUNNABLE)))
        end = begin + chance.randrange(300 * US, 5_000 * US)
        blocks = chance.random() < 0.5
        found.append((begin, pcpu, change(begin, vcpu, RUNNABLE, RUNNING)))
        found.append((end, pcpu, change(end, vcpu, RUNNING, BLOCKED if blocks else RUNNABLE)))
        woken_on[vcpu] = chance.randrange(pcpus) if blocks else None
        free[pcpu], ready[vcpu] = end + 1, end + (chance.randrange(50 * US, 500 * US) if blocks else US)
    return sorted(found)


def written(events: list[tuple[int, int, bytes]], offsets: list[float], drift: float = 0.0) -> bytes:
    """Write them as pCPUs do whose clocks are ahead by so many cycles; the last one drifts besides."""
    bodies: dict[int, list[bytes]] = {}
    for at, pcpu, body in events:
        ahead = offsets[pcpu] + (drift * (at - 1_000_000_000) if pcpu == len(offsets) - 1 else 0)
        tsc = round(at + ahead)
        bodies.setdefault(pcpu, []).append(body[:4] + tsc.to_bytes(8, "little") + body[12:])
    return b"".join(window(pcpu, b"".join(of)) for pcpu, of in sorted(bodies.items()))


def report(data: bytes, path: Path) -> Report:
    path.write_bytes(data)
    with path.open("rb") as file:
        return reports.report(file, str(path), reports.Reading(hz=2e9))


def states(found: Report) -> Iterator[tuple[int, str, int, float]]:
    for domain in found.domains:
        for vcpu in (one for one in domain.vcpus if domain.domid != IDLE_DOMID):
            yield from ((vcpu.vcpu, name, of.count, of.seconds) for name, of in vcpu.runstates.items())


CASES: dict[str, tuple[int, int, list[float]]] = {
    "ahead": (2, 1, [0, 2_000 * US]),
    "behind": (2, 1, [0, -2_000 * US]),
    "a little": (2, 3, [0, 60 * US]),
    "much": (2, 2, [0, 50_000 * US]),
    "of four, one": (4, 6, [0, 0, -700 * US, 0]),
    "of four, all": (4, 6, [0, 900 * US, -1_500 * US, 4_000 * US]),
    "of sixteen, all": (16, 16, [(pcpu * 7 % 16 - 8) * 250.0 * US for pcpu in range(16)]),
    "of sockets": (32, 32, [0] * 16 + [2_000.0 * US] * 16),
    "of eight": (8, 12, [0, 0, 0, 0, 3_000 * US, 3_000 * US, 3_000 * US, 3_000 * US]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_difference_is_found_and_run_states_are_those_of_even_clocks(case: str, tmp_path: Path) -> None:
    pcpus, vcpus, offsets = CASES[case]
    events = hopping(pcpus, vcpus, 250 * vcpus)
    even = report(written(events, [0] * pcpus), tmp_path / "even")
    assert even.skew is None
    found = report(written(events, offsets), tmp_path / "odd")
    assert found.skew is not None
    assert found.skew.shifts
    assert found.skew.left <= 0.05 * found.skew.contradictions
    relative = [found.shifts[0] - found.shifts[pcpu] for pcpu in range(pcpus)]
    assert relative == pytest.approx([one - offsets[0] for one in offsets], abs=15 * US)
    for one, other in zip(states(found), states(even), strict=True):
        assert one[:2] == other[:2]
        assert one[3] == pytest.approx(other[3], abs=0.03 * even.span_s)
    (diagnostic,) = (one for one in found.account.diagnostics if one.code == "clock_skew")
    assert (diagnostic.severity, diagnostic.count) == ("error", found.skew.contradictions)
    assert {one.code for one in found.account.diagnostics} <= {"clock_skew", "unattributed"}


@pytest.mark.parametrize("seed", [0, 9, 10, 13])
def test_a_few_microseconds_on_many_pcpus_that_tell_little_of_each_other(seed: int, tmp_path: Path) -> None:
    # What is taken of the first two of them is wrong for those that come later.
    offsets = [0.0, 3 * US, -2 * US, 4 * US, US, -5 * US]
    found = report(written(hopping(6, 8, 120, seed), offsets), tmp_path / "odd")
    assert found.skew is not None
    assert (found.skew.contradictions > 40, found.skew.left) == (True, 0)
    relative = [found.shifts[0] - found.shifts[pcpu] for pcpu in range(6)]
    assert relative == pytest.approx(offsets, abs=15 * US)


def test_a_difference_is_never_where_two_records_have_one_time() -> None:
    # The second one begins when the first stops, says its clock, and 100 cycles before, says the other's.
    begins, ends = 10_000, 20_000
    first = change(begins, 0, RUNNABLE, RUNNING) + change(ends, 0, RUNNING, RUNNABLE)
    second = change(ends - 100, 0, RUNNABLE, RUNNING) + change(ends + 90_000, 0, RUNNING, RUNNABLE)
    table = read(io.BytesIO(window(0, first) + window(1, second)), Reader())
    assert skew.estimate(table) == {0: 0, 1: 101}


def test_clocks_that_drift_apart_are_told_and_not_corrected(tmp_path: Path) -> None:
    found = report(written(hopping(2, 1, 1000), [0, 0], drift=5e-3), tmp_path / "x")
    assert found.skew is not None
    assert not found.skew.shifts
    assert [one.rule for one in findings(found)] == ["clock_skew"]


def test_even_clocks_are_left_alone() -> None:
    for seed in range(3):
        data = written(hopping(3, 4, 800, seed), [0, 0, 0])
        assert skew.estimate(read(io.BytesIO(data), Reader())) == {}


@pytest.mark.parametrize("name", NAMES)
def test_real_captures_do_not_contradict_themselves(name: str, tmp_path: Path) -> None:
    assert report(capture(name), tmp_path / "x").skew is None


def test_a_pcpu_that_was_not_recorded_is_no_clock_that_differs(tmp_path: Path) -> None:
    # As with `xentrace -c`: vCPUs come and go without a word.
    events = [one for one in hopping(3, 2, 900) if one[1] != 2]
    found = report(written(events, [0, 0, 0]), tmp_path / "x")
    assert found.skew is not None
    assert not found.skew.of_clocks
    assert "clock_skew" not in {one.code for one in found.account.diagnostics}


@pytest.mark.parametrize("apart", [0.6, 2.0])
def test_clocks_that_differ_by_as_much_as_the_trace_is_long_make_no_findings_on_waits(
    apart: float, tmp_path: Path
) -> None:
    found = report(written(hopping(3, 3, 900), [0, apart * 2e9, 0]), tmp_path / "x")
    assert found.skew is not None
    assert found.skew.contradictions > 100
    assert {one.rule for one in findings(found)} <= {"clock_skew"}
    assert "locks of pCPUs differ" in (skew_doubt(found) or "")


def xentool(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "xentool", *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=300)


def test_a_vcpu_that_always_runs_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "hop"
    path.write_bytes(stranger("hop-skew-2ms"))
    done = xentool("report", str(path), "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    capture_ = document["capture"]
    assert capture_["hz"] == pytest.approx(2e9, rel=1e-4)
    assert capture_["clock_skew"]["corrected"]
    assert capture_["clock_skew"]["added_seconds"]["1"] == pytest.approx(2e-3, abs=1e-6)
    told = {one["code"]: one["severity"] for one in capture_["diagnostics"]}
    assert told["clock_skew"] == "error"
    (vcpu,) = next(one for one in document["domains"] if one["domid"] == 5)["vcpus"]
    assert vcpu["runstates"]["running"]["seconds"] == pytest.approx(capture_["span_s"], rel=1e-3)
    assert vcpu["pcpus"]["0"] == pytest.approx(vcpu["pcpus"]["1"], rel=0.01)
    assert [one["rule"] for one in document["findings"]] == ["clock_skew"]
    text = xentool("report", str(path)).stdout.decode()
    assert "Doubtful: The clocks of pCPUs differ, pCPU 1's 2.00 ms behind 0's" in text
    assert "Damage" not in text


def test_a_pipe_is_told_as_doubtful() -> None:
    done = xentool("report", "-", stdin=stranger("hop-skew-2ms"))
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert "are doubtful" in text
    assert "steal:" not in text
