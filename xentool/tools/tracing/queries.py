"""SQL over a trace: its records as a table, and views of what they mean, in an engine that can do nothing else."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from traces.answers import Report
from traces.exporters.dataset import PARTITIONS
from xentool import extras
from xentool.errors import PeerError, XentoolError
from xentool.tools.outputs import orderly_end, temporary
from xentool.tools.tracing.exports import FORMATS, Progress, export
from xentool.tools.tracing.reports import AS_IT_IS, STANDARD, Reading
from xentool.tools.tracing.views import DATASET_VIEWS, DOMAINS, KVM_VIEWS, VIEWS, View, meanings

_PARQUET_MAGIC = b"PAR1"
#: Of the engine; what a query needs beyond goes to files beside the table.
_MEMORY = "1GB"
#: Bytes that a query may put on disk for want of memory, and no more than half of what is free there.
_SPILL = 16 << 30
_ROWS = 10_000
_T = TypeVar("_T")


@dataclass(frozen=True)
class QueryResult:
    """A query's result: names of the columns, and an iterator over the rows that reads as it goes."""

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


class Database:
    """A trace that can be asked; see ``opened``."""

    def __init__(self, engine: Any, views: Mapping[str, View], report: Report | None) -> None:  # noqa: ANN401 - duckdb's connection, loaded late
        self._engine = engine
        self._meanings = meanings(views)
        #: Of the trace; None for Parquet files.
        self.report = report

    def ask(self, query: str) -> QueryResult:
        """Run one SELECT (or DESCRIBE, SHOW).

        :raises XentoolError: it is something else, or wrong; with the engine's words
        """
        import duckdb  # noqa: PLC0415 - an extra, and slow to load

        if not query.isascii() and any("\ud800" <= each <= "\udfff" for each in query):
            # Of arguments that are no text, Python keeps the bytes as halves of characters.
            raise XentoolError("the query is not written in this terminal's character set")
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
            for name, meaning in self._meanings.items()
            if name != DOMAINS or self.report is not None
        ]


@contextmanager
def opened(
    capture: Path,
    *,
    reading: Reading = AS_IT_IS,
    progress: Progress,
) -> Iterator[Database]:
    """Open a trace for queries: xentrace (as columns in a temporary file), or Parquet files that were made of traces.

    :param capture: `-` is stdin; a folder is a dataset of `fleet convert`
    :param reading: what of it is chosen; a query sees nothing else
    :raises PeerError: it is no trace
    :raises XentoolError: duckdb is missing, or see ``exports.export``
    """
    extras.need("duckdb", "sql")
    with orderly_end(), temporary("xentool-sql-") as folder:
        table, report = capture, None
        is_table = capture != STANDARD and (capture.is_dir() or _is_parquet(capture))
        if reading.chosen != AS_IT_IS.chosen and is_table:
            raise XentoolError(
                f"{capture} is a table of records, and `where` chooses; "
                "-e, --domain, --name, --from and the like are for traces"
            )
        if not is_table:
            table = folder / "events.parquet"
            report = export(capture, FORMATS["parquet"], table, reading, progress=progress)
        with _engine(table, folder, report) as (engine, views):
            yield Database(engine, views, report)


@contextmanager
def _engine(table: Path, folder: Path, report: Report | None) -> Iterator[tuple[Any, Mapping[str, View]]]:
    import duckdb  # noqa: PLC0415 - an extra, and slow to load

    path = str(table.resolve())
    with duckdb.connect(":memory:") as engine:
        engine.execute(f"SET memory_limit = '{_MEMORY}'")
        engine.execute("SET temp_directory = $1", [str(folder / "spill")])
        # A query that somebody else has sent is not to fill the disk.
        room = min(_SPILL, shutil.disk_usage(folder).free // 2)
        engine.execute(f"SET max_temp_directory_size = '{room}B'")
        if report is not None:
            kind = "UINTEGER" if report.source == "kvm" else "USMALLINT"
            engine.execute(f"CREATE TABLE domains (domid {kind}, name VARCHAR, mode VARCHAR, vcpus INTEGER)")
            rows = [(one.domid, one.name, one.mode, len(one.vcpus)) for one in report.domains]
            if rows:
                engine.executemany("INSERT INTO domains VALUES (?, ?, ?, ?)", rows)
        try:
            views = _events(engine, path)
            for name, view in views.items():
                engine.execute(f"CREATE VIEW {name} AS {view.select}")
        except duckdb.Error as error:
            what = "dataset of `xentool fleet convert`" if table.is_dir() else "Parquet file of `xentool export`"
            raise PeerError(f"{table} is no {what}: {_first_line(error)}") from error
        # A query may come from somebody else: it reads this trace, and no other file and no network.
        is_folder = table.is_dir()
        allowed = [path, _as_pattern(path)] if is_folder else [path]
        engine.execute(f"SET allowed_{'directories' if is_folder else 'paths'} = $1", [allowed])
        engine.execute("SET enable_external_access = false")
        engine.execute("SET lock_configuration = true")
        yield engine, views


def _events(engine: Any, path: str) -> Mapping[str, View]:  # noqa: ANN401 - duckdb's connection, loaded late
    # Makes the view of records, and gives those that stand on it.
    if not Path(path).is_dir():
        engine.read_parquet(path).create_view("events")
        return KVM_VIEWS if _is_of_kvm(engine) else VIEWS
    folder = _as_pattern(path).replace("'", "''")
    files = "/".join((*(f"{key}=*" for key in PARTITIONS), "*.parquet"))
    # Left to itself, the engine makes dates of texts where all of them can be.
    types = ", ".join(f"{key}: VARCHAR" for key in PARTITIONS)
    engine.execute(
        f"CREATE VIEW events AS SELECT * FROM "  # noqa: S608 - a view takes no parameters; the name is quoted
        f"read_parquet('{folder}/{files}', hive_partitioning = true, hive_types = {{{types}}})"
    )
    return DATASET_VIEWS


def _as_pattern(path: str) -> str:
    # A folder may be called as a pattern is.
    return re.sub(r"[\[*?]", r"[\g<0>]", path)


def _is_of_kvm(engine: Any) -> bool:  # noqa: ANN401 - duckdb's connection, loaded late
    # Xen's records have no thread.
    return "pid" in {row[0] for row in engine.execute("DESCRIBE events").fetchall()}


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
    # Its hint is in the next lines ("Did you mean ..."), and then the query is shown, which the user has.
    told = str(error).partition("\nLINE ")[0].split()
    return XentoolError(f"the query failed: {' '.join(told) or type(error).__name__}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
