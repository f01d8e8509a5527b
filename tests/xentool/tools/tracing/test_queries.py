"""The queries that docs/xenalyze.md gives, on a real capture: each runs, and finds what the capture has.

And one that is interrupted before it has begun.
"""

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.traces.captures import capture
from xentool.tools.tracing import reports
from xentool.tools.tracing.queries import Database, _interruptible, opened

GUIDE = Path(__file__).parents[4] / "docs" / "xenalyze.md"
QUERIES = re.findall(r"(?:^|\n\n)([^\n`]*`?[^\n]*)\n(?:[^\n]+\n)*\n```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
#: A PVH guest has neither ports nor devices in memory.
EMPTY = "hvm_io%"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("queries") / "domU.xentrace"
    path.write_bytes(capture("xen-4.20-pvh"))
    with opened(path, progress=lambda _done, _total: None) as found:
        yield found


def test_all_queries_are_found() -> None:
    assert len(QUERIES) == GUIDE.read_text().count("```sql") > 8


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_query_of_the_guide_answers(database: Database, title: str, query: str) -> None:
    rows = list(database.ask(query).rows)
    assert bool(rows) == (EMPTY not in query), title


def test_run_times_add_up_to_the_reports(database: Database, tmp_path: Path) -> None:
    (query,) = (query for title, query in QUERIES if "total-time" in title)
    path = tmp_path / "domU.xentrace"
    path.write_bytes(capture("xen-4.20-pvh"))
    # The database's own counts only what names records.
    with reports.opened(path) as source:
        report = reports.report(source, str(path))
    seconds: dict[int, float] = {}
    for _, domid, part in database.ask(query).rows:
        seconds[domid] = seconds.get(domid, 0.0) + part
    for domain in report.domains:
        ran = sum(vcpu.runstates["running"].seconds for vcpu in domain.vcpus if vcpu.runstates)
        # What ran on at the beginning or the end of the trace is in the report only.
        assert seconds.get(domain.domid, 0.0) == pytest.approx(ran, abs=0.02)


class Forgetful:
    """An engine that has forgotten the first interruption, as duckdb has one that comes before a query."""

    def __init__(self) -> None:
        self.interrupted = threading.Semaphore(0)

    def interrupt(self) -> None:
        self.interrupted.release()

    def work(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(2):
            assert self.interrupted.acquire(timeout=600)


def test_a_query_that_is_about_to_begin_is_interrupted() -> None:
    engine = Forgetful()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _interruptible(engine, engine.work)
    finally:
        signal.signal(signal.SIGINT, before)
