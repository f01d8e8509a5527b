"""How long hypercalls took: exact where exits tell, an upper bound elsewhere, nothing where it can't be told."""

import io

import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, VMENTRY, VMEXIT, change, record, window
from traces import scan as scans
from traces.account import UNKNOWN_DOMID
from traces.analyses import calls
from traces.analyses.calls import CallTimes
from traces.analyses.report import report as report_of
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace

HZ = 1e9
HYPERCALL, SUBCALL, VMMCALL = xentrace.PV_HYPERCALL_V2, xentrace.PV_HYPERCALL_SUBCALL, xentrace.HVM_VMMCALL
PREEMPTED = 1 << 31


def times(data: bytes) -> dict[tuple[int, int, int], CallTimes]:
    report = report_of(scans.read(io.BytesIO(data)), hz=HZ)
    found = calls.read(read(io.BytesIO(data), Reader()), report)
    return {(one.domid, one.vcpu, one.nr): one for one in found}


def test_a_pv_hypercall_took_at_most_until_the_guest_enters_again() -> None:
    found = times(
        window(
            0,
            change(100, 1, 0, RUNNABLE, RUNNING)
            + record(HYPERCALL, 200, 13 | 2 << 22, 2)
            + record(SUBCALL, 210, 14)  # within the multicall: proves nothing
            + record(xentrace.GRANT_MAP, 220, 0)
            + record(0x201009, 225, 1, 2)  # a fixup, which Xen may need itself
            + record(0x201103, 260, 1, 0, 14)  # a trap: the guest runs again
            + record(HYPERCALL, 300, 29)  # sched_op
            + change(310, 1, 0, RUNNING, BLOCKED)
            + change(400, 1, 0, BLOCKED, RUNNABLE)
            + change(410, 1, 0, RUNNABLE, RUNNING)
            + record(HYPERCALL, 500, 1 | 2 << 22, 9)
            + record(HYPERCALL, 520, 1 | 2 << 22, 5 | PREEMPTED)
            + record(HYPERCALL, 560, 0),
        )
    )
    assert {nr: (one.bound, one.latency.count, one.unknown) for (_, _, nr), one in found.items()} == {
        13: ("upper", 1, 0),
        29: ("upper", 0, 1),  # descheduled
        1: ("upper", 0, 1),  # preempted
    }
    assert found[1, 0, 13].latency.longest == pytest.approx(60e-9)


def test_a_pvh_guests_hypercall_took_from_exit_to_entry() -> None:
    found = times(
        window(
            0,
            change(100, 1, 0, RUNNABLE, RUNNING)
            + record(VMEXIT, 200, 18, 0, 0)
            + record(VMMCALL, None, 32)
            + record(VMENTRY, 230)
            + record(VMEXIT, 300, 18, 0, 0)
            + record(VMMCALL, None, 32)
            + change(310, 1, 0, RUNNING, BLOCKED)
            + change(350, 1, 0, BLOCKED, RUNNABLE)
            + change(360, 1, 0, RUNNABLE, RUNNING)
            + record(VMENTRY, 370),
        )
    )
    (one,) = found.values()
    assert (one.name, one.bound, one.latency.count, one.unknown) == ("event_channel_op", "exact", 1, 1)
    assert one.latency.longest == pytest.approx(30e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_hypercall_is_told_or_counted(name: str) -> None:
    found = times(capture(name))
    report = report_of(scans.read(io.BytesIO(capture(name))), hz=HZ)
    for domain in (one for one in report.domains if one.domid != UNKNOWN_DOMID):
        for vcpu in domain.vcpus:
            for call in vcpu.hypercalls:
                of = found.get((domain.domid, vcpu.vcpu, call.nr))
                # The trace's last one has no end.
                if of is None:
                    assert call.count == 1
                    continue
                assert of.latency.count + of.unknown in (call.count, call.count - 1)
                assert of.bound == ("exact" if "hvm_vmmcall" in vcpu.events else "upper")
    assert sum(one.latency.count for one in found.values()) > 1000
