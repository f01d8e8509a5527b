"""`xentool sql` as a user runs it: its tables count what the report counts, and a query reaches nothing else."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.traces.captures import capture
from tests.xentool.cli.running import run
from xentool.cli.screens import answers

DEFAULT = 32768  # where records go before any vCPU is known


def ask(file: Path | str, query: str) -> list[dict[str, Any]]:
    done = run("sql", str(file), query, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module", params=["xen-4.17-pv2", "xen-4.20-pvh"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "domU.xentrace"
    path.write_bytes(capture(request.param))
    return path


#: For tests of what no trace changes.
one_trace = pytest.mark.parametrize("file", ["xen-4.20-pvh"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def document(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run("report", str(file), "--json").stdout)
    return document


def counted(file: Path, kind: str, column: str) -> dict[tuple[int, int, str], int]:
    source = f"{kind} where domid is not null group by all"
    rows = ask(file, f"select domid, vcpu, {column} as name, count(*) as n from {source}")  # noqa: S608 - our own names
    return {(row["domid"], row["vcpu"], row["name"]): row["n"] for row in rows}


def reported(document: dict[str, Any], section: str) -> dict[tuple[int, int, str], int]:
    return {
        (domain["domid"], vcpu["vcpu"], one["name"]): one["count"]
        for domain in document["domains"]
        for vcpu in domain["vcpus"]
        for one in vcpu[section]
        if domain["domid"] < DEFAULT
    }


def test_events_are_the_reports_records(file: Path, document: dict[str, Any]) -> None:
    rows = ask(file, "select name, count(*) as n from events group by 1")
    expected: Counter[str] = Counter()
    for domain in document["domains"]:
        for vcpu in domain["vcpus"]:
            expected.update(vcpu["events"])
    assert {row["name"]: row["n"] for row in rows} == expected


def test_hypercalls_are_the_reports(file: Path, document: dict[str, Any]) -> None:
    direct = counted(file, "(from hypercalls where not in_multicall and not is_restart)", "hypercall")
    assert {key: n for key, n in direct.items() if key[0] < DEFAULT} == reported(document, "hypercalls")
    inner = counted(file, "(from hypercalls where in_multicall and not is_restart)", "hypercall")
    assert {key: n for key, n in inner.items() if key[0] < DEFAULT} == reported(document, "multicall_subcalls")


def test_exits_are_the_reports(file: Path, document: dict[str, Any]) -> None:
    rows = {key: n for key, n in counted(file, "exits", "reason").items() if key[0] < DEFAULT}
    expected = reported(document, "exits")
    cut_off = {key: n - rows.get(key, 0) for key, n in expected.items() if n != rows.get(key, 0)}
    assert set(rows) <= set(expected)
    # An exit without the entry that ends it has no row: the last one of each vCPU at most.
    assert set(cut_off.values()) <= {1}
    assert len({key[:2] for key in cut_off}) == len(cut_off)


def test_irqs_are_the_reports(file: Path, document: dict[str, Any]) -> None:
    query = "select irq, count(*) as n, sum(cycles) as cycles, max(cycles) as most from irqs group by 1 order by 1"
    rows = ask(file, query)
    hz = document["capture"]["hz"]
    assert [(row["irq"], row["n"]) for row in rows] == [(one["irq"], one["count"]) for one in document["irqs"]]
    assert rows
    for row, one in zip(rows, document["irqs"], strict=True):
        assert sum(one["pcpus"].values()) == row["n"] == one["latency"]["count"]
        assert one["seconds"] * hz == pytest.approx(row["cycles"])
        assert one["latency"]["max_s"] * hz == pytest.approx(row["most"])


@one_trace
def test_a_pipe_gets_csv(file: Path) -> None:
    done = run("sql", str(file), "select 1 as a, 'x,y' as b, null as c")
    assert list(csv.reader(done.stdout.splitlines())) == [["a", "b", "c"], ["1", "x,y", ""]]


@one_trace
def test_parquet_of_an_export_and_stdin_answer_alike(file: Path, tmp_path: Path) -> None:
    table = tmp_path / "events.parquet"
    assert run("export", str(file), "--format", "parquet", "-o", str(table)).returncode == 0
    query = "select name, count(*) from events group by 1 order by 1"
    answers = {
        run("sql", str(file), query).stdout,
        run("sql", str(table), query).stdout,
        run("sql", "-", query, stdin=file.read_bytes()).stdout,
    }
    assert len(answers) == 1
    assert "sched_runstate_change," in answers.pop()


@one_trace
def test_tables_describe_what_can_be_asked(file: Path) -> None:
    for line in run("sql", str(file), "--tables", "--json").stdout.splitlines():
        table = json.loads(line)
        (row,) = ask(file, f"select count(columns(*)) from {table['table']}")  # noqa: S608 - our own names
        assert len(row) == len(table["columns"])


@one_trace
@pytest.mark.parametrize(
    "query",
    [
        "create table t as select 1",
        "copy events to '{other}'",
        "select * from read_text('{other}')",
        "select * from '{other}'",
        "attach '{other}'",
        "set enable_external_access = true",
        "install httpfs",
        "select 1; select 2",
        "pragma database_list; select 1",
        "",
    ],
)
def test_a_query_reaches_nothing_but_the_trace(file: Path, tmp_path: Path, query: str) -> None:
    other = tmp_path / "other.csv"
    other.write_text("secret\n1\n")
    done = run("sql", str(file), query.format(other=other))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("xentool: ")
    assert len(done.stderr.splitlines()) == 1
    assert other.read_text() == "secret\n1\n"


@one_trace
def test_a_wrong_query_is_one_line(file: Path) -> None:
    done = run("sql", str(file), "select no_such from events")
    assert done.returncode == 1
    assert "no_such" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert run("sql", str(tmp_path / "absent"), "select 1").returncode == 1
    fake = tmp_path / "fake.parquet"
    fake.write_bytes(b"PAR1 and no more")
    done = run("sql", str(fake), "select 1")
    assert (done.returncode, "is no Parquet file of `xentool export`" in done.stderr) == (4, True)


@one_trace
def test_nothing_is_left_behind(file: Path, tmp_path: Path) -> None:
    assert run("sql", str(file), "select count(*) from events", TMPDIR=str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == []


@one_trace
def test_ctrl_c_ends_a_long_query(file: Path, tmp_path: Path) -> None:
    endless = "select count(*) from events a, events b, events c where hash(a.ns, b.ns, c.ns) = 1"
    process = subprocess.Popen(
        [sys.executable, "-m", "xentool", "sql", str(file), endless], env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    try:
        while not any(path.is_file() and path.read_bytes().endswith(b"PAR1") for path in tmp_path.rglob("*")):
            assert process.poll() is None
            time.sleep(0.01)
        # The table is complete; what a thread beside the first one computes from now on is the answer.
        before = ticks(process.pid)
        while all(used - before.get(thread, 0) < 10 for thread, used in ticks(process.pid).items()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 130
    finally:
        process.kill()
        process.wait()
    assert list(tmp_path.iterdir()) == []


def ticks(pid: int) -> dict[int, int]:
    """Give the processor time of a process's threads but the first, in clock ticks."""
    found = {}
    for path in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            found[int(path.name)] = int(fields[11]) + int(fields[12])
    del found[pid]
    return found


@one_trace
def test_the_engines_hint_is_kept(file: Path) -> None:
    done = run("sql", str(file), "select * from hypercall")
    assert done.returncode == 1
    assert done.stderr.endswith('Table with name hypercall does not exist! Did you mean "hypercalls"?\n')


@one_trace
def test_a_query_may_come_from_stdin(file: Path) -> None:
    done = run("sql", str(file), stdin=b"select 7\n  as seven;\n")
    assert (done.returncode, done.stdout) == (0, "seven\n7\n")


@one_trace
def test_without_a_query_it_says_what_can_be_asked(file: Path) -> None:
    done = run("sql", str(file))
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0].split(":")[0]) == (0, "events")
    examples = [line.strip() for line in lines[lines.index("examples:") + 1 :]]
    assert len(examples) == 3
    for example in examples:
        answer = run("sql", str(file), example)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert len(answer.stdout.splitlines()) > 1
    assert "examples:" not in run("sql", str(file), "--tables").stdout


@one_trace
def test_a_query_sees_what_is_chosen(file: Path) -> None:
    (row,) = ask(file, "select count(*) as n, min(ns) as first from events")
    done = run("sql", str(file), "select count(*) as n, min(ns) as first from events", "--from", "0.5", "--json")
    late = json.loads(done.stdout)
    assert late["first"] >= 500_000_000 > row["first"]
    assert 0 < late["n"] < row["n"]


@one_trace
def test_a_table_of_records_is_chosen_from_by_sql(file: Path, tmp_path: Path) -> None:
    table = tmp_path / "events.parquet"
    assert run("export", str(file), "--format", "parquet", "-o", str(table)).returncode == 0
    done = run("sql", str(table), "select 1", "--from", "0.5")
    assert done.returncode == 1
    assert "and `where` chooses" in done.stderr


def test_numbers_stand_on_the_right_and_null_is_seen() -> None:
    rows = [("iret", 12345, None, True), ("mmu_update", 7, 1.5, None)]
    file = io.StringIO()
    Console(file=file, width=80, color_system=None).print(answers.table(["name", "n", "x", "is"], rows))
    assert [line.rstrip() for line in file.getvalue().splitlines()] == [
        "name            n     x  is",
        "iret        12345  NULL  True",
        "mmu_update      7   1.5  NULL",
    ]
