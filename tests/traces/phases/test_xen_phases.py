"""Phases of made traces of Xen: known hypercalls, grants, exits and run states between a guest's marks."""

from collections.abc import Sequence

import pytest

from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, VMENTRY, VMEXIT, change, record, window
from traces.analyses.phases.counts import PhaseCounts
from traces.analyses.phases.xen import Phases
from traces.reader import Reader
from traces.xen.formats import events as xentrace

GUEST, DOM0, OTHER = 7, 0, 9
SVM_EXIT = xentrace.HVM_SVM_EXIT | xentrace.FLAG_64
EVENT_CHANNEL_OP, CONSOLE_IO, MMU_UPDATE, GRANT_TABLE_OP = 32, 18, 1, 20
#: Of a hypercall's arguments, which are recorded.
FIRST_AND_THIRD = 1 << 20 | 1 << 24


def call(tsc: int, nr: int, *arguments: int, flags: int = 0) -> bytes:
    return record(xentrace.PV_HYPERCALL_V2, tsc, nr | flags, *arguments)


def vmmcall(tsc: int, nr: int) -> bytes:
    return record(xentrace.HVM_VMMCALL, tsc, nr)


def counted(
    *windows: bytes, mode: str = "pv", works: Sequence[tuple[str, int]] = (("disk-write", 2),)
) -> list[PhaseCounts]:
    phases = Phases(GUEST, mode, 1, works, 1000.0, "amd")
    reader = Reader()
    tables = reader.feed(b"".join(windows)) + reader.finish()
    return list(phases.feed(tables))


def runs(tsc: int, domid: int) -> bytes:
    return change(tsc, domid, 0, RUNNABLE, RUNNING)


def blocks(tsc: int, domid: int) -> bytes:
    return change(tsc, domid, 0, RUNNING, BLOCKED)


def test_what_a_pv_guest_and_dom0_do_between_its_marks_is_counted() -> None:
    guest = window(
        0,
        runs(1000, GUEST)
        + call(1100, EVENT_CHANNEL_OP)  # before it
        + call(2000, CONSOLE_IO)
        + call(2100, EVENT_CHANNEL_OP)
        + call(2200, EVENT_CHANNEL_OP)
        + call(2300, MMU_UPDATE, 4, flags=1 << 22)
        + record(xentrace.PV_HYPERCALL_SUBCALL, 2350, 14)
        + record(xentrace.PV_PAGE_FAULT | xentrace.FLAG_64, 2400, 1, 2, 3, 4, 5)
        + blocks(4000, GUEST)
        + runs(5000, GUEST)
        + call(6000, CONSOLE_IO)
        + call(6100, EVENT_CHANNEL_OP),  # after it
    )
    dom0 = window(
        1,
        runs(1500, DOM0)
        + record(xentrace.GRANT_MAP, 2500, GUEST)
        + record(xentrace.GRANT_MAP, 2501, OTHER)
        + record(xentrace.GRANT_UNMAP, 2600, GUEST)
        + call(2700, GRANT_TABLE_OP, 5, 3, flags=FIRST_AND_THIRD)
        + call(2750, GRANT_TABLE_OP, 0, 8, flags=FIRST_AND_THIRD)
        + call(2800, EVENT_CHANNEL_OP)  # an interrupt between dom0's own vCPUs
        + call(2850, EVENT_CHANNEL_OP)
        + record(xentrace.SCHED_WAKE, 2851, OTHER, 0)
        + blocks(3000, DOM0)
        + runs(4100, DOM0)
        + call(4150, EVENT_CHANNEL_OP)
        + record(xentrace.SCHED_WAKE, 4151, GUEST, 0)
        + change(4151, GUEST, 0, BLOCKED, RUNNABLE)
        + blocks(4500, DOM0)
        + record(xentrace.GRANT_MAP, 6500, GUEST),
    )
    (found,) = counted(guest, dom0)
    assert (found.work, found.requests, found.seconds) == ("disk-write", 2, 4.0)
    assert found.figures == {
        "doorbells": 2,
        "completions": 1,
        "hypercalls": 4,
        "grant_maps": 1,
        "grant_unmaps": 1,
        "grant_copies": 3,
        "page_tables": 3,
    }
    assert found.kinds["page_tables"] == {"mmu_update": 1, "page fault": 1, "update_va_mapping": 1}
    assert found.kinds["hypercalls"] == {"event_channel_op": 2, "mmu_update": 1, "update_va_mapping": 1}
    assert {name: round(4000 * share) for name, share in found.shares.items()} == {
        "guest": 2000 + 1000,
        "waiting": 849,
        "blocked": 151,
        "backend": 1000 + 400,
    }


def test_a_pvh_guests_exits_split_its_time() -> None:
    guest = window(
        0,
        runs(1000, GUEST)
        + record(VMENTRY, 1001)
        + record(VMEXIT, 2000, 0x81, 0, 0)
        + vmmcall(2001, CONSOLE_IO)
        + record(VMENTRY, 2100)
        + record(SVM_EXIT, 2600, 0x400, 0, 0)
        + record(VMENTRY, 2700)
        + record(SVM_EXIT, 3000, 0x81, 0, 0)
        + vmmcall(3001, EVENT_CHANNEL_OP)
        + record(VMENTRY, 3100)
        + record(SVM_EXIT, 3990, 0x81, 0, 0)
        + vmmcall(4001, CONSOLE_IO),
    )
    (found,) = counted(guest, mode="pvh")
    assert found.figures["exits"] == 3
    assert found.kinds["exits"] == {"VMMCALL": 2, "NPF": 1}
    assert found.kinds["page_tables"] == {"NPF": 1}
    assert found.figures["doorbells"] == 1
    assert {name: round(2000 * share) for name, share in found.shares.items()} == {
        "guest": 500 + 300 + 890,
        "hypervisor": 99 + 100 + 100 + 11,
    }


def test_each_pair_of_marks_is_the_next_phase_and_what_is_between_pairs_is_none() -> None:
    body = runs(1000, GUEST)
    for at in range(5):
        body += call(2000 + 100 * at, CONSOLE_IO) + call(2050 + 100 * at, EVENT_CHANNEL_OP) * (at + 1)
    phases = Phases(GUEST, "pv", 1, [("net", 3), ("fork", 4)], 1000.0, "amd")
    reader = Reader()
    found = list(phases.feed(reader.feed(window(0, body)) + reader.finish()))
    assert [(one.work, one.requests, one.figures["doorbells"]) for one in found] == [("net", 3, 1), ("fork", 4, 3)]
    assert phases.marks == 5


@pytest.mark.parametrize("size", [1, 2, 3])
def test_where_tables_end_changes_nothing(size: int) -> None:
    body = runs(1000, GUEST) + call(2000, CONSOLE_IO) + call(2001, EVENT_CHANNEL_OP)
    body += blocks(2500, GUEST) + runs(2600, GUEST) + call(3000, CONSOLE_IO)
    reader = Reader()
    tables = reader.feed(window(0, body)) + reader.finish()
    pieces = [piece for table in tables for piece in table.pieces(size)]
    whole = list(Phases(GUEST, "pv", 1, [("net", 1)], 1000.0, "amd").feed(tables))
    assert list(Phases(GUEST, "pv", 1, [("net", 1)], 1000.0, "amd").feed(pieces)) == whole
    assert whole[0].figures["doorbells"] == 1


def test_another_domains_log_is_no_mark() -> None:
    body = runs(1000, OTHER) + call(2000, CONSOLE_IO) + call(3000, CONSOLE_IO)
    assert counted(window(0, body)) == []
