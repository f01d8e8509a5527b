"""Layouts of Xen 4.2 to 4.9, recognised by what the records are like (docs/xen-versions.md), or by the release."""

import io

import pytest

from tests.traces.captures import stranger
from tests.traces.handmade import change, record, report, window
from traces.analyses.report import report as report_of
from traces.exporters import dump
from traces.exporters.payload import fields
from traces.reader import Reader, read
from traces.scan import Scan
from traces.xen.formats import events as xentrace

CREDIT2, RTDS = 0x22200, 0x22800
INFPREV, INFNEXT, CPUID = xentrace.SWITCH_INFPREV, xentrace.SWITCH_INFNEXT, 0x8200E
D5V1, OLD_D5V1 = 5 << 16 | 1, 1 << 16 | 5


def names(event: int, words: int, release: tuple[int, int] | None = None) -> list[str]:
    return [field.name for field in fields(event, words, release)]


def lines(body: bytes) -> list[str]:
    data = window(0, change(100, 5, 1, 1, 0) + body)
    output = io.BytesIO()
    dump.write(read(io.BytesIO(data), Reader()), report(data), output)
    return [line.split("  ", 3)[-1].split(" ", 1)[-1].strip() for line in output.getvalue().decode().splitlines()]


@pytest.mark.parametrize(
    ("event", "words", "told"),
    [
        (xentrace.SCHED_DOM_ADD, 1, ["target_domid"]),
        (xentrace.SCHED_DOM_ADD, 2, ["target_domid", "target_vcpu"]),
        (INFPREV, 2, ["target_domid", "ran_ns"]),
        (INFPREV, 3, ["target_domid", "unit", "ran_ns"]),
        (INFNEXT, 3, ["target_domid", "waited_ns", "slice_ns"]),
        (INFNEXT, 4, ["target_domid", "unit", "waited_ns", "slice_ns"]),
        (CPUID, 5, ["leaf", "eax", "ebx", "ecx", "edx"]),
        (CPUID, 6, ["leaf", "subleaf", "eax", "ebx", "ecx", "edx"]),
        (CREDIT2 + 3, 3, ["unit", "target_domid", "credit", "delta"]),
        (CREDIT2 + 3, 4, ["unit", "target_domid", "credit", "budget", "delta"]),
        (CREDIT2 + 5, 2, ["unit", "target_domid", "credit"]),
        (CREDIT2 + 5, 3, ["unit", "target_domid", "credit", "score"]),
        (CREDIT2 + 7, 3, ["unit", "target_domid", "credit_start", "credit_end"]),
        (CREDIT2 + 7, 4, ["unit", "target_domid", "credit_start", "credit_end", "multiplier"]),
        (CREDIT2 + 11, 2, ["unit", "target_domid", "load"]),
        (CREDIT2 + 11, 4, ["load", "unit", "target_domid", "shift"]),
        (CREDIT2 + 12, 2, []),
        (CREDIT2 + 20, 4, ["unit", "target_domid", "tickled_pcpu", "skipped", "credit"]),
        (CREDIT2 + 20, 3, ["unit", "target_domid", "tickled_pcpu", "credit"]),
        (RTDS + 3, 4, ["unit", "target_domid", "budget", "delta"]),
        (RTDS + 3, 6, ["unit", "target_domid", "budget", "delta", "priority", "has_extratime"]),
        (RTDS + 4, 5, ["unit", "target_domid", "deadline", "budget"]),
        (RTDS + 4, 6, ["unit", "target_domid", "priority", "deadline", "budget"]),
    ],
)
def test_the_number_of_words_tells(event: int, words: int, told: list[str]) -> None:
    assert names(event, words) == told


def test_the_release_tells_what_words_do_not() -> None:
    assert names(CREDIT2 + 20, 3, (4, 8))[-1] == "skipped"
    assert names(CREDIT2 + 20, 3, (4, 14))[-1] == "credit"
    for event, words in ((CREDIT2 + 3, 3), (CREDIT2 + 4, 1), (RTDS + 2, 5), (RTDS + 3, 4), (RTDS + 4, 5)):
        assert names(event, words, (4, 6))[:2] == ["target_domid", "unit"]
        assert names(event, words, (4, 7))[:2] == ["unit", "target_domid"]


@pytest.mark.parametrize(
    ("evidence", "newest"),
    [
        (record(CREDIT2 + 2, None, OLD_D5V1, 0), (4, 6)),
        (record(0x22006, None, 3), (4, 6)),
        (record(RTDS + 1, None, 3), (4, 6)),
        (record(xentrace.SCHED_DOM_ADD, 200, 7, 0), (4, 6)),
        (record(INFPREV, 200, 5, 400), (4, 7)),
        (record(INFNEXT, 200, 5, 0, 400), (4, 7)),
        (record(CREDIT2 + 3, 200, D5V1, 400, 3), (4, 9)),
        (record(RTDS + 3, 200, D5V1, 400, 0, 3), (4, 9)),
        (record(CPUID, None, 1, 2, 3, 4, 5), (4, 12)),
        (record(INFPREV, 200, 5, 1, 400) + record(CREDIT2 + 3, 210, D5V1, 400, 400, 3), None),
    ],
)
def test_records_tell_the_newest_release_they_can_be_of(evidence: bytes, newest: tuple[int, int] | None) -> None:
    assert report(window(0, change(100, 5, 1, 1, 0) + evidence)).newest_release == newest


def test_what_one_record_tells_holds_for_all() -> None:
    burn = record(CREDIT2 + 3, 300, OLD_D5V1, 500, 20)
    assert lines(record(CREDIT2 + 2, None, OLD_D5V1, 0) + burn)[1:] == [
        "csched2_runq_pos target_domid=5 unit=1 position=0",
        "csched2_credit_burn target_domid=5 unit=1 credit=500 delta=20",
    ]
    assert lines(record(CREDIT2 + 3, 300, D5V1, 500, 20))[1:] == [
        "csched2_credit_burn unit=1 target_domid=5 credit=500 delta=20"
    ]


def test_switches_of_4_7() -> None:
    data = stranger("xen-4.7-switch")
    found = report(data)
    output = io.BytesIO()
    dump.write(read(io.BytesIO(data), Reader()), found, output)
    told = output.getvalue().decode()
    assert told.count("sched_switch_infprev target_domid=5 ran_ns=600000") == 100
    assert told.count("sched_switch_infnext target_domid=5 waited_ns=1500 slice_ns=10000000") == 100
    assert "unit=400000" not in told
    assert found.newest_release == (4, 7)
    assert found.run_states


def test_the_clock_is_found_by_switches_without_vcpu() -> None:
    every = 20_000_000
    body = b"".join(
        record(INFNEXT, tsc, 5, 0, 30_000_000) + record(INFPREV, tsc + 2 * ran, 5, ran)
        for tsc, ran in zip(range(1000, 1000 + 50 * every, every), range(3_000_000, 8_000_000, 100_000), strict=True)
    )
    scan = Scan()
    scan.feed(window(0, body))
    scan.finish()
    found = report_of(scan)
    assert found.clock.source == "trace"
    assert found.clock.hz == pytest.approx(2e9)
