"""One answer, by however many lanes, in whatever pieces, and the same account as the rows' reader."""

import io
from dataclasses import asdict

import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.handmade import record, window
from traces import scan as scans
from traces.analyses.report import report
from traces.batches import batches
from traces.reader import Reader
from traces.reader import read as read_rows
from traces.xen.formats import events as xentrace

END = xentrace.SCHED_WAKE


def read(data: bytes, lanes: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> scans.Scan:
    monkeypatch.setattr(scans, "CHUNK", piece)
    return scans.read(io.BytesIO(data), lanes=lanes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("lanes", "piece"), [(1, 1000), (1, 100_000), (2, 777), (2, 300_000), (3, 50_000)])
def test_lanes_and_pieces_change_nothing(name: str, lanes: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = capture(name)
    expected = asdict(report(read(data, 1, len(data), monkeypatch)))
    assert asdict(report(read(data, lanes, piece, monkeypatch))) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_account_is_the_rows_readers(name: str) -> None:
    for data in (capture(name), capture(name)[100:-3], capture(name) * 2):
        reader = Reader()
        rows = sum(map(len, read_rows(io.BytesIO(data), reader)))
        found = scans.read(io.BytesIO(data))
        assert found.account == reader.account
        assert sum(item[2] for item in found.items("events")) == rows


@pytest.mark.parametrize(
    "damage",
    [
        b"garbage between windows",
        window(5000, b""),  # no such pCPU
        window(0, record(END, 5)),  # another run of the clock
        window(1, record(END, 1 << 61)),
        window(1, record(END, 400))[:-4] + window(0, record(END, 401)),  # a window that was cut
    ],
)
def test_what_several_lanes_cannot_read_one_can(damage: bytes) -> None:
    before = window(0, record(END, 100)) + window(1, record(END, 110))
    data = before + damage + window(0, record(END, 500)) + window(1, record(END, 510))
    with pytest.raises(scans.Irregular):
        scans.read(io.BytesIO(data), lanes=2)
    account = scans.read(io.BytesIO(data)).account
    assert account.bytes == len(data)
    assert {one.code for one in account.diagnostics} > {"unattributed"}


def test_the_newest_record_is_there_though_time_runs_backwards_after_it() -> None:
    # Within a window, and nothing as new comes later.
    data = window(0, b"".join(record(END, tsc) for tsc in (100, 200, 900, 300, 400)))
    rows = [stamp for table in read_rows(io.BytesIO(data), Reader()) for stamp in table.tsc.tolist()]
    assert rows == [100, 200, 300, 400, 900]
    assert [(len(batch), batch.last) for batch in batches(io.BytesIO(data))] == [(5, 900)]
    assert scans.read(io.BytesIO(data)).span == 800


def test_a_row_waits_until_no_older_one_can_come() -> None:
    found = scans.Scan()
    found.feed(window(0, record(xentrace.RUNSTATE_CHANGE | 1 << 8, 100, 1 << 16)))
    assert not found.vcpus
    found.feed(window(1, record(END, 90)) + window(0, record(END, 200)) + window(0, record(END, 300)))
    assert set(found.vcpus) == {1 << 16}


def test_of_many_clock_pairs_the_same_are_kept_by_any_number_of_lanes() -> None:
    inside, outside = xentrace.SWITCH_INFNEXT, xentrace.SWITCH_INFPREV
    bodies = {0: b"", 1: b"", 2: b""}
    for turn in range(9000):
        now = 1000 + turn * 10_000_000
        pcpu = 0 if turn % 5 else 1 + turn % 2
        bodies[pcpu] += record(inside, now, 1, 0, 0, 0) + record(
            outside, now + 5_000_000 + turn, 1, 0, 2_000_000 + turn
        )
    data = b"".join(window(pcpu, body) for pcpu, body in bodies.items())
    kept = scans.read(io.BytesIO(data)).clock_pairs
    assert 200 < len(kept) < 512
    assert {(5_000_000 + turn, 2_000_000 + turn) for turn in range(9000)} > set(kept)
    assert scans.read(io.BytesIO(data), lanes=2).clock_pairs == kept
    assert scans.read(io.BytesIO(data), lanes=3).clock_pairs == kept
