"""What is counted near beside what is counted record by record, as where stretches are chosen; lanes reading files."""

import struct
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.captures import NAMES, capture
from tests.traces.handmade import window
from traces import scan as scans
from traces.analyses.report import report
from traces.scan import FOREVER, Scan
from traces.xen.formats import events as xentrace
from traces.xen.lane import TABLES, Lane

ALL = [(0, FOREVER)] * 100
V2, SUBCALL = xentrace.PV_HYPERCALL_V2, xentrace.PV_HYPERCALL_SUBCALL
RUN = xentrace.RUNSTATE_CHANGE
#: Events that are treated in different ways, and behind each one that looks alike at first sight (``near.shape_of``).
ALIKE = {
    V2: 0x20C,
    SUBCALL: 0x20C,
    xentrace.SCHED_WAKE: 0x02C,
    xentrace.HVM_VMENTRY: 0x080,
    0x81003: 0x082,
    xentrace.PV_TRAP: 0x202,
    xentrace.HW_IRQ_HANDLED: 0x80A,
    xentrace.GRANT_MAP: 0x10E,
    xentrace.HVM_VMMCALL: 0x090,
    xentrace.HVM_INJ_VIRQ: 0x086,
    RUN | 1 << 8: 0x120,
    RUN | 1 << 4: 0x030,
    RUN | 2 << 8 | 1 << 4: 0x230,
    xentrace.LOST_RECORDS: 0x01E,
    xentrace.WRAP_BUFFER: 0x01D,
}
EVENTS = [*ALIKE, *ALIKE.values(), 0x201106, *[xentrace.SCHED_WAKE] * 8]
FLAGS = 3 << 20 | 3 << 22
NUMBERS = st.builds(int.__or__, st.sampled_from([1, 13, 20, 24, 29, 32, 64 + 20]), st.sampled_from([0, FLAGS]))
ARGUMENTS = st.sampled_from([0, 1 << 16, 2 << 16 | 1, 0x80000001, 5, 5 | 7 << 12])
CALLS = st.tuples(
    st.sampled_from([V2, V2, SUBCALL]),
    st.one_of(st.tuples(), st.tuples(NUMBERS), st.tuples(NUMBERS, ARGUMENTS), st.tuples(NUMBERS, ARGUMENTS, ARGUMENTS)),
)
OTHERS = st.tuples(st.sampled_from(EVENTS), st.lists(ARGUMENTS, max_size=7).map(tuple))
RECORDS = st.lists(
    st.tuples(
        st.one_of(CALLS, OTHERS),
        st.sampled_from([True, True, True, False]),  # has a time stamp
        st.sampled_from([0, 1, 7, 1 << 20, 0, 1, 7, 9, -5]),  # cycles since the last one
    ),
    min_size=1,
    max_size=40,
)


def counts(found: Scan) -> dict[str, object]:
    found.finish()
    tables: dict[str, object] = {table: sorted(found.items(table)) for table in TABLES}
    return tables | {"account": found.account, "uncounted": found.uncounted, "removed": found.removed}


def both(data: bytes) -> tuple[Scan, Scan]:
    near, far = Scan(), Scan(stretches=ALL)
    near.feed(data)
    far.feed(data)
    return near, far


def test_events_are_alike() -> None:
    def shape(event: int) -> int:
        return (event ^ event >> 12) & 0xFFF

    assert {event: shape(event) for event in ALIKE} == {event: shape(other) for event, other in ALIKE.items()}


@given(RECORDS, st.booleans())
def test_both_ways_count_the_same(records: list[tuple[tuple[int, tuple[int, ...]], bool, int]], second: bool) -> None:
    start = struct.pack("<IQI", (RUN | 1 << 8) | 1 << 28 | 1 << 31, 1000, 1 << 16)
    now = 1000
    bodies = [start, start]
    # Three times: the first of a kind is never counted near.
    for number, ((event, words), timed, delay) in enumerate(records * 3):
        now = max(now + delay, 1)
        stamp = struct.pack("<Q", now) if timed else b""
        header = event | len(words) << 28 | timed << 31
        bodies[second and number % 2] += struct.pack("<I", header) + stamp + struct.pack(f"<{len(words)}I", *words)
    data = window(0, bodies[0]) + window(1, bodies[1]) + window(0, b"")
    near, far = both(data)
    assert counts(near) == counts(far)
    assert asdict(report(near)) == asdict(report(far))


@pytest.mark.parametrize("name", NAMES)
def test_both_ways_count_captures_the_same(name: str) -> None:
    near, far = both(capture(name))
    assert counts(near) == counts(far)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("lanes", "stretch"), [(2, 4_001), (2, 1 << 30), (3, 300_000)])
def test_lanes_that_read_a_file_count_the_same(
    name: str, lanes: int, stretch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Something before the trace, and the end of a record behind: it begins where the file stands.
    path = tmp_path / "trace"
    path.write_bytes(b"before" + capture(name) + b"\0\0\0")
    monkeypatch.setattr(scans, "STRETCH", stretch)
    monkeypatch.setattr(scans, "SMALL", 0)
    one = Scan()
    one.feed(capture(name) + b"\0\0\0")
    one.finish()
    told: list[int] = []
    with path.open("rb") as file:
        file.seek(6)
        found = scans.read(file, lanes=lanes, progress=told.append)
        assert not file.read()
    assert asdict(report(found)) == asdict(report(one))
    assert told[-1] == len(capture(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stretch", [101, 40_000, 1 << 30])
def test_a_small_file_is_read_by_one_lane(
    name: str, stretch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Damaged, and the clock begins anew.
    monkeypatch.setattr(scans, "ALONE", stretch)
    data = capture(name)[:50_000] + b"garbage that is no window" * 3 + capture(name)[:90_000]
    path = tmp_path / "trace"
    path.write_bytes(b"before" + data + b"\0\0\0")
    one = Scan()
    one.feed(data + b"\0\0\0")
    one.finish()
    told: list[int] = []
    with path.open("rb") as file:
        file.seek(6)
        found = scans.read(file, lanes=2, progress=told.append)
        assert not file.read()
    assert counts(found) == counts(one)
    assert len(found.runs) == 2
    assert asdict(report(found)) == asdict(report(one))
    assert told == sorted(set(told))
    assert len(data) - 40 < told[-1] <= len(data) + 3


@pytest.mark.parametrize("at", [13, 1_000, 100_003])
def test_damage_in_a_file_is_for_one_lane(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "SMALL", 0)
    data = capture(NAMES[0])
    path = tmp_path / "trace"
    path.write_bytes(data[:at] + b"garbage that is no window" * 3 + data[at:])
    with path.open("rb") as file, pytest.raises(scans.Irregular):
        scans.read(file, lanes=2)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(capture(NAMES[0]))
    with path.open("ab") as file, pytest.raises(OSError, match="Bad file descriptor"):
        Lane(0, 2).read(file.fileno(), 0, 100)
