"""SQL over a trace: its records as a table, and views of what they mean, in an engine that can do nothing else."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from traces.answers import Report
from xentool.errors import XentoolError
from xentool.tools.outputs import orderly_end
from xentool.tools.tracing.exports import FORMATS, Progress, export
from xentool.tools.tracing.reports import AS_IT_IS, STANDARD, Reading

_PARQUET_MAGIC = b"PAR1"
#: Of the engine; what a query needs beyond goes to files beside the table.
_MEMORY = "1GB"
#: Bytes that a query may put on disk for want of memory, and no more than half of what is free there.
_SPILL = 16 << 30
_ROWS = 10_000
_T = TypeVar("_T")


@dataclass(frozen=True)
class View:
    """A view over ``events``: what one row of it is, and its query."""

    meaning: str
    select: str


VIEWS: dict[str, View] = {
    "hypercalls": View(
        "one hypercall, those in multicalls too; count is what a batching one asks for, is_restart one that goes on",
        """
        SELECT ns, pcpu, coalesce(domid, 32768) AS domid, coalesce(vcpu, pcpu) AS vcpu, nr, hypercall, subop, count,
               name = 'pv_hypercall_subcall' AS in_multicall,
               coalesce(name <> 'hvm_vmmcall' AND (nr IN (1, 26) AND w1 > 2147483647 OR nr = 20 AND w1 > 4095), false)
                   AS is_restart
        FROM events WHERE hypercall IS NOT NULL""",
    ),
    "runstates": View(
        "a vCPU's stay in one run state, as long as the next change tells its end; times in ns",
        """
        SELECT target_domid AS domid, target_vcpu AS vcpu, new AS state, ns AS begin_ns, pcpu,
               lead(ns) OVER (PARTITION BY target_domid, target_vcpu ORDER BY ns, byte_offset) AS end_ns,
               end_ns - begin_ns AS duration_ns
        FROM events WHERE name = 'sched_runstate_change'""",
    ),
    "exits": View(
        "a VM exit of a PVH or HVM guest until its next VM entry, time while it was descheduled included; in ns",
        """
        SELECT * EXCLUDE (kind, next_kind) FROM (
            SELECT coalesce(domid, 32768) AS domid, coalesce(vcpu, pcpu) AS vcpu, exit AS reason, ns AS begin_ns, pcpu,
                   name AS kind,
                   lead(name) OVER each AS next_kind,
                   lead(ns) OVER each AS end_ns,
                   end_ns - begin_ns AS duration_ns
            FROM events WHERE exit IS NOT NULL OR name = 'hvm_vmentry'
            WINDOW each AS (PARTITION BY coalesce(domid, 32768), coalesce(vcpu, pcpu) ORDER BY ns, byte_offset)
        ) WHERE kind <> 'hvm_vmentry' AND next_kind = 'hvm_vmentry'""",
    ),
    "grants": View(
        "a page that domain mapper mapped or unmapped of those that granter granted",
        """
        SELECT ns, pcpu, coalesce(domid, 32768) AS mapper, target_domid AS granter,
               name = 'mem_page_grant_map' AS is_map
        FROM events WHERE name IN ('mem_page_grant_map', 'mem_page_grant_unmap')""",
    ),
    "irqs": View(
        "a hardware interrupt, and cycles that Xen took to handle it (both stamps are cut to 32 bits)",
        """
        SELECT ns, pcpu, w0 AS irq, (w2::BIGINT - w1::BIGINT + (1::BIGINT << 32)) % (1::BIGINT << 32) AS cycles
        FROM events WHERE name = 'hw_irq_handled' AND w2 IS NOT NULL""",
    ),
}

_DOMAINS = "domains"
#: All that can be asked, and what one row of it is. A Parquet file brings no ``domains``.
MEANINGS = {
    "events": "one record, in order of time; null where Xen records no such thing",
    _DOMAINS: "a domain, and what the trace shows it to be; 32768 stands for what nobody says whose it is, by pCPU",
    **{name: view.meaning for name, view in VIEWS.items()},
}


@dataclass(frozen=True)
class QueryResult:
    """A query's result: names of the columns, and an iterator over the rows that reads as it goes."""

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


class Database:
    """A trace that can be asked; see ``opened``."""

    def __init__(self, engine: Any, report: Report | None) -> None:  # noqa: ANN401 - duckdb's connection, loaded late
        self._engine = engine
        #: Of the trace; None for a Parquet file.
        self.report = report

    def ask(self, query: str) -> QueryResult:
        """Run one SELECT (or DESCRIBE, SHOW).

        :raises XentoolError: it is something else, or wrong; with the engine's words
        """
        import duckdb  # noqa: PLC0415 - an extra, and slow to load

        try:
            statements = self._engine.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise XentoolError("give one SELECT; a trace cannot be changed")
            cursor = _interruptible(self._engine, lambda: self._engine.execute(statements[0]))
            columns = [column[0] for column in cursor.description]
        except duckdb.Error as error:
            raise _refused(error) from error
        return QueryResult(columns, _rows(self._engine, cursor))

    def tables(self) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """Describe what can be asked: name, meaning, and columns with their types."""
        return [
            (name, meaning, [(row[0], str(row[1])) for row in self.ask(f"DESCRIBE {name}").rows])
            for name, meaning in MEANINGS.items()
            if name != _DOMAINS or self.report is not None
        ]


@contextmanager
def opened(
    capture: Path,
    *,
    reading: Reading = AS_IT_IS,
    progress: Progress,
) -> Iterator[Database]:
    """Open a trace for queries: xentrace (as columns in a temporary file), or a Parquet file that an export wrote.

    :param capture: `-` is stdin
    :param reading: of what is chosen, the names that the user gives to domains; a query sees all else
    :raises PeerError: it is no trace
    :raises XentoolError: duckdb is missing, or see ``exports.export``
    """
    try:
        import duckdb  # noqa: F401, PLC0415 - an extra, and slow to load
    except ModuleNotFoundError as error:
        raise XentoolError("sql needs duckdb: pip install 'xentool[sql]'") from error
    with orderly_end(), tempfile.TemporaryDirectory(prefix="xentool-sql-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        table, report = capture, None
        if reading.chosen.names and capture != STANDARD and _is_parquet(capture):
            raise XentoolError(
                f"{capture} is a table of records, which has no domains to be named; --name is for traces"
            )
        if capture == STANDARD or not _is_parquet(capture):
            table = folder / "events.parquet"
            report = export(capture, FORMATS["parquet"], table, reading, progress=progress)
        with _engine(table, folder, report) as engine:
            yield Database(engine, report)


@contextmanager
def _engine(table: Path, folder: Path, report: Report | None) -> Iterator[Any]:
    import duckdb  # noqa: PLC0415 - an extra, and slow to load

    path = str(table.resolve())
    with duckdb.connect(":memory:") as engine:
        engine.execute(f"SET memory_limit = '{_MEMORY}'")
        engine.execute("SET temp_directory = $1", [str(folder / "spill")])
        # A query that somebody else has sent is not to fill the disk.
        room = min(_SPILL, shutil.disk_usage(folder).free // 2)
        engine.execute(f"SET max_temp_directory_size = '{room}B'")
        if report is not None:
            engine.execute("CREATE TABLE domains (domid USMALLINT, name VARCHAR, mode VARCHAR, vcpus INTEGER)")
            rows = [(one.domid, one.name, one.mode, len(one.vcpus)) for one in report.domains]
            if rows:
                engine.executemany("INSERT INTO domains VALUES (?, ?, ?, ?)", rows)
        try:
            engine.read_parquet(path).create_view("events")
            for name, view in VIEWS.items():
                engine.execute(f"CREATE VIEW {name} AS {view.select}")
        except duckdb.Error as error:
            raise XentoolError(f"{table} is no Parquet file of `xentool export`: {_first_line(error)}") from error
        # A query may come from somebody else: it reads this trace, and no other file and no network.
        engine.execute("SET allowed_paths = $1", [[path]])
        engine.execute("SET enable_external_access = false")
        engine.execute("SET lock_configuration = true")
        yield engine


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
    except OSError:
        return False  # the export says what is wrong


def _interruptible(engine: Any, work: Callable[[], _T]) -> _T:  # noqa: ANN401 - duckdb's connection, loaded late
    """Do the engine's work in a thread: inside of its C++, a Ctrl-C would be heard only at the query's end."""
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(work)
        try:
            return result.result()
        except (KeyboardInterrupt, SystemExit):
            # Again, since one that comes before the engine has begun is lost.
            while not result.done():
                engine.interrupt()
                wait([result], 0.05)
            raise


def _rows(engine: Any, cursor: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - duckdb's, loaded late
    import duckdb  # noqa: PLC0415 - an extra, and slow to load

    fetch: Callable[[int], list[tuple[Any, ...]]] = cursor.fetchmany
    try:
        while rows := _interruptible(engine, lambda: fetch(_ROWS)):
            yield from rows
    except duckdb.Error as error:
        raise _refused(error) from error


def _refused(error: Exception) -> XentoolError:
    return XentoolError(f"the query failed: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
