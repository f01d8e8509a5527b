"""Damaged trace.dats through all that reads their records: nothing raises, and each has as many as were counted."""

import io
import json
import random

import pyarrow.parquet as pq

from tests.traces.kvm.traces import LIFE, PAGE, counted, known, page, sixth
from traces.analyses import series, slices, slowest
from traces.analyses.kvm import report
from traces.errors import TraceError
from traces.exporters.kvm import csv, lines, parquet
from traces.exporters.perfetto import writer as perfetto
from traces.plain import replace

SMALL = sixth([[page(LIFE[:9]), page(LIFE[9:])], [page(LIFE)]], "500 CPU 0/KVM\n")
MUTATIONS = 400


def _all(data: bytes) -> bool:
    # Whether there was anything to be read.
    try:
        trace, counts, _ = counted(data)
    except TraceError:
        return False
    found = report(counts, trace)
    records = found.account.records
    output = io.BytesIO()
    parquet.write(*known(data), output)
    assert pq.read_metadata(output).num_rows == records
    output = io.BytesIO()
    csv.write(*known(data), output)
    assert output.getvalue().count(b"\n") >= records
    output = io.BytesIO()
    lines.write(*known(data), output)
    told = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [one["ns"] >= 0 for one in told] == [True] * records
    output = io.BytesIO()
    lines.write_text(*known(data), output)
    assert output.getvalue().count(b"\n") == records
    slowest.find(known(data)[0], found, 3)
    seconds = max(found.span_s / 7, 1 / found.clock.hz)
    series.read(known(data)[0], found, series.edges(found, seconds), seconds)
    slices.read(known(data)[0], slices.wanted(replace(found, span_s=max(found.span_s, 1.0))))
    perfetto.write(known(data)[0], found, io.BytesIO())
    return True


def _mutated(chance: random.Random) -> bytes:
    data = bytearray(SMALL)
    for _ in range(chance.choice([1, 1, 4, 30])):
        # Half of it is what describes events, of which little has a meaning.
        at = chance.randrange(len(data) - 3 * PAGE if chance.random() < 0.5 else 0, len(data))
        data[at] = chance.randrange(256)
    return bytes(data)


def test_mutations() -> None:
    chance = random.Random(3)  # noqa: S311 - no secret depends on it
    kept = sum(_all(_mutated(chance)) for _ in range(MUTATIONS))
    assert kept > MUTATIONS // 4  # the others are refused
