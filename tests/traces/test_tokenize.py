"""The compiled tokenizer against the construct decoder, and its law: no byte vanishes, whatever the input."""

import random
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.captures import NAMES, capture
from tests.traces.handmade import WINDOW, record, window
from traces.account import UNKNOWN_DOMID, Account
from traces.reader import Reader
from traces.table import EventTable
from traces.xen.decode import reference
from traces.xen.formats import events as xentrace


def tables(*pieces: bytes) -> tuple[list[EventTable], Account]:
    reader = Reader()
    found = [table for piece in pieces for table in reader.feed(piece)]
    return found + reader.finish(), reader.account


def rows(found: list[EventTable]) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
    for table in found:
        for row in range(len(table)):
            words = struct.unpack(f"<{table.words[row]}I", table.payload_bytes(row))
            yield int(table.offset[row]), int(table.pcpu[row]), int(table.event[row]), words


def test_there_are_captures_of_every_kind() -> None:
    kinds = {f"xen-{xen}-{kind}" for xen in ("4.17", "4.20") for kind in ("pv1", "pv2", "pvh")}
    assert set(NAMES) == kinds


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_as_construct_decodes_it(name: str) -> None:
    # Up to a window's end: the reference takes only whole captures.
    data = capture(name)
    end = 0
    while end < min(len(data), 300_000):
        end += WINDOW.size + WINDOW.unpack_from(data, end)[2]
    expected = [
        (record.offset, record.pcpu, record.event, record.words)
        for record in reference.decode(data[:end])
        if record.event != xentrace.WRAP_BUFFER
    ]
    found, account = tables(data[:end])
    assert sorted(rows(found)) == expected
    assert account.skipped_bytes == 0
    assert account.bytes == end


@pytest.mark.parametrize("name", NAMES)
def test_order_and_stamps(name: str) -> None:
    data = capture(name)
    found, account = tables(data)
    stamps = np.concatenate([table.tsc for table in found])
    assert (np.diff(stamps.astype(np.int64)) >= 0).all()
    assert [one.code for one in account.diagnostics] == ["unattributed"]
    # A record without a stamp has its pCPU's last one: in the file's order, stamps never fall on one pCPU.
    offsets = np.concatenate([table.offset for table in found])
    pcpus = np.concatenate([table.pcpu for table in found])
    for pcpu in account.pcpus:
        mine = pcpus == pcpu
        assert (np.diff(stamps[mine][np.argsort(offsets[mine])].astype(np.int64)) >= 0).all()


@pytest.mark.parametrize("sizes", [[1], [3], [7, 4096, 1], [65536]])
def test_pieces_of_any_size_give_the_same(sizes: list[int]) -> None:
    data = capture(NAMES[0])[:60_000]
    pieces: list[bytes] = []
    start = 0
    while start < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[start : start + size])
        start += size
    whole, account = tables(data)
    found, again = tables(*pieces)
    assert list(rows(found)) == list(rows(whole))
    assert again == account


def test_truncated_at_every_byte() -> None:
    data = capture(NAMES[0])
    end = WINDOW.size + WINDOW.unpack_from(data, 0)[2]
    data = data[max(0, end - 400) :][:900] if end > 900 else data[:900]
    for size in range(len(data)):
        found, account = tables(data[:size])
        check_conserved(found, account, size)


@given(st.binary(max_size=600))
def test_noise_is_skipped_not_lost(data: bytes) -> None:
    found, account = tables(data)
    check_conserved(found, account, len(data))


def test_mutations() -> None:
    # A fixed seed: a failure can be repeated. Other kinds of damage, and whole reports: test_damage.py.
    chance = random.Random(20)  # noqa: S311 - no secret depends on it
    base = capture(NAMES[0])[:20_000]
    for _ in range(300):
        data = bytearray(base)
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(data))
            data[at] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            cut = chance.randrange(len(data))
            del data[cut : cut + chance.randrange(200)]
        found, account = tables(bytes(data))
        check_conserved(found, account, len(data))


def check_conserved(found: list[EventTable], account: Account, size: int) -> None:
    assert account.bytes == size
    timed = sum(int((4 + 8 * table.timed.astype(int) + 4 * table.words.astype(int)).sum()) for table in found)
    windows = account.records - sum(len(table) for table in found)
    # What is decoded and no row is a window's header of 12 bytes, or a wrap record of 4 to 40.
    rest = size - account.skipped_bytes - timed
    assert 4 * windows <= rest <= 40 * windows
    if account.skipped_bytes:
        assert any(one.severity == "data_loss" for one in account.diagnostics)


def test_resynchronises_at_the_next_window() -> None:
    good = window(0, record(0x20100D, 5, 1)) + window(1, record(0x20100D, 6, 2))
    # The first window's only record ends 8 bytes into the noise; the rest of the noise is nobody's.
    found, account = tables(good[:20] + b"\xff" * 37 + good)
    assert [words for _, _, _, words in rows(found)][1:] == [(1,), (2,)]
    assert account.skipped_bytes == 37 - 8
    damage = [(one.code, one.first_offset) for one in account.diagnostics if one.severity == "data_loss"]
    assert damage == [("resync", 28)]


def test_a_pcpu_that_xen_can_not_have() -> None:
    found, account = tables(window(0xFFFFFFFF, record(0x20100D, 5, 1)) + window(0, record(0x20100D, 6, 2)))
    assert [words for _, _, _, words in rows(found)] == [(2,)]
    assert ("bad_pcpu", 0) in [(one.code, one.first_offset) for one in account.diagnostics]


def test_who_runs() -> None:
    to_running, to_blocked = 0x21001 | 1 << 8, 0x21001 | 2 << 4
    d3v1 = 3 << 16 | 1
    body = (
        record(0x20100D, 10, 1)
        + record(to_running, 11, d3v1)
        + record(0x20100D, 12, 1)
        + record(0x82012, None, 7)
        + record(to_blocked, 13, d3v1)
        + record(0x20100D, 14, 1)
        # Domain in the low half, unlike run states.
        + record(xentrace.LOST_RECORDS, 20, 1000, 5 | 2 << 16, 15, 0)
        + record(0x20100D, 21, 1)
    )
    found, account = tables(window(4, body))
    who = [(int(table.domid[row]), int(table.vcpu[row])) for table in found for row in range(len(table))]
    nobody = (UNKNOWN_DOMID, 4)
    assert who == [nobody, (3, 1), (3, 1), (3, 1), (3, 1), nobody, nobody, (5, 2)]
    assert account.lost_records == 1000
    assert found[0].tsc.tolist() == [10, 11, 12, 12, 13, 14, 20, 21]


def test_another_capture_behind_the_first_restarts_the_clock() -> None:
    one = window(0, record(0x20100D, 500, 1)) + window(1, record(0x20100D, 510, 1))
    found, account = tables(one + one)
    assert [(table.restart, table.tsc.tolist()) for table in found] == [(False, [500, 510]), (True, [500, 510])]
    assert [one.code for one in account.diagnostics if one.code != "unattributed"] == ["clock_restart"]
