"""What records end, and how long it took: against the report's distributions, and on a trace made by hand."""

import io

import numpy as np
import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, VMENTRY, VMEXIT, change, record, window
from traces import scan as scans
from traces.analyses.report import report as report_of
from traces.choice.where import Where
from traces.exporters import dump, jsonl
from traces.exporters.rows import Chooser
from traces.reader import Reader, read

HZ = 1e9


def ends(data: bytes, slower: float = 0.0) -> dict[str, list[int]]:
    chooser = Chooser(Where(slower=slower), HZ, timing=True)
    found: dict[str, list[int]] = {"waits": [], "exits": []}
    for table in read(io.BytesIO(data), Reader()):
        for part, _ in chooser.of(table):
            assert chooser.took is not None
            for row in np.flatnonzero(chooser.took >= 0):
                entry = part.event[row] & ~np.uint32(0x100) == VMENTRY
                found["exits" if entry else "waits"].append(int(chooser.took[row]))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_as_many_and_as_long_as_the_report_says(name: str) -> None:
    found = ends(capture(name))
    report = report_of(scans.read(io.BytesIO(capture(name))), hz=HZ)
    for what, kinds in (("waits", ("wake_to_run", "preempted_to_run")), ("exits", ("exits",))):
        told = [
            vcpu.latencies[kind]
            for one in report.domains
            for vcpu in one.vcpus
            for kind in kinds
            if kind in vcpu.latencies
        ]
        assert len(found[what]) == sum(one.count for one in told)
        assert sum(found[what]) == pytest.approx(sum(one.seconds for one in told) * HZ)
        assert max(found[what], default=0) == pytest.approx(max((one.longest for one in told), default=0) * HZ)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_slow(name: str) -> None:
    everything, slow = ends(capture(name)), ends(capture(name), slower=0.002)
    assert slow == {what: [one for one in took if one >= 2_000_000] for what, took in everything.items()}
    assert slow["waits"]


def test_an_exit_without_the_time_descheduled() -> None:
    data = window(
        0,
        change(100, 1, 0, RUNNABLE, RUNNING)
        + record(VMENTRY, 110)
        + record(VMEXIT, 200, 12, 0, 0)
        + change(230, 1, 0, RUNNING, BLOCKED)
        + change(300, 1, 0, BLOCKED, RUNNABLE)
        + change(340, 1, 0, RUNNABLE, RUNNING)
        + record(VMENTRY, 360),
    )
    assert ends(data) == {"waits": [40], "exits": [50]}
    report = report_of(scans.read(io.BytesIO(data)), hz=HZ)
    said = io.BytesIO()
    dump.write(read(io.BytesIO(data), Reader()), report, said)
    lines = said.getvalue().decode().splitlines()
    assert [line.split("<")[1] for line in lines if "<" in line] == ["40.0 ns>", "50.0 ns>"]
    said = io.BytesIO()
    jsonl.write(read(io.BytesIO(data), Reader()), report, said)
    assert said.getvalue().count(b'"took_ns"') == 2
    assert b'"took_ns":50}' in said.getvalue()
