"""Tables of KVM's records: each value, as lines of the same trace have it, and as others read them."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datafusion
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from tests.traces.kvm.traces import LIFE, VCPU, Told, known, page, sample, sixth
from traces.choice.where import Where
from traces.exporters.kvm import csv, lines, parquet
from traces.exporters.kvm.columns import ALWAYS, RECORD

_FLAT = {"fields", "took_ns"}


def _objects(data: bytes, where: Where | None = None) -> list[dict[str, Any]]:
    tables, trace = known(data, where)
    output = io.BytesIO()
    lines.write(tables, trace, output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def _table(data: bytes, where: Where | None = None) -> pa.Table:
    tables, trace = known(data, where)
    output = io.BytesIO()
    parquet.write(tables, trace, output)
    return pq.read_table(io.BytesIO(output.getvalue()))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kvm") / "x.parquet"
    tables, trace = known(sample())
    with path.open("wb") as file:
        parquet.write(tables, trace, file)
    return path


def test_every_value_is_that_of_its_line(path: Path) -> None:
    rows = pq.read_table(path).to_pylist()
    told = _objects(sample())
    assert len(rows) == len(told) == 3713
    for row, line in zip(rows, told, strict=True):
        there = {name: value for name, value in row.items() if value is not None}
        head = {name: value for name, value in line.items() if name not in _FLAT and value is not None}
        fields = {}
        for name, value in line["fields"].items():
            own = f"{line['name']}_{name}"
            if value is not None:
                fields[own if own in row else name] = value
        assert there == head | fields


def test_fields_of_one_name_and_another_meaning(path: Path) -> None:
    table = pq.read_table(path)
    wakes = [row for row in table.to_pylist() if row["name"] == "sched_wakeup"]
    assert len(wakes) == 131
    assert all(row["sched_wakeup_pid"] is not None and row["sched_wakeup_comm"] for row in wakes)
    assert {row["pid"] for row in wakes} != {row["sched_wakeup_pid"] for row in wakes}


def test_columns_that_are_always_there_have_one_type() -> None:
    real, made = _table(sample()).schema, _table(sixth([[page(LIFE)]])).schema
    for column in (*RECORD, *ALWAYS):
        assert real.field(column.name).type == made.field(column.name).type
    assert made.metadata[b"schema"] == b"xentool.kvm-events/1"
    assert [one.name for one in made][: len(RECORD) + len(ALWAYS)] == [column.name for column in (*RECORD, *ALWAYS)]


def test_a_record_that_is_cut_and_an_event_without_a_format() -> None:
    exit_ = (12).to_bytes(2, "little") + bytes(2) + VCPU.to_bytes(4, "little") + (2).to_bytes(4, "little")
    strange = (999).to_bytes(2, "little") + bytes(2) + VCPU.to_bytes(4, "little")
    whole = page(LIFE[:2])
    held = int.from_bytes(whole[8:16], "little")
    body = whole[16 : 16 + held]
    for data in (exit_, strange):
        body += (7 << 5 | len(data) // 4).to_bytes(4, "little") + data
    data = sixth([[(whole[:8] + len(body).to_bytes(8, "little") + body).ljust(4096, b"\0")]])
    rows = _table(data).to_pylist()
    assert (rows[2]["name"], rows[2]["isa"], rows[2]["exit_reason"], rows[2]["exit"]) == ("kvm_exit", 2, None, None)
    assert (rows[3]["name"], rows[3]["event"], rows[3]["domid"]) == ("event_999", 999, VCPU)
    fields = _objects(data)[2]["fields"]
    assert fields == {"isa": 2, "vcpu_id": None, "exit_reason": None, "exit": None}


def test_csv_is_the_same_table(path: Path) -> None:
    tables, trace = known(sample())
    output = io.BytesIO()
    csv.write(tables, trace, output)
    expected = pq.read_table(path)
    plain = pa.schema(
        [(one.name, pa.string() if pa.types.is_dictionary(one.type) else one.type) for one in expected.schema]
    )
    options = pc.ConvertOptions(column_types=plain, strings_can_be_null=True, quoted_strings_can_be_null=False)
    assert pc.read_csv(io.BytesIO(output.getvalue()), convert_options=options).equals(expected.cast(plain))


def _by_polars(path: Path) -> pa.Table:
    return pl.read_parquet(path).to_arrow()


def _by_duckdb(path: Path) -> pa.Table:
    return duckdb.read_parquet(str(path)).to_arrow_table()


def _by_datafusion(path: Path) -> pa.Table:
    one = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(1))
    return one.read_parquet(str(path)).to_arrow_table()


def _by_pandas(path: Path) -> pa.Table:
    return pa.Table.from_pandas(pd.read_parquet(path), preserve_index=False)


@pytest.mark.parametrize("read", [_by_polars, _by_duckdb, _by_datafusion, _by_pandas])
def test_values_and_nulls_as_others_read_them(read: Callable[[Path], pa.Table], path: Path) -> None:
    expected, found = pq.read_table(path), read(path)
    assert found.column_names == expected.column_names
    for name in expected.column_names:
        kind = expected[name].type
        text = pa.types.is_dictionary(kind)
        assert text or found[name].type == kind, name
        one, other = (table[name].cast(pa.string() if text else kind) for table in (found, expected))
        assert one.equals(other), name


def test_what_is_chosen() -> None:
    others = [Told(2000, 501, "kvm_entry", {"vcpu_id": 3}), Told(2001, 900, "kvm_entry", {"vcpu_id": 0})]
    data = sixth([[page([*LIFE, *others])]])
    assert [one["pid"] for one in _objects(data, Where(domid=900))] == [900]
    assert {one["pid"] for one in _objects(data, Where(domid=VCPU))} == {VCPU, 501}
    assert [one["vcpu"] for one in _objects(data, Where(vcpus=frozenset({3})))] == [3]
    late = _objects(data, Where(begin=4e-7, end=4.5e-7))
    assert [one["ns"] for one in late] == [400, 411, 413]
    # A wait of 30 ns, and what took the kernel as long.
    slow = _objects(data, Where(slower=1.5e-8))
    assert [(one["name"], one["took_ns"]) for one in slow] == [("sched_switch", 30), ("kvm_entry", 17)]


def test_a_table_of_nothing() -> None:
    table = _table(sixth([[page(LIFE)]]), Where(domid=1))
    assert table.num_rows == 0
    assert "exit_reason" in table.column_names


def test_more_events_than_there_are_columns_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from traces.exporters.kvm import columns  # noqa: PLC0415 - to narrow it

    monkeypatch.setattr(columns, "COLUMNS_MAX", len(RECORD) + len(ALWAYS) + 1)
    table = _table(sixth([[page(LIFE)]]))
    assert len(table.column_names) == len(RECORD) + len(ALWAYS) + 1
