"""When the records that are chosen are over: no sooner than the last of them, and not much later."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.traces import hostile
from tests.traces.captures import NAMES, capture
from tests.traces.handmade import record, window
from traces import reader
from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.choice.where import Where
from traces.exporters import csv, dump, jsonl, rows, wide
from traces.exporters.details import Naming
from traces.reader import Reader
from traces.scan import Scan
from traces.table import EventTable
from traces.xen.formats.events import HVM_VMMCALL, SCHED_WAKE

LATE = 1 << 28  # a word, and no time stamp


def report(data: bytes) -> Report:
    scan = Scan()
    scan.feed(data)
    scan.finish()
    return report_of(scan)


def written(data: bytes, about: Report) -> tuple[list[bytes], int]:
    # The lines, and how many tables were taken.
    taken = 0

    def tables() -> Iterator[EventTable]:
        nonlocal taken
        for table in reader.read(io.BytesIO(data), Reader()):
            taken += 1
            yield table

    target = io.BytesIO()
    jsonl.write(tables(), about, target)
    return target.getvalue().splitlines(), taken


@pytest.mark.parametrize(("name", "end"), [*zip(NAMES, (0.01, 0.05, 0.1, 0.2, 0.3, 0.4), strict=False)])
def test_reading_ends_after_the_last_that_is_chosen(name: str, end: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK", 100_000)
    data = capture(name)
    about = report(data)
    every, all_tables = written(data, about)
    part, tables = written(data, replace(about, where=Where(end=end)))
    limit = round(end * 1e9)
    expected = [line for line in every if _ns(line) < limit]
    assert part == expected
    assert 0 < tables < all_tables * 0.9


def _ns(line: bytes) -> int:
    told = line.split(b'"ns":', 1)[1].split(b",", 1)[0]
    return -1 if told == b"null" else int(told)


def test_it_goes_on_for_what_has_no_time_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK", 16)
    early = b"".join(window(0, record(SCHED_WAKE, tsc, 1, 0)) for tsc in range(1000, 9000, 1000))
    untimed = (HVM_VMMCALL | LATE).to_bytes(4, "little") + (7).to_bytes(4, "little")
    data = early + window(1, untimed + record(SCHED_WAKE, 9500, 1, 0)) + window(0, record(SCHED_WAKE, 9900, 1, 0))
    about = report(data)
    assert not {one.code for one in about.account.diagnostics} - {"unattributed"}
    lines, _ = written(data, replace(about, where=Where(end=2500 / about.clock.hz)))
    assert [_ns(line) < 0 for line in lines].count(True) == 1
    assert len(lines) == 4


def test_it_goes_on_where_the_clock_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK", 16)
    untimed = (HVM_VMMCALL | LATE).to_bytes(4, "little") + (7).to_bytes(4, "little")
    run = b"".join(window(pcpu, record(SCHED_WAKE, tsc, 1, 0)) for tsc in range(1000, 9000, 1000) for pcpu in (0, 1))
    data = run + window(0, record(SCHED_WAKE, 500, 1, 0)) + window(1, untimed + record(SCHED_WAKE, 600, 1, 0))
    about = report(data)
    assert "clock_restart" in {one.code for one in about.account.diagnostics}
    lines, _ = written(data, replace(about, where=Where(end=2500 / about.clock.hz)))
    assert [_ns(line) < 0 for line in lines].count(True) == 1


def test_it_goes_on_where_memory_was_too_small_for_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK", 300)
    monkeypatch.setattr(reader, "PENDING_MAX", 4)
    both = [
        window(pcpu, b"".join(record(SCHED_WAKE, tsc + pcpu, 1, 0) for tsc in range(1000, 20000, 1000)))
        for pcpu in (0, 1)
    ]
    data = b"".join(window(pcpu, record(SCHED_WAKE, 900 + pcpu, 1, 0)) for pcpu in (0, 1)) + b"".join(both)
    about = report(data)
    assert not {one.code for one in about.account.diagnostics} - {"unattributed"}
    lines, _ = written(data, replace(about, where=Where(end=2500 / about.clock.hz)))
    assert len(lines) == 2 + 2 * 3


@pytest.mark.parametrize(("module", "write"), [(dump, dump.write), (jsonl, jsonl.write), (wide, csv.write)])
def test_events_that_nobody_declared_make_no_groups(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, write: Callable[..., None]
) -> None:
    made: list[rows.Group] = []

    def counted(table: EventTable, naming: Naming, chosen: NDArray[np.bool_], *more: Any) -> Iterator[rows.Group]:  # noqa: ANN401 - passed on
        for group in rows.groups(table, naming, chosen, *more):
            made.append(group)
            yield group

    monkeypatch.setattr(module, "groups", counted)
    target = io.BytesIO()
    data = hostile.events(1000)
    write(reader.read(io.BytesIO(data), Reader()), report(data), target)
    lines = target.getvalue().decode().splitlines()
    assert len(lines) > 1000
    for line, event in zip(lines[-2:], ["event_0x020003e6", "event_0x020003e7"], strict=True):
        _, text, word = line.partition(event)
        assert text
        assert "1" in word
    assert len(made) < 10


def test_json_lines_hold_all_words_of_what_nobody_declared() -> None:
    events = {0x0F00F000 | words: list(range(7, 7 + words)) for words in range(8)}
    data = window(0, b"".join(record(event, 1000 + event, *words) for event, words in events.items()))
    lines, _ = written(data, report(data))
    found = {one["event"]: one for one in map(json.loads, lines)}
    assert {event: found[event].get("extra", []) for event in events} == events
    assert {found[event]["name"] for event in events} == {f"event_{event:#010x}" for event in events}
