"""Whatever a trace of KVM holds, work grows no faster than it, of all that reads it."""

import io
import json
from collections.abc import Callable, Iterable

import pytest
from rich.console import Console

from tests.traces.kvm.hostile import MAKERS
from tests.traces.kvm.traces import counted, known
from tests.traces.work import SMALL, TWICE, lines
from traces.analyses import series, slices, slowest
from traces.analyses.kvm import report
from traces.answers import Report
from traces.counting.clock import Clock
from traces.exporters import document, html, text
from traces.exporters.kvm import csv, parquet
from traces.exporters.kvm import lines as listed
from traces.exporters.perfetto import writer as perfetto
from traces.plain import replace


def _read(data: bytes) -> Report:
    trace, counts, _ = counted(data)
    return report(counts, trace)


def _tables(data: bytes) -> Iterable[object]:
    return known(data)[0]


def _intervals(data: bytes, of: Report) -> None:
    seconds = of.span_s / 10 or 1.0
    series.read(_tables(data), of, series.edges(of, seconds), seconds)


def _slices(data: bytes, of: Report) -> None:
    slices.read(_tables(data), slices.wanted(replace(of, clock=Clock(1e3, "option"), span_s=10.0)))


READERS: dict[str, Callable[[bytes, Report], object]] = {
    "json": lambda _data, of: json.dumps(document.document(of)),
    "text": lambda _data, of: text.write(of, Console(file=io.StringIO(), width=200)),
    "page": lambda data, of: html.write(_tables(data), of, io.BytesIO(), "t"),
    "interval": _intervals,
    "slices": _slices,
    "slowest": lambda data, of: slowest.find(_tables(data), of, 3),
    "perfetto": lambda data, of: perfetto.write(_tables(data), of, io.BytesIO()),
    "dump": lambda data, _of: listed.write_text(*known(data), io.BytesIO()),
    "jsonl": lambda data, _of: listed.write(*known(data), io.BytesIO()),
    "csv": lambda data, _of: csv.write(*known(data), io.BytesIO()),
    "parquet": lambda data, _of: parquet.write(*known(data), io.BytesIO()),
}
#: Each reads them again; of the others the report alone may be too much.
WHOLE = ("kvm working", "kvm formats", "kvm reasons_of_many", "kvm texts")


@pytest.mark.parametrize("maker", MAKERS)
def test_a_report_takes_work_by_its_size(maker: str) -> None:
    small, large = (lines(lambda: _read(MAKERS[maker](size))) for size in (SMALL, 2 * SMALL))  # noqa: B023 - at once
    assert large <= TWICE * small + 1000


@pytest.mark.parametrize("maker", WHOLE)
@pytest.mark.parametrize("reader", READERS)
def test_whoever_reads_it_takes_work_by_its_size(maker: str, reader: str) -> None:
    made = [(data, _read(data)) for data in map(MAKERS[maker], (SMALL, 2 * SMALL))]
    READERS[reader](*made[0])  # loads what it needs
    small, large = (lines(lambda: READERS[reader](data, of)) for data, of in made)  # noqa: B023 - is called at once
    assert large <= TWICE * small + 1000


def test_no_more_vcpus_and_kinds_than_there_is_room_for() -> None:
    found = _read(MAKERS["kvm machines"](10_000))
    machines = [one for one in found.domains if one.mode == "kvm"]
    assert len(machines) == 1 << 13
    assert found.account.records == 10_000
    (told,) = (one for one in found.account.diagnostics if one.code == "too_many_kinds")
    assert told.count >= 10_000 - (1 << 13)
    reasons = _read(MAKERS["kvm reasons"](140_000))
    assert sum(len(vcpu.exits) for one in reasons.domains for vcpu in one.vcpus) == 1 << 16
