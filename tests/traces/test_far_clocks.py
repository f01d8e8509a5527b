"""Time stamps of any height: firmware and hypervisors begin the clock where they like, and times are differences."""

import io
import json
import struct
from dataclasses import replace
from typing import Any

import pytest

from tests.traces.captures import capture, stranger
from tests.traces.handmade import record, window
from traces import scan as scans
from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.exporters import csv, dump, jsonl
from traces.exporters.document import document
from traces.exporters.perfetto import writer as perfetto
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace

END = 0x28003


def shifted(data: bytes, by: int) -> bytes:
    found = bytearray(data)
    at = 0
    while at + 4 <= len(found):
        header = int.from_bytes(found[at : at + 4], "little")
        timed, words = header >> 31, header >> xentrace.EXTRA_SHIFT & 7
        if timed:
            tsc = int.from_bytes(found[at + 4 : at + 12], "little")
            struct.pack_into("<Q", found, at + 4, tsc + by)
        at += 4 + 8 * timed + 4 * words
    return bytes(found)


def report(data: bytes, lanes: int = 1) -> Report:
    return report_of(scans.read(io.BytesIO(data), lanes=lanes), hz=2.4e9)


def exported(module: Any, data: bytes) -> bytes:  # noqa: ANN401 - an exporter
    output = io.BytesIO()
    module.write(read(io.BytesIO(data), Reader()), report(data), output)
    return output.getvalue()


@pytest.mark.parametrize("by", [(1 << 60) - 1, 1 << 61, 3 << 62, (1 << 64) - (1 << 38)])
def test_a_clock_that_begins_high_changes_no_time(by: int) -> None:
    data = stranger("intel-plain")
    high = shifted(data, by)
    for lanes in (1, 2):
        assert json.dumps(document(report(high, lanes))) == json.dumps(document(report(data, lanes)))
    for module in (dump, perfetto):
        assert exported(module, high) == exported(module, data)
    rows = [json.loads(line) for line in exported(jsonl, high).splitlines()]
    plain = [json.loads(line) for line in exported(jsonl, data).splitlines()]
    assert [{**row, "tsc": row["tsc"] - by if row["tsc"] else 0} for row in rows] == plain
    assert exported(csv, high).splitlines()[9].split(b",")[2] == exported(csv, data).splitlines()[9].split(b",")[2]


def test_real_captures_as_well() -> None:
    data = capture("xen-4.20-pvh")[:400_000]
    high = shifted(data, 1 << 62)
    assert replace(report(high, 2), account=report(data, 2).account) == report(data, 2)


def test_one_stamp_far_off_is_damage_and_costs_no_others() -> None:
    stamps = [1 << 61, (1 << 61) + 100, 5, 1 << 63, (1 << 61) + 300]
    found = report(window(0, b"".join(record(END, tsc) for tsc in stamps)))
    assert {one.code: one.count for one in found.account.diagnostics} == {"bad_tsc": 2, "unattributed": 5}
    assert found.span_s == pytest.approx(300 / 2.4e9)


def test_where_the_first_is_off_the_others_count() -> None:
    stamps = [1 << 63, 100, 200, 700]
    found = report(window(0, b"".join(record(END, tsc) for tsc in stamps)))
    assert {one.code: one.count for one in found.account.diagnostics} == {"clock_restart": 1, "unattributed": 4}
    assert found.span_s == pytest.approx(600 / 2.4e9)


def test_pcpus_whose_clocks_are_far_off_are_read_by_one_lane() -> None:
    far = 1 << 62
    data = window(0, record(END, 100) + record(END, 200)) + window(1, record(END, far) + record(END, far + 50))
    with pytest.raises(scans.Irregular):
        scans.read(io.BytesIO(data), lanes=2)
    found = report(data)
    assert {one.code for one in found.account.diagnostics} == {"bad_tsc", "unattributed"}
    assert found.span_s == pytest.approx(100 / 2.4e9)
