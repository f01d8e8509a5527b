"""What the vCPUs of a domain did together: sums of their reports, the busiest first."""

from collections import Counter
from collections.abc import Iterable, Sequence

from traces.account import IDLE_DOMID
from traces.answers import Batches, Exit, GuestInterrupt, Hypercall, Io, Report, Trap, VcpuReport
from traces.counting.latencies import merged
from traces.plain import frozen, replace


@frozen
class PageTableWork:
    """Work on page tables of one kind; ``per_call`` is operations a call where calls carry several, else None."""

    what: str
    count: int
    per_call: float | None


def calls(of_vcpus: Iterable[Iterable[Hypercall]]) -> tuple[Hypercall, ...]:
    """Add up hypercalls."""
    counts: Counter[tuple[int, str]] = Counter()
    restarts: Counter[int] = Counter()
    firsts: dict[int, int] = {}
    subops: dict[int, Counter[str]] = {}
    for call in (call for of_vcpu in of_vcpus for call in of_vcpu):
        counts[call.nr, call.name] += call.count
        restarts[call.nr] += call.restarts
        firsts[call.nr] = min(call.first_offset, firsts.get(call.nr, call.first_offset))
        subops.setdefault(call.nr, Counter()).update(call.subops)
    return tuple(
        Hypercall(nr, name, count, dict(subops[nr].most_common()), restarts[nr], firsts[nr])
        for (nr, name), count in counts.most_common()
    )


def batches(vcpus: Iterable[VcpuReport], name: str) -> Batches:
    """Add up the calls of one batching hypercall."""
    found = [vcpu.batches[name] for vcpu in vcpus if name in vcpu.batches]
    return Batches(sum(one.calls for one in found), sum(one.items for one in found))


def page_tables(vcpus: Sequence[VcpuReport]) -> list[PageTableWork]:
    """Add up what concerns page tables, over hypercalls and faults."""
    found = []
    for name, what in (("mmu_update", "updates"), ("mmuext_op", "operations")):
        of = batches(vcpus, name)
        if of.calls:
            found.append(PageTableWork(f"{name} {what}", of.items, of.items / of.calls))
    every = calls(made for vcpu in vcpus for made in (vcpu.hypercalls, vcpu.multicall_subcalls))
    found += [PageTableWork(call.name, call.count, None) for call in every if call.name == "update_va_mapping"]
    for event, what in (
        ("pv_ptwr_emulation", "page table writes emulated"),
        ("pv_ptwr_emulation_pae", "page table writes emulated (PAE)"),
        ("pv_page_fault", "page faults through Xen"),
        ("hvm_npf", "nested page faults"),
    ):
        count = sum(vcpu.events.get(event, 0) for vcpu in vcpus)
        if count:
            found.append(PageTableWork(what, count, None))
    return found


def exits(vcpus: Iterable[VcpuReport]) -> tuple[Exit, ...]:
    """Add up VM exits, those that took longest in all first."""
    by_key: dict[int, list[Exit]] = {}
    for exit_ in (exit_ for vcpu in vcpus for exit_ in vcpu.exits):
        by_key.setdefault(exit_.key, []).append(exit_)
    found = [
        Exit(
            key,
            of[0].name,
            sum(one.count for one in of),
            sum(one.seconds for one in of),
            sum(one.descheduled_seconds for one in of),
            merged(one.latency for one in of),
            None if of[0].user_seconds is None else sum(one.user_seconds or 0.0 for one in of),
        )
        for key, of in by_key.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.seconds))


def io(vcpus: Iterable[VcpuReport]) -> tuple[Io, ...]:
    """Add up emulated accesses, the most frequent first."""
    found: dict[tuple[str, int], list[Io]] = {}
    for one in (one for vcpu in vcpus for one in vcpu.io):
        found.setdefault((one.kind, one.address), []).append(one)
    sums = [
        replace(
            of[0],
            reads=sum(one.reads for one in of),
            writes=sum(one.writes for one in of),
            entries=None if of[0].entries is None else sum(one.entries or 0 for one in of),
        )
        for of in found.values()
    ]
    return tuple(sorted(sums, key=lambda one: -one.reads - one.writes))


def cr3_writes(vcpus: Iterable[VcpuReport]) -> Counter[int]:
    """Add up writes of cr3, by the page table that they chose."""
    counts: Counter[int] = Counter()
    for vcpu in vcpus:
        counts.update(vcpu.cr3_writes)
    return counts


def interrupts(vcpus: Iterable[VcpuReport]) -> tuple[GuestInterrupt, ...]:
    """Add up interrupts that a guest got, the most frequent first."""
    by_vector: dict[int, list[GuestInterrupt]] = {}
    for one in (one for vcpu in vcpus for one in vcpu.interrupts):
        by_vector.setdefault(one.vector, []).append(one)
    found = [
        GuestInterrupt(
            vector,
            sum(one.count for one in of),
            merged(one.alone for one in of),
            merged(one.wake_to_halt for one in of),
            merged(one.interrupt_to_halt for one in of),
        )
        for vector, of in by_vector.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.count))


def traps(vcpus: Iterable[VcpuReport]) -> tuple[Trap, ...]:
    """Add up traps."""
    counts: Counter[tuple[int, str]] = Counter()
    for trap in (trap for vcpu in vcpus for trap in vcpu.traps):
        counts[trap.vector, trap.name] += trap.count
    return tuple(Trap(vector, name, count) for (vector, name), count in counts.most_common())


def idle(report: Report) -> dict[int, float]:
    """Say which share of the time each pCPU was idle, of those that tell."""
    # The idle domain has one vCPU for each pCPU, of the same number.
    return {
        vcpu.vcpu: vcpu.runstates["running"].seconds / report.span_s
        for domain in report.domains
        for vcpu in domain.vcpus
        if domain.domid == IDLE_DOMID and vcpu.runstates and report.span_s
    }
