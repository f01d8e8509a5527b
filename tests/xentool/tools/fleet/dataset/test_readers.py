"""One dataset as its readers have it: each is asked the same in its own way, and all answer alike."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datafusion
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from tests.traces.captures import capture
from tests.traces.kvm.traces import sample
from tests.xentool.cli.inprocess import ran
from tests.xentool.tools.fleet.made import trace, written
from traces.exporters.dataset import PARTITIONS
from xentool.tools.fleet.dataset import task
from xentool.tools.fleet.dataset.store import store
from xentool.tools.fleet.places import Place, find

PAGE = Path(__file__).parents[5] / "docs/datasets.md"
#: Counts, sums and bounds by what readers take from folders' names, and by domain; null and text among them.
QUESTION = """
    SELECT host, day, capture, domain, count(*) AS records, count(hypercall) AS calls, sum(ns) AS ns, min(tsc) AS first,
           max(byte_offset) AS last, sum(CAST(w0 AS BIGINT)) AS words, count(exit_reason) AS exits,
           max(fields) AS fields
    FROM events GROUP BY host, day, capture, domain
"""
TEXT = pa.schema([(name, pa.string()) for name in PARTITIONS])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one of PV, PVH and KVM, of hosts whose names readers might take for something else."""
    folder = tmp_path_factory.mktemp("readers")
    to = folder / "dataset"
    data = {
        "08": trace(1),
        "xen=1/..\n": capture("xen-4.17-pvh")[:500_000],
        "2026-01-01": capture("xen-4.17-pv1")[:500_000],
    }
    for number, (host, made) in enumerate(data.items(), 1):
        written(folder / f"captures/{number}.xentrace", made, host, number)
    (folder / "captures/linux.dat").write_bytes(sample())
    with store(str(to), 60).held():
        for place in find([str(folder / "captures")]):
            assert isinstance(place, Place)
            done = task.convert(place, [], str(to), 60)
            # Xen's are cut in the middle of a record.
            assert done.written is not None, done.error
    return to


def by_pyarrow(dataset: Path) -> list[dict[str, Any]]:
    found = ds.dataset(dataset, partitioning=ds.partitioning(TEXT, flavor="hive"))
    table = (
        found.to_table()
        .group_by([*PARTITIONS, "domain"])
        .aggregate(
            [
                ([], "count_all"),
                ("hypercall", "count"),
                ("ns", "sum"),
                ("tsc", "min"),
                ("byte_offset", "max"),
                ("w0", "sum"),
                ("exit_reason", "count"),
                ("fields", "max"),
            ]
        )
    )
    names = [*PARTITIONS, "domain", "records", "calls", "ns", "first", "last", "words", "exits", "fields"]
    rows: list[dict[str, Any]] = table.rename_columns(names).to_pylist()
    return rows


def by_duckdb(dataset: Path) -> list[dict[str, Any]]:
    types = ", ".join(f"{name}: VARCHAR" for name in PARTITIONS)
    with duckdb.connect() as engine:
        select = f"read_parquet('{dataset}/*/*/*/*.parquet', hive_partitioning = true, hive_types = {{{types}}})"
        rows: list[dict[str, Any]] = engine.sql(QUESTION.replace("events", select)).to_arrow_table().to_pylist()
        return rows


def by_polars(dataset: Path) -> list[dict[str, Any]]:
    schema = dict.fromkeys(PARTITIONS, pl.String)
    events = pl.scan_parquet(dataset, hive_partitioning=True, hive_schema=schema)
    return pl.SQLContext(events=events).execute(QUESTION).collect().to_dicts()


def by_datafusion(dataset: Path) -> list[dict[str, Any]]:
    context = datafusion.SessionContext()
    context.register_parquet("events", str(dataset), table_partition_cols=[(name, pa.string()) for name in PARTITIONS])
    rows: list[dict[str, Any]] = context.sql(QUESTION).to_pylist()
    return rows


def by_sql(dataset: Path) -> list[dict[str, Any]]:
    done = ran("sql", str(dataset), QUESTION, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in io.StringIO(done.stdout)]


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = [
        {name: int(value) if name in {"ns", "words"} and value else value or None for name, value in row.items()}
        for row in rows
    ]
    return sorted(made, key=lambda row: [str(row[name]) for name in (*PARTITIONS, "domain")])


@pytest.mark.parametrize("read", [by_duckdb, by_polars, by_datafusion, by_sql])
def test_all_answer_alike(read: Callable[[Path], list[dict[str, Any]]], dataset: Path) -> None:
    expected = ordered(by_pyarrow(dataset))
    assert {row["host"] for row in expected} == {"08", "xen=1/..\\n", "2026-01-01", "unknown"}
    assert {row["domain"] for row in expected} >= {"web", "domid 1127", None}
    assert {row["day"] for row in expected} >= {"2026-11-01", "unknown"}
    assert sum(row["exits"] or 0 for row in expected) == 632
    assert ordered(read(dataset)) == expected


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_what_the_page_says_works(code: str, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "dataset").symlink_to(dataset)
    names: dict[str, Any] = {}
    with contextlib.chdir(tmp_path):
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    assert names["records"] == hosts(dataset)


def hosts(dataset: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in by_pyarrow(dataset):
        found[row["host"]] = found.get(row["host"], 0) + row["records"]
    return found


def test_sql_has_a_row_for_each_capture_and_reads_no_other_file(dataset: Path) -> None:
    rows = [
        json.loads(line) for line in ran("sql", str(dataset), "select * from captures", "--json").stdout.splitlines()
    ]
    assert {row["host"]: row["records"] for row in rows} == hosts(dataset)
    described = ran("sql", str(dataset), "--tables").stdout
    assert all(name in described for name in ("events", "captures", *PARTITIONS, "kvm_pio_count"))
    for path in (dataset.parent / "captures/1.xentrace", dataset / "../captures/1.xentrace"):
        quoted = str(path).replace(chr(39), chr(39) * 2)
        done = ran("sql", str(dataset), f"select * from read_blob('{quoted}')")  # noqa: S608 - a query is what it asks for
        assert done.returncode == 1
        assert "disabled by configuration" in done.stderr
    done = ran("sql", str(dataset.parent), "select 1")
    assert done.returncode == 4
    assert "is no dataset of `xentool fleet convert`" in done.stderr
    done = ran("sql", str(dataset), "select 1", "--domain", "web")
    assert done.returncode == 1
    assert "and `where` chooses" in done.stderr


def test_a_folder_may_be_called_as_a_pattern_is(dataset: Path, tmp_path: Path) -> None:
    called = tmp_path / "data's [set]*?"
    shutil.copytree(dataset, called)
    assert ordered(by_sql(called)) == ordered(by_sql(dataset))
