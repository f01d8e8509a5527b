"""Emulated I/O, cr3, migrations and histograms: hand-made records, and real ones against every single interval."""

import io
from collections import Counter
from itertools import pairwise

import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.every import every
from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, change, record, report, vcpu, window
from traces import scan as scans
from traces.analyses.intervals import STATES
from traces.analyses.report import report as report_of
from traces.answers import Io
from traces.counting.latencies import distribution

PORT_READ, PORT_WRITE, MEMORY_READ, MEMORY_WRITE, CR_WRITE = 0x82016, 0x82216, 0x82017, 0x82217, 0x82009
WIDE = 0x100
BEGIN = change(100, 1, 0, RUNNABLE, RUNNING)


def test_ports_and_memory_by_address() -> None:
    body = (
        record(PORT_READ, 110, 0x3F8, 1)
        + record(PORT_WRITE, 111, 0x3F8, 2)
        + record(PORT_WRITE, 112, 0x3F8)  # its data lies in the guest's memory
        + record(MEMORY_READ, 113, 0xFED00000, 1)
        + record(MEMORY_WRITE | WIDE, 114, 0x12345678, 0xF, 9, 9)
        + record(MEMORY_READ | WIDE, 115, 0xFED00000, 0, 1, 0)
        + record(PORT_READ, 116)  # too short for an address
    )
    assert vcpu(report(window(0, BEGIN + body)), 1, 0).io == (
        Io("port", 0x3F8, 1, 2),
        Io("memory", 0xFED00000, 2, 0),
        Io("memory", 0xF_1234_5000, 0, 1),
    )


def test_page_tables_switched_to() -> None:
    body = (
        record(CR_WRITE | WIDE, 110, 3, 0x1234_5000, 0x1)
        + record(CR_WRITE | WIDE, 111, 3, 0x1234_5000, 0x1)
        + record(CR_WRITE, 112, 3, 0x7000)
        + record(CR_WRITE, 113, 4, 0x7000)
    )
    assert vcpu(report(window(0, BEGIN + body)), 1, 0).cr3_writes == {0x1_1234_5000: 2, 0x7000: 1}


def test_who_runs_elsewhere_has_migrated() -> None:
    here = BEGIN + change(200, 1, 0, RUNNING, BLOCKED)
    there = change(300, 1, 0, RUNNABLE, RUNNING) + change(400, 1, 0, RUNNING, RUNNABLE)
    again = change(500, 1, 0, RUNNABLE, RUNNING)
    back = change(600, 1, 0, RUNNABLE, RUNNING)
    assert vcpu(report(window(0, here) + window(1, there + again)), 1, 0).migrations == 1
    assert vcpu(report(window(0, here) + window(1, there) + window(0, back)), 1, 0).migrations == 2


@pytest.mark.parametrize("name", NAMES)
def test_migrations_and_histograms_are_those_of_the_intervals(name: str) -> None:
    hz = 1e9
    states, _ = every(capture(name))
    migrations = 0
    for domain in report_of(scans.read(io.BytesIO(capture(name))), hz=hz).domains:
        for one in domain.vcpus:
            mine = states.get((domain.domid, one.vcpu), [])
            pcpus = [interval.pcpu for interval in mine if STATES[interval.state] == "running"]
            assert one.migrations == sum(a != b for a, b in pairwise(pcpus))
            migrations += one.migrations
            for state, of in one.runstates.items():
                octaves = Counter(
                    (interval.end - interval.begin).bit_length() - 1
                    for interval in mine
                    if STATES[interval.state] == state and interval.counted
                )
                assert {round(begin * hz): count for (begin, _), count in of.histogram.items()} == {
                    1 << octave: count for octave, count in octaves.items()
                }
    assert migrations > 50


def test_ranges_join_to_octaves() -> None:
    found = distribution({0: 1, 3: 2, 16: 3, 17: 4, 24: 5}, 40, 300, hz=2.0)
    assert found.octaves() == {(0.0, 1.0): 1, (1.0, 2.0): 2, (8.0, 16.0): 7, (16.0, 32.0): 5}
