"""Phases of a made trace of KVM: known accesses, interrupts, faults and times between marks."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.traces.kvm.traces import counted as counted_of
from tests.traces.kvm.traces import pieces, sample, unpack
from tests.traces.phases.machines import (
    ELSE,
    HLT,
    IO,
    MAIN_LOOP,
    NPF,
    REASONS,
    VCPU,
    WRITE_CR3,
    serial,
    told,
)
from traces.analyses.phases.counts import PhaseCounts
from traces.analyses.phases.kvm import FIELDS, Event, Phases, events
from traces.kvm import table
from traces.kvm.decode import tracedat


def counted(records: Iterable[Event]) -> list[PhaseCounts]:
    phases = Phases(lambda reason: REASONS.get(reason, "?"), [VCPU], [MAIN_LOOP], hz=1000.0)
    return list(phases.feed(records))


def phase(work: str, requests: int, inside: Iterable[Event]) -> Iterator[Event]:
    """Make a phase: its mark, what is inside, which begins after 10,000 and ends before 20,000, and its other mark."""
    yield from serial(1000, f"xentool-phase begin {work} {requests}")
    yield from inside
    yield from serial(20_000, f"xentool-phase end {work}")


def doorbell(ts: int, address: int = 0xFEBF_1000) -> list[Event]:
    return [
        told(ts, VCPU, "kvm_exit", exit_reason=NPF),
        told(ts + 1, VCPU, "kvm_page_fault"),
        told(ts + 2, VCPU, "kvm_mmio", type=2, gpa=address),
        told(ts + 5, VCPU, "kvm_entry"),
    ]


def test_writes_to_a_device_are_doorbells_and_no_page_table_work() -> None:
    inside = [*doorbell(10_000), *doorbell(10_100), *doorbell(10_200, 0xFEE0_00B0)]
    (found,) = counted(phase("disk-write", 2, inside))
    assert (found.work, found.requests) == ("disk-write", 2)
    # The local APIC is the board's own.
    assert found.figures["doorbells"] == 2
    assert found.kinds["doorbells"] == {"write 0xfebf1000": 2}
    assert found.figures["page_tables"] == 0
    assert found.kinds["exits"] == {"npf": 3}
    # Neither the serial port's exits nor its trips to the device model are the phase's.
    assert found.figures["device_model"] == 0


def test_a_read_that_is_told_twice_is_one_access() -> None:
    inside = [
        told(10_000, VCPU, "kvm_exit", exit_reason=NPF),
        told(10_001, VCPU, "kvm_page_fault"),
        told(10_002, VCPU, "kvm_mmio", type=0, gpa=0xFEB8_0008),
        told(10_003, VCPU, "kvm_userspace_exit"),
        told(10_004, VCPU, "kvm_mmio", type=1, gpa=0xFEB8_0008),
        told(10_005, VCPU, "kvm_entry"),
    ]
    (found,) = counted(phase("net", 1, inside))
    assert found.kinds["doorbells"] == {"read 0xfeb80008": 1}
    assert found.figures["device_model"] == 1
    assert found.figures["page_tables"] == 0


def test_faults_and_shadowed_registers_are_page_table_work() -> None:
    inside = [
        told(10_000, VCPU, "kvm_exit", exit_reason=NPF),
        told(10_001, VCPU, "kvm_page_fault"),
        told(10_002, VCPU, "kvm_entry"),
        told(10_003, VCPU, "kvm_exit", exit_reason=WRITE_CR3),
        told(10_004, VCPU, "kvm_entry"),
    ]
    (found,) = counted(phase("fork", 1, inside))
    assert found.kinds["page_tables"] == {"page fault": 1, "write_cr3": 1}


def test_a_port_of_a_device_counts_and_the_boards_do_not() -> None:
    ports = [(0x1F7, 1), (0x1F7, 0), (0x1F7, 0), (0x70, 1), (0xCF8, 1), (0x20, 1), (0xB008, 0)]
    inside = [told(10_000 + at, VCPU, "kvm_pio", rw=out, port=port) for at, (port, out) in enumerate(ports)]
    (found,) = counted(phase("disk-read", 1, inside))
    assert found.kinds["doorbells"] == {"in 0x1f7": 2, "out 0x1f7": 1}


def test_interrupts_of_devices_are_completions_and_the_systems_are_not() -> None:
    vectors = (34, 34, 236, 14)
    inside = [told(10_000 + at, VCPU, "kvm_inj_virq", vector=each) for at, each in enumerate(vectors)]
    (found,) = counted(phase("disk-read", 1, inside))
    assert found.kinds["completions"] == {"vector 34": 2}


def test_what_another_machines_thread_does_is_not_this_ones() -> None:
    inside = [told(10_000, ELSE, "kvm_exit", exit_reason=NPF), told(10_001, ELSE, "kvm_pio", port=0x1F7)]
    (found,) = counted(phase("idle", 1, inside))
    assert found.figures == dict.fromkeys(found.figures, 0)


def test_the_window_is_shared_among_what_runs_and_waits() -> None:
    line = "xentool-phase begin idle 1"
    begin = 1000 + 10 * (len(line) + 1) + 3  # the entry after the byte that ends it
    inside = [
        told(begin + 1000, VCPU, "kvm_exit", exit_reason=IO),
        told(begin + 1200, VCPU, "kvm_userspace_exit"),
        told(begin + 1500, VCPU, "kvm_entry"),
        told(begin + 1600, VCPU, "kvm_exit", exit_reason=HLT),
        told(begin + 1610, VCPU, "sched_switch", prev_pid=VCPU, prev_state=1, next_pid=MAIN_LOOP),
        told(begin + 2610, MAIN_LOOP, "sched_switch", prev_pid=MAIN_LOOP, prev_state=1, next_pid=VCPU),
        told(begin + 2610, VCPU, "sched_switch", prev_pid=VCPU, prev_state=0, next_pid=ELSE),
        told(begin + 3110, ELSE, "sched_switch", prev_pid=ELSE, prev_state=1, next_pid=VCPU),
        told(begin + 3115, VCPU, "kvm_entry"),
    ]
    (found,) = counted([*serial(1000, line), *inside, *serial(begin + 5000, "xentool-phase end idle")])
    assert found.seconds == 5.0
    assert {name: round(5000 * share) for name, share in found.shares.items()} == {
        "guest": 1000 + 100 + (5000 - 3115),
        "hypervisor": 200 + 10 + 5,
        "device_model": 300,
        "waiting": 500,
        "blocked": 1000,
        "backend": 1000,
    }


def test_marks_that_do_not_pair_make_no_phase() -> None:
    assert counted(serial(0, "xentool-phase end net")) == []
    assert counted(serial(0, "xentool-phase begin net 1")) == []
    other = [*serial(0, "xentool-phase begin net 1"), *serial(5000, "xentool-phase end fork")]
    assert counted(other) == []
    # The later beginning is the one that ends.
    again = [*serial(0, "xentool-phase begin net 1"), *phase("net", 7, doorbell(10_000))]
    (found,) = counted(again)
    assert (found.requests, found.figures["doorbells"]) == (7, 1)


def test_a_traces_records_are_read_by_its_formats() -> None:
    data = sample()
    with io.BytesIO(data) as file:
        trace = tracedat.read(file, unpack)
        told_by = table.Told({one.name: one for one in trace.layouts.values()}, {})
        streams = [(one.cpu, one.page_size) for one in trace.streams]
        found = [event for each in table.read(streams, pieces(file, trace, []), told_by) for event in events(each)]
    _, counts, _ = counted_of(data)
    names = {number: one.name for number, one in trace.layouts.items()}
    told_counts = Counter(names[key & 0xFFFF] for key, count, *_ in counts.items("events") for _ in range(count))
    assert Counter(event.name for event in found) == {
        name: count for name, count in told_counts.items() if name in FIELDS
    }
    assert [event.ts for event in found] == sorted(event.ts for event in found)
    # What the guest wrote to its serial port while it was recorded, a byte an access.
    written = bytes(
        event.values[2] & 0xFF for event in found if event.name == "kvm_pio" and event.values[:2] == (1, 0x3F8)
    )
    assert written.isascii()
    assert len(written) == sum(writes for key, _, writes, *_ in counts.items("ports") if key & 0xFFFF == 0x3F8)
