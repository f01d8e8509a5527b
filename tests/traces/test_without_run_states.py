"""Captures without run states, as ``xentrace -e`` makes them: what is there is counted, and who ran is not guessed."""

import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.traces.captures import stranger
from tests.traces.choices import intervals
from tests.traces.handmade import VMENTRY, VMEXIT, change, cycles, record, report, vcpu, window
from traces.account import UNKNOWN_DOMID
from traces.answers import Report
from traces.exporters.sections import tell
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace

RUNNING, BLOCKED, IDLE = 0, 2, 32767
SWITCH, INFCONT, BLOCK = xentrace.SCHED_SWITCH, xentrace.SWITCH_INFCONT, 0x28006


def exits(found: Report) -> dict[tuple[int, int, str], tuple[int, int]]:
    """Count and cycles by domid, vCPU and name."""
    return {
        (domain.domid, of.vcpu, one.name): (one.count, round(one.seconds * found.clock.hz))
        for domain in found.domains
        for of in domain.vcpus
        for one in of.exits
    }


def switched(tsc: int, before: tuple[int, int], after: tuple[int, int]) -> bytes:
    return record(SWITCH, tsc, *before, *after)


def test_exits_are_timed_by_pcpu() -> None:
    found = report(stranger("only-entryexit"))
    assert exits(found) == {
        (UNKNOWN_DOMID, pcpu, name): (500, 500 * 5000)
        for pcpu in (0, 1)
        for name in ("EXTERNAL_INTERRUPT", "HLT", "IO_INSTRUCTION", "EPT_VIOLATION")
    }
    assert found.not_recorded[0].startswith("run states: ")
    assert found.told == found.domains
    by_interval = intervals(stranger("only-entryexit"), found, 0.01)
    assert sum(int(of.sum()) for one in by_interval.domains if (of := one.counts["exits"]) is not None) == 4000


def test_real_ones_have_amds_names() -> None:
    found = Counter(
        {name: count for (_, _, name), (count, _) in exits(report(stranger("real-4.20-exits-only"))).items()}
    )
    assert found.total() == 9820
    assert (found["RDTSC"], found["VMMCALL"], found["HLT"]) == (7519, 694, 49)


def test_an_exit_of_nobody_ends_with_nobodys_entry_alone() -> None:
    def body(between: bytes) -> bytes:
        return window(0, record(VMEXIT, 100, 0x78, 0, 0) + between + record(VMENTRY, 190))

    assert exits(report(body(b"")))[UNKNOWN_DOMID, 0, "HLT"] == (1, 90)
    # Somebody came in between: it has no end, and what he enters has no beginning.
    came = change(150, 1, 0, 1, RUNNING)
    assert exits(report(body(came))) == {(UNKNOWN_DOMID, 0, "HLT"): (1, 0)}
    assert exits(report(body(record(VMEXIT, 160, 0x78, 0, 0))))[UNKNOWN_DOMID, 0, "HLT"] == (2, 30)


def test_switches_say_who_ran_where_run_states_do_not() -> None:
    idle, guest = (IDLE, 0), (5, 1)
    body = (
        record(VMEXIT, 90, 0x78, 0, 0)
        + switched(100, idle, guest)
        + record(VMEXIT, 110, 0x7B, 0, 0)
        + record(VMENTRY, 130)
        + record(VMEXIT, 140, 0x78, 0, 0)
        + switched(150, guest, idle)
        + switched(400, idle, guest)
        + record(VMENTRY, 410)
    )
    found = report(window(0, body), window(1, record(0x28003, 500)))
    assert exits(found) == {
        (UNKNOWN_DOMID, 0, "HLT"): (1, 0),
        (5, 1, "IOIO"): (1, 20),
        # 250 of its cycles it was descheduled.
        (5, 1, "HLT"): (1, 20),
    }
    # Why it did not run, nobody says.
    states = cycles(vcpu(found, 5, 1))
    assert states["running"] == (2, 50 + 10 + 90, 90)
    assert states["runnable"] == states["blocked"] == states["offline"] == (0, 0, 0)
    assert sum(total for _, total, _ in states.values()) == 500 - 90
    assert {domain.domid: dict(domain.contention) for domain in found.domains} == {5: {}, IDLE: {}, UNKNOWN_DOMID: {}}
    assert not found.run_states


def test_time_that_switches_do_not_explain_is_headed_as_not_known() -> None:
    idle, guest = (IDLE, 0), (5, 1)
    body = switched(100, idle, guest) + switched(150, guest, idle) + switched(400, idle, guest) + record(0x28003, 500)
    (table,) = (one for one in tell(report(window(0, body))).domains[0].sections if one.title == "Run states")
    assert [column.name for column in table.columns] == ["running", "%", "not known", "%"]
    assert table.rows[0][4].value == pytest.approx(250 / 400)
    # Of records that were lost it is still said.
    gap = change(100, 5, 1, BLOCKED, RUNNING) + record(xentrace.LOST_RECORDS, 200, 7, 0, 0, 0) + record(0x28003, 500)
    (table,) = (one for one in tell(report(window(0, gap))).domains[0].sections if one.title == "Run states")
    assert "lost" in [column.name for column in table.columns]


@pytest.mark.parametrize(
    "said",
    [
        record(BLOCK, 100, 5, 1),
        record(0x28005, 100, 5, 1),
        record(INFCONT, 100, 5, 1, 30, 30),
        record(0x28007, 100, 5, 1, 0),
    ],
)
def test_who_calls_the_scheduler_runs(said: bytes) -> None:
    found = report(window(0, said + record(VMEXIT, 110, 0x7B, 0, 0) + record(VMENTRY, 130)))
    assert exits(found) == {(5, 1, "IOIO"): (1, 20)}


def test_where_run_states_are_recorded_switches_change_nothing() -> None:
    def body(*, with_switches: bool) -> bytes:
        def switch(tsc: int, before: tuple[int, int], after: tuple[int, int]) -> bytes:
            return switched(tsc, before, after) if with_switches else record(0x28003, tsc, 1, 1)

        return (
            switch(100, (1, 0), (5, 0))
            + change(102, 1, 0, RUNNING, BLOCKED)
            + change(104, 5, 0, 1, RUNNING)
            + switch(200, (5, 0), (1, 0))
            + change(202, 5, 0, RUNNING, BLOCKED)
            + change(204, 1, 0, 1, RUNNING)
            + record(0x28003, 300, 1, 1)
        )

    one, other = (report(window(0, body(with_switches=with_switches))) for with_switches in (True, False))
    for domid in (1, 5):
        assert cycles(vcpu(one, domid, 0)) == cycles(vcpu(other, domid, 0))
    assert one.run_states
    assert one.not_recorded == other.not_recorded
    tables = [list(read(io.BytesIO(window(0, body(with_switches=of))), Reader())) for of in (True, False)]
    assert [table.domid.tolist() for table in tables[0]] == [table.domid.tolist() for table in tables[1]]


def test_grants_of_nobody_known_are_counted() -> None:
    found = report(window(0, record(xentrace.GRANT_MAP, 100, 7) * 3 + record(xentrace.GRANT_UNMAP, 200, 7)))
    assert [(one.mapper, one.granter, one.maps, one.unmaps) for one in found.grants] == [(UNKNOWN_DOMID, 7, 3, 1)]


def test_all_answers_agree(tmp_path: Path) -> None:
    path = tmp_path / "only-entryexit"
    path.write_bytes(stranger("only-entryexit"))
    query = "select reason, count(*) as n, max(duration_ns) as longest from exits where domid = 32768 group by 1"
    done = subprocess.run(
        [sys.executable, "-m", "xentool", "sql", str(path), query, "--json"],
        stdout=subprocess.PIPE, check=True, timeout=300,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["reason"]: row["n"] for row in rows} == dict.fromkeys(
        ("EXTERNAL_INTERRUPT", "HLT", "IO_INSTRUCTION", "EPT_VIOLATION"), 1000
    )
    assert {row["longest"] for row in rows} <= {2083, 2084}
    text = subprocess.run(
        [sys.executable, "-m", "xentool", "report", str(path)], stdout=subprocess.PIPE, check=True, timeout=300
    ).stdout.decode()
    assert "Run states were not recorded" in text
    assert "HLT                  1,000" in text
    dumped = subprocess.run(
        [sys.executable, "-m", "xentool", "dump", str(path)], stdout=subprocess.PIPE, check=True, timeout=300
    ).stdout.decode()
    assert dumped.count("hvm_vmentry <~2.08 µs>") == 4000
