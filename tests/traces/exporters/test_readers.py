"""Exported tables as others read them: each value, null, least, most and count, over all captures.

Each of the four has a reader of Parquet of its own (pandas takes pyarrow's), and they forgive different things.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datafusion
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.traces.captures import NAMES, STRANGERS, capture, stranger
from tests.traces.exporters.pages import coded
from tests.traces.exporters.reports import report
from tests.traces.handmade import record, window
from traces.choice.where import Where
from traces.exporters.columns import COLUMNS
from traces.exporters.parquet import writer as parquet
from traces.xen.formats import events as xentrace

#: Rows of a row group: columns that repeat in one and not in another, or have no value in one, are what goes wrong.
ROWS = 9_000
NUMBERS = [column.name for column in COLUMNS if column.bits]


@pytest.fixture(scope="module", params=[*NAMES, *STRANGERS])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name = str(request.param)
    data = capture(name) if name in NAMES else stranger(name)
    return export(data, tmp_path_factory.mktemp("readers") / f"{name}.parquet")


def export(data: bytes, path: Path, where: Where | None = None) -> Path:
    with pytest.MonkeyPatch.context() as patch, path.open("wb") as file:
        patch.setattr(parquet, "_ROWS", ROWS)
        parquet.write(io.BytesIO(data), report(data, where) if where else report(data), file)
    return path


def by_polars(path: Path) -> pa.Table:
    return pl.read_parquet(path).to_arrow()


def by_duckdb(path: Path) -> pa.Table:
    return duckdb.read_parquet(str(path)).to_arrow_table()


def by_datafusion(path: Path) -> pa.Table:
    return in_order().read_parquet(str(path)).to_arrow_table()


def in_order() -> datafusion.SessionContext:
    # Several partitions hand their rows out as they come.
    return datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(1))


def by_pandas(path: Path) -> pa.Table:
    return pa.Table.from_pandas(pd.read_parquet(path), preserve_index=False)


@pytest.mark.parametrize("read", [by_polars, by_duckdb, by_datafusion, by_pandas])
def test_values_and_nulls(read: Callable[[Path], pa.Table], path: Path) -> None:
    expected, found = pq.read_table(path), read(path)
    assert found.column_names == expected.column_names
    for name in expected.column_names:
        kind = expected[name].type
        text = pa.types.is_dictionary(kind)
        if not text:
            assert found[name].type == kind, name
        one, other = (table[name].cast(pa.string() if text else kind) for table in (found, expected))
        assert one.equals(other), name


def test_least_most_and_count(path: Path) -> None:
    table = pq.read_table(path)
    bounds = {name: pc.min_max(table[name]).as_py() for name in NUMBERS}
    expected = [
        value
        for name in NUMBERS
        for value in (bounds[name]["min"], bounds[name]["max"], table.num_rows - table[name].null_count)
    ]
    sql = ", ".join(
        f'min("{name}") AS "{name}_l", max("{name}") AS "{name}_m", count("{name}") AS "{name}_c"' for name in NUMBERS
    )
    for answer in (in_datafusion(path, sql), in_duckdb(path, sql), in_polars(path, sql)):
        assert answer == expected


@pytest.mark.parametrize("ask", ["datafusion", "duckdb", "polars"])
def test_rows_are_found_by_what_is_in_them(ask: str, tmp_path: Path) -> None:
    # By the bounds of row groups readers leave out what cannot hold it: wrong ones hide records.
    path = export(capture(NAMES[0])[:1_000_000], tmp_path / "x.parquet")
    asked = {"datafusion": in_datafusion, "duckdb": in_duckdb, "polars": in_polars}[ask]
    table = pq.read_table(path)
    for name in NUMBERS:
        values = pc.unique(table[name].drop_null()).sort()
        for value in {values[place].as_py() for place in (0, len(values) // 2, -1)} if len(values) else ():
            for sign, compare in (("=", pc.equal), (">", pc.greater), ("<=", pc.less_equal)):
                expected = pc.sum(compare(table[name], pa.scalar(value, table[name].type))).as_py()
                assert asked(path, "count(*) AS n", f'"{name}" {sign} {value}') == [expected], (name, sign, value)


def in_datafusion(path: Path, what: str, where: str = "true") -> list[Any]:
    context = datafusion.SessionContext()
    context.register_parquet("t", str(path))
    (row,) = context.sql(f"SELECT {what} FROM t WHERE {where}").to_pylist()  # noqa: S608 - a query of ours
    return list(row.values())


def in_duckdb(path: Path, what: str, where: str = "true") -> list[Any]:
    (row,) = duckdb.read_parquet(str(path)).filter(where).aggregate(what).fetchall()
    return list(row)


def in_polars(path: Path, what: str, where: str = "true") -> list[Any]:
    frame = pl.SQLContext(t=pl.scan_parquet(path)).execute(f"SELECT {what} FROM t WHERE {where}")  # noqa: S608 - a query of ours
    (row,) = frame.collect().rows()
    return list(row)


@pytest.mark.parametrize("read", [by_polars, by_duckdb, by_datafusion, by_pandas])
def test_a_table_without_rows(read: Callable[[Path], pa.Table], tmp_path: Path) -> None:
    path = export(capture(NAMES[0])[:200_000], tmp_path / "x.parquet", Where(domid=0x1234))
    found = read(path)
    assert (found.num_rows, found.column_names) == (0, pq.read_schema(path).names)


@pytest.mark.parametrize("name", [*NAMES, "real-4.20-exits-only"])
def test_what_fills_up_eight_codes_is_a_code(name: str, tmp_path: Path) -> None:
    # Readers look up all eight. What was left there of another column was beyond the dictionary, and polars refused it.
    data = capture(name) if name in NAMES else stranger(name)
    path = export(data[:80_000], tmp_path / "x.parquet")
    pages = list(coded(pq.ParquetFile(path), path.read_bytes()))
    assert all(set(page.filling) <= {0} and max(page.meant, default=0) < page.entries for page in pages)
    assert sum(len(page.meant) for page in pages) > 1_000
    assert any(page.filling for page in pages)


def test_addresses_of_kernels_keep_their_digits(tmp_path: Path) -> None:
    # As doubles, which is what pandas makes of numbers some of which are missing, they end in zeros.
    addresses = [0xFFFFFFFF81000000 + 4097 * i for i in range(50)]
    faults = [record(xentrace.PV_PAGE_FAULT, 5000 + i, a & 0xFFFFFFFF, a >> 32, 2) for i, a in enumerate(addresses)]
    others = [record(0x8000000, 9000 + i, i) for i in range(50)]
    path = export(window(0, b"".join(faults + others)), tmp_path / "x.parquet")
    found = pd.read_parquet(path)["address"]
    assert str(found.dtype) == "UInt64"
    assert {int(one) for one in found.dropna()} == set(pq.read_table(path)["address"].drop_null().to_pylist())
