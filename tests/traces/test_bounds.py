"""Whatever a trace holds, work and memory grow no faster than it: makers of hostile traces beside all that reads them.

Work is counted, not timed: lines of Python that ran, steps of compiled loops, bytes of memory at most. What commands
make of megabytes is measured by ``tests.bench.hostile``.
"""

import gc
import io
import json
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import numpy as np
import pytest
from rich.console import Console

from tests.traces.hostile import MAKERS, record, runs, window
from tests.traces.work import SMALL, TWICE, lines
from traces import scan as scans
from traces.account import Account
from traces.analyses import calls, counts, series, skew, slices, slowest
from traces.analyses.compare import sampled
from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.counting.clock import Clock
from traces.exporters import calls as times
from traces.exporters import cells, csv, document, dump, folded, histograms, html, jsonl, slow, text
from traces.exporters import series as intervals
from traces.exporters.parquet import writer as parquet
from traces.exporters.perfetto import writer as perfetto
from traces.reader import Reader, read
from traces.scan import Scan
from traces.table import COLUMNS, PIECE, EventTable
from traces.xen.formats import events as xentrace


def scan(data: bytes) -> Scan:
    found = Scan()
    found.feed(data)
    found.finish()
    return found


def tables(data: bytes) -> Iterable[EventTable]:
    return read(io.BytesIO(data), Reader())


def reported(data: bytes) -> Report:
    # All take the same time, whatever the clock of so few records would be taken for.
    return report_of(scan(data), hz=1e6)


def _written(write: Callable[[Iterable[EventTable], Report, BinaryIO], None]) -> Callable[[bytes, Report], object]:
    return lambda data, report: write(tables(data), report, io.BytesIO())


def _console() -> Console:
    return Console(file=io.StringIO(), width=200)


def _in_intervals(data: bytes, report: Report) -> None:
    seconds = report.span_s / 10 or 1.0
    found = series.read(tables(data), report, series.edges(report, seconds), seconds)
    intervals.write(found, report, _console())
    json.dumps(intervals.document(found, report))


def _slowest(data: bytes, report: Report) -> None:
    found = slowest.find(tables(data), report, 3)
    slow.describe(tables(data), report, [one for of in found.values() for one in of.slow])


#: What a reading of the whole trace makes of it; and of those that read it once more, the report is given.
READERS: dict[str, Callable[[bytes, Report], object]] = {
    "json": lambda _data, report: json.dumps(document.document(report)),
    "text": lambda _data, report: text.write(report, _console()),
    "histograms": lambda _data, report: histograms.write(report, _console()),
    "page": lambda data, report: html.write(tables(data), report, io.BytesIO(), "t"),
    "interval": _in_intervals,
    "times": lambda data, report: times.write(calls.read(tables(data), report), report, _console()),
    "slowest": _slowest,
    "slices": lambda data, report: slices.read(
        tables(data), slices.wanted(replace(report, clock=Clock(1e3, "option"), span_s=10.0))
    ),
    "dump": _written(dump.write),
    "jsonl": _written(jsonl.write),
    "csv": _written(csv.write),
    "perfetto": _written(perfetto.write),
    "folded": _written(folded.write),
    "skew": lambda data, _report: skew.estimate(tables(data)),
    "parquet": lambda data, report: parquet.write(io.BytesIO(data), report, io.BytesIO()),
}
#: Those that make something of single records, and the traces that once were too much for one of them.
AGAIN = sorted(READERS.keys() - {"json", "text", "histograms", "folded"})
TOO_MUCH = ("restarts_of_many", "lost_while_many_run", "contradicting")
#: Those of which much is shown.
SHOWN = ("domains", "irqs", "notifications")


@pytest.mark.parametrize("maker", MAKERS)
def test_reports_take_work_by_their_size(maker: str) -> None:
    found = []
    for size in (SMALL, 2 * SMALL):
        data = MAKERS[maker](size)
        report = reported(data)
        assert report.account.bytes == len(data)
        shown = ("json", "text") if maker in SHOWN else ()
        work = [lines(lambda: reported(data))]  # noqa: B023 - is called at once
        work += [lines(lambda: READERS[name](data, report)) for name in shown]  # noqa: B023 - as above
        found.append(work)
    for small, large in zip(*found, strict=True):
        assert large <= TWICE * small + 1000, found


@pytest.mark.parametrize("maker", TOO_MUCH)
@pytest.mark.parametrize("reader", AGAIN)
def test_whoever_reads_again_takes_work_by_its_size(maker: str, reader: str) -> None:
    small, large = (
        lines(lambda: READERS[reader](data, report))  # noqa: B023 - is called at once
        for data, report in ((data, reported(data)) for data in map(MAKERS[maker], (SMALL, 2 * SMALL)))
    )
    assert large <= TWICE * small + 1000


def calls_of(work: Callable[[], object]) -> int:
    """Count the calls of Python's functions and of libraries', in all threads that begin meanwhile."""
    count = 0

    def called(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    threading.setprofile(called)
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return count


@pytest.mark.parametrize("maker", ["events", "hypercalls", "traps", "exit_reasons"])
@pytest.mark.parametrize(
    ("reader", "most"), [("csv", 36), ("dump", 52), ("jsonl", 55), ("parquet", 35), ("perfetto", 75)]
)
def test_a_record_of_a_kind_of_its_own_takes_few_calls(reader: str, most: int, maker: str) -> None:
    # A kind at a time is what they work on: real traces have some hundred. What all traces take is left out.
    few, many = (MAKERS[maker](size) for size in (20, 220))
    report = reported(many)
    READERS[reader](few, report)  # loads what it needs
    small, large = (calls_of(lambda: READERS[reader](data, report)) for data in (few, many))  # noqa: B023 - is called at once
    records = [sum(len(table) for table in tables(data)) for data in (few, many)]
    assert (large - small) / (records[1] - records[0]) <= most


def steps(data: bytes) -> int:
    return scan(data).steps


@pytest.mark.parametrize(
    "maker", ["colliding", "domains_that_work", "lost", "lost_while_many_run", "notifications", "restarts_of_many"]
)
def test_compiled_loops_take_steps_by_their_size(maker: str) -> None:
    # Keys in one place would take eight million, and so would vCPUs that are all looked at for each loss. Each scan has
    # another seed, none of which may lay keys in heaps; that of the key that all records have may be some steps long.
    assert max(steps(MAKERS[maker](4_000)) for _ in range(20)) < 400_000


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_slow_ones_are_described_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    # A window may hold the whole trace.
    pieces: list[int] = []
    feed = slowest.Meanwhile.feed

    def noted(self: slowest.Meanwhile, table: EventTable, *more: Any) -> None:  # noqa: ANN401 - passed on
        pieces.append(len(table))
        feed(self, table, *more)

    monkeypatch.setattr(slowest.Meanwhile, "feed", noted)
    data = MAKERS["unstamped"](PIECE + 10)
    slow.describe(tables(data), reported(data), [slowest.Slow(1, 0, 1, 1, 0, 0)])
    assert pieces == [PIECE, 11]


def test_a_table_is_there_once() -> None:
    # Of the smallest records: their columns take seven times as much as the file.
    size = 100_000
    data = MAKERS["unstamped"](size)
    columns = sum(np.dtype(kind).itemsize for kind in COLUMNS.values())
    list(tables(data))
    assert peak(lambda: [len(table) for table in tables(data)]) < 2 * columns * size + 3 * len(data)


def test_what_is_alike_in_a_report_is_there_once() -> None:
    vcpus = [vcpu for domain in reported(MAKERS["vectors_of_many"](300)).domains for vcpu in domain.vcpus]
    interrupts = [interrupt for vcpu in vcpus for interrupt in vcpu.interrupts]
    assert len(interrupts) == 300
    assert len({id(one.alone) for one in interrupts if not one.alone.count}) == 1
    assert len({id(one) for vcpu in vcpus for one in vcpu.runstates.values() if not one.seconds}) == 1
    timed = [key for interrupt in interrupts for key in interrupt.wake_to_halt.counts]
    assert len({id(key) for key in timed}) == len(set(timed))


def test_what_two_traces_keep_to_be_compared_is_little() -> None:
    def kept(vcpus: int) -> int:
        tracemalloc.start()
        try:
            data = MAKERS["domains_that_work"](vcpus)
            report = replace(reported(data), clock=Clock(1e3, "option"), span_s=10.0)
            found = slices.read(tables(data), slices.wanted(report))
            assert found
            samples = sampled(found)
            del report, found, data
            assert len(samples) == vcpus
            gc.collect()  # what nobody has any more may wait for it
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    kept(10)
    # Of each domain its states and hypercalls: arrays of 40 slices would take three times as much.
    assert (kept(220) - kept(20)) / 200 < 1500


def test_runs_of_the_clock_share_the_bytes_that_they_lie_in() -> None:
    small, large = (MAKERS["restarts"](count) for count in (400, 800))
    assert peak(lambda: list(tables(large))) <= TWICE * peak(lambda: list(tables(small)))


def test_more_runs_of_the_clock_than_anybody_puts_together_are_told() -> None:
    data = MAKERS["restarts"](1500)
    found = reported(data)
    told = {one.code: (one.severity, one.count) for one in found.account.diagnostics}
    assert told["clock_restart"] == ("info", 1024)
    assert told["too_many_restarts"] == ("error", 1500 - 1 - 1024)
    assert found.account.records == 2 * 1500
    rows = sum(len(table) for table in tables(data))
    assert rows == 1500


def accounted(report: Report, code: str) -> int:
    return next((one.count for one in report.account.diagnostics if one.code == code), 0)


def test_the_busiest_vcpus_are_told_and_how_many_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "VCPUS_MAX", 10)
    busy = b"".join(runs(who << 16, 5000 + who) + record(0x0020_1004) * 50 for who in (77, 95))
    found = reported(MAKERS["domains"](100) + window(0, busy))
    assert len([vcpu for domain in found.domains for vcpu in domain.vcpus]) == 10
    assert {77, 95} < {domain.domid for domain in found.domains}
    assert accounted(found, "too_many_vcpus") == 90
    assert accounted(reported(MAKERS["domains"](8)), "too_many_vcpus") == 0


@pytest.mark.parametrize(
    ("event", "room"), [(xentrace.HVM_VMX_EXIT, 1 << 15), (xentrace.HW_IRQ_HANDLED, 1 << 13)], ids=["exits", "irqs"]
)
def test_what_has_no_place_in_a_table_is_counted(event: int, room: int) -> None:
    count = room + 50
    body = b"".join(record(event, number, 0, 0) for number in range(count))
    # Exits are timed in order until who runs there has entered once.
    entered = runs(1 << 16, 1000) + record(xentrace.HVM_VMENTRY)
    found = reported(window(0, entered + body + record(xentrace.HVM_VMENTRY)))
    assert accounted(found, "too_many_kinds") >= 50


def test_text_shows_the_busiest_and_says_how_many_more() -> None:
    def shown(report: Report) -> str:
        console = Console(file=io.StringIO(), width=200)
        text.write(report, console)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    busy = window(0, runs(0x70 << 16, 9_000) + record(0x0020_1004) * 9)
    many = shown(reported(MAKERS["domains_that_work"](100) + busy))
    assert many.count("(domid ") == cells.DOMAINS_MAX
    assert "(domid 112, " in many
    assert f"and {100 + 1 - cells.DOMAINS_MAX} domains more" in many
    for maker, what in (
        ("hypercalls", "hypercall_"),
        ("irqs", "irq "),
        ("notifications", "→"),
        ("exit_reasons", "exit_"),
    ):
        told = shown(reported(MAKERS[maker](200)))
        assert told.count(f"\n  {what}") + told.count(f"\n{what}") <= 3 * cells.ROWS_MAX, maker
        assert " more (--json)" in told, maker
    assert " more" not in shown(reported(MAKERS["domains_that_work"](20)))


def test_lanes_count_what_one_counts_or_leave_it_to_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "SMALL", 0)
    path = tmp_path / "trace"
    path.write_bytes(MAKERS["irqs"](2 * (1 << 13) - 100))
    with path.open("rb") as file, pytest.raises(scans.Irregular):
        scans.read(file, lanes=2)


def test_the_account_is_whole() -> None:
    for maker, make in MAKERS.items():
        account: Account = reported(make(40)).account
        assert account.skipped_bytes == 0 or maker in ("between_windows", "windows_cut")
