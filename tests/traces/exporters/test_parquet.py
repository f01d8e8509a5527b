"""Parquet, which compiled code makes, against the same table made by numpy: on real captures, damaged ones, choices."""

import base64
import errno
import io
import random

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.damage import DAMAGES
from tests.traces.exporters.reports import report
from tests.traces.handmade import record, window
from traces import batches, reader
from traces.choice import where as wheres
from traces.choice.where import Where
from traces.errors import TraceError
from traces.exporters import columns, wide
from traces.exporters.parquet import arrow
from traces.exporters.parquet import writer as parquet
from traces.reader import Reader
from traces.xen.formats import events as xentrace


def both(data: bytes, where: Where = wheres.EVERYTHING) -> tuple[pa.Table, pa.Table]:
    about = report(data, where)
    target = io.BytesIO()
    parquet.write(io.BytesIO(data), about, target)
    check_statistics(pq.ParquetFile(target))
    tables = list(wide.batches(reader.read(io.BytesIO(data), Reader()), about))
    plain = wide.schema(about)
    expected = pa.concat_tables(tables) if tables else plain.empty_table()
    return pq.read_table(target), expected


def check_statistics(file: pq.ParquetFile) -> None:
    """By these readers skip row groups, so a wrong one hides records: each against the values that it is of."""
    for number in range(file.num_row_groups):
        group, table = file.metadata.row_group(number), file.read_row_group(number)
        assert group.num_rows == table.num_rows
        for place, name in enumerate(table.column_names):
            found = group.column(place).statistics
            assert found.null_count == table[name].null_count, name
            # All numbers have them: where one group lacks them, and others don't, a reader may go by the others alone.
            counts = pa.types.is_integer(table[name].type)
            assert found.has_min_max == (counts and found.null_count < group.num_rows), name
            if found.has_min_max:
                bounds = pc.min_max(table[name]).as_py()
                assert (found.min, found.max) == (bounds["min"], bounds["max"]), name


def check(data: bytes, where: Where = wheres.EVERYTHING) -> pa.Table:
    found, expected = both(data, where)
    assert found.schema.equals(expected.schema, check_metadata=True)
    for name in expected.column_names:
        # Which number a name has is each table's own.
        one, other = (
            table[name].cast(pa.string()) if pa.types.is_dictionary(table[name].type) else table[name]
            for table in (found, expected)
        )
        assert one.equals(other), name
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_is_the_same_table(name: str) -> None:
    table = check(capture(name))
    assert table.num_rows > 50_000
    assert pa.types.is_dictionary(table.schema.field("hypercall").type)


def test_what_is_chosen_is_the_same_table() -> None:
    data = capture(NAMES[0])
    sizes = [
        check(data, where).num_rows
        for where in (
            Where(domid=0),
            Where(vcpus=frozenset({1})),
            Where(pcpus=frozenset({1})),
            Where(begin=0.05, end=0.2),
            Where(kinds=wheres.kinds("mmu_update,!sched")),
            Where(domid=0x1234),
        )
    ]
    assert sizes[-1] == 0
    assert all(sizes[:-1])
    assert len(set(sizes)) == len(sizes)


def test_several_reads_and_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (batches, reader):
        monkeypatch.setattr(module, "CHUNK", 100_003)
    monkeypatch.setattr(parquet, "_ROWS", 1000)
    check(capture(NAMES[0])[:800_000])
    for module in (batches, reader):
        monkeypatch.setattr(module, "PENDING_MAX", 100)
    check(capture(NAMES[2])[:300_000])


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_the_same_table(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (batches, reader):
        monkeypatch.setattr(module, "CHUNK", 30_011)
    chance = random.Random(7)  # noqa: S311 - no secret depends on it
    for _ in range(4):
        data = bytearray(capture(NAMES[chance.randrange(len(NAMES))])[:120_000])
        for _ in range(3):
            DAMAGES[kind](data, chance)
        try:
            tables = list(reader.read(io.BytesIO(data), Reader()))
        except TraceError:
            # Nothing is left of so short a piece.
            with pytest.raises(TraceError):
                check(bytes(data))
        else:
            assert check(bytes(data)).num_rows == sum(map(len, tables))


def test_two_captures_end_to_end() -> None:
    data = capture(NAMES[0])[:200_000]
    check(data + data)


def test_numbers_of_every_width() -> None:
    # Stamps that jump by up to 60 bits, and each record of another kind.
    stamps = [1, 2, 1 << 59, (1 << 60) - 1, 1 << 60, 1 << 63, 5]
    body = b"".join(record(0x8000000 + i, stamps[i % 7] if i % 3 else None, *range(i % 8)) for i in range(5000))
    hypercalls = b"".join(record(xentrace.PV_HYPERCALL_V2, 1 << 59, i | 3 << 22, i << 20) for i in range(1 << 12))
    check(window(0, body) + window(1, hypercalls) + window(0, body[:4001]))


def test_more_kinds_than_there_is_room_for() -> None:
    body = b"".join(record(xentrace.HVM_VMMCALL, 1000 + i, i) for i in range(70_000))
    table = check(window(3, body))
    assert table["nr"].to_pylist() == list(range(70_000))


def test_the_kept_schema_is_what_arrow_makes() -> None:
    about = report(capture(NAMES[0]))
    made = wide.schema(about).with_metadata({**columns.metadata(about), **arrow.PLACES}).serialize().to_pybytes()
    # To renew it: base64.b64encode(zlib.compress(made, 9)) is what is kept.
    assert arrow.template() == made
    kept = base64.b64decode(arrow.schema(columns.metadata(about)))
    assert pa.ipc.read_schema(pa.py_buffer(kept)).equals(wide.schema(about), check_metadata=True)


class Full(io.BytesIO):
    def write(self, data: bytes) -> int:  # type: ignore[override] # of all that can be written, what is here
        if self.tell() > 50_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_an_output_that_is_full_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # More pieces than there are threads: none may wait for one that has failed.
    monkeypatch.setattr(batches, "CHUNK", 30_011)
    data = capture(NAMES[0])[:1_000_000]
    with pytest.raises(OSError, match="No space left"):
        parquet.write(io.BytesIO(data), report(data), Full())


def test_a_batch_that_was_given_back_is_not_needed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    # The buffers of a batch are filled anew while others are still made into row groups.
    monkeypatch.setattr(batches, "CHUNK", 20_011)
    check(capture(NAMES[1])[:1_500_000])
