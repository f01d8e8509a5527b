"""What a machine of KVM's asked of devices and registers: doorbells, entries into its process, MSRs, EOIs."""

from collections import Counter
from collections.abc import Iterator, Sequence

from traces.analyses import totals
from traces.answers import DomainReport, Io, VcpuReport
from traces.exporters.cells import PER_S, Cell, Column, Section, count, rate
from traces.foreign import printable

#: Addresses and registers that are told.
_BUSIEST = 20
_EOI, _PV_EOI = "kvm_eoi", "kvm_pv_eoi"


def sections(domain: DomainReport, span_s: float) -> Iterator[Section]:
    """Tell it; nothing of domains of Xen's."""
    if domain.mode != "kvm":
        return
    accesses = totals.io(domain.vcpus)
    yield _devices(accesses, span_s)
    yield _addresses(accesses, span_s)
    yield _entries(domain.vcpus, span_s)
    yield _msrs(domain.vcpus, span_s)
    yield _ends(domain.vcpus, span_s)


def _devices(accesses: Sequence[Io], span_s: float) -> Section:
    # A write that the kernel answers by itself is a doorbell, where a device has any.
    by_device: dict[str, list[Io]] = {}
    for one in accesses:
        by_device.setdefault(one.device or f"unknown {one.kind}", []).append(one)
    rows = []
    for name, of in by_device.items():
        entries = sum(one.entries or 0 for one in of)
        every = sum(one.reads + one.writes for one in of)
        rows.append(
            (
                Cell(printable(name)),
                count(sum(one.reads for one in of)),
                count(sum(one.writes for one in of)),
                rate(every, span_s),
                count(max(every - entries, 0)),
                count(entries),
            )
        )
    columns = (Column("reads"), Column("writes"), PER_S, Column("in the kernel"), Column("to its process"))
    return Section("Devices", columns, rows[:_BUSIEST], max(len(rows) - _BUSIEST, 0))


def _addresses(accesses: Sequence[Io], span_s: float) -> Section:
    rows = [
        (
            Cell(f"{one.kind} {one.address:#x}"),
            count(one.reads),
            count(one.writes),
            rate(one.reads + one.writes, span_s),
            count(one.entries or 0),
            Cell(printable(one.device or "")),
        )
        for one in accesses[:_BUSIEST]
    ]
    columns = (Column("reads"), Column("writes"), PER_S, Column("to its process"), Column("device"))
    return Section("Emulated I/O", columns, rows, len(accesses) - len(rows))


def _entries(vcpus: Sequence[VcpuReport], span_s: float) -> Section:
    found: Counter[str] = Counter()
    for vcpu in vcpus:
        found.update(vcpu.entries)
    rows = [(Cell(printable(name)), count(of), rate(of, span_s)) for name, of in found.most_common(_BUSIEST)]
    return Section("Its process was entered for", (Column("count"), PER_S), rows, len(found) - len(rows))


def _msrs(vcpus: Sequence[VcpuReport], span_s: float) -> Section:
    reads, writes, names = Counter[int](), Counter[int](), dict[int, str | None]()
    for one in (one for vcpu in vcpus for one in vcpu.msrs):
        reads[one.number] += one.reads
        writes[one.number] += one.writes
        names[one.number] = one.name
    found = (reads + writes).most_common()
    rows = [
        (
            Cell(f"{number:#x} {names[number] or ''}".rstrip()),
            count(reads[number]),
            count(writes[number]),
            rate(every, span_s),
        )
        for number, every in found[:_BUSIEST]
    ]
    columns = (Column("reads"), Column("writes"), PER_S)
    return Section("MSRs", columns, rows, len(found) - len(rows), of=("MSR",))


def _ends(vcpus: Sequence[VcpuReport], span_s: float) -> Section:
    every = sum(vcpu.events.get(_EOI, 0) for vcpu in vcpus)
    without = sum(vcpu.events.get(_PV_EOI, 0) for vcpu in vcpus)
    told = (("without an exit (PV EOI)", without), ("by an exit", max(every - without, 0)))
    rows = [(Cell(name), count(of), rate(of, span_s)) for name, of in told if every or without]
    return Section("Ends of interrupts (EOI)", (Column("count"), PER_S), rows)
