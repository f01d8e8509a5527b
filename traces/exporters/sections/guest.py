"""What a domain's vCPUs did: hypercalls, page tables, VM exits and what they were for, interrupts, traps."""

from collections.abc import Iterator, Sequence
from itertools import islice

from traces.analyses import totals
from traces.answers import DomainReport, Hypercall
from traces.exporters.cells import (
    COUNT,
    DISTRIBUTION,
    LONG,
    NOTHING,
    PER_S,
    SECONDS,
    SHARE,
    Cell,
    Column,
    Section,
    count,
    distributed,
    duration,
    rate,
    seconds,
    share,
)
from traces.exporters.sections import machine
from traces.exporters.sources import words_of
from traces.exporters.words import unit
from traces.foreign import printable
from traces.plural import plural

#: With more vCPUs than this, hypercalls are told as totals only.
_VCPU_COLUMNS = 4
#: Addresses of each kind; there may be thousands.
_BUSIEST = 20
#: In a cell.
_WORDS_MAX = 20
#: What both call alike is the same.
_EXITS = ("VMX exit", "SVM exit")
_HALT_NOTE = "It woke the vCPU, alone if no other came until the vCPU halted; or the vCPU was awake."


def sections(domain: DomainReport, span_s: float, most: int) -> Iterator[Section]:
    """Tell what a domain's vCPUs did.

    :param most: rows of a table
    """
    yield _calls("Hypercalls", domain, [vcpu.hypercalls for vcpu in domain.vcpus], span_s, most)
    inside = [vcpu.multicall_subcalls for vcpu in domain.vcpus]
    yield _calls(_multicalls(domain), domain, inside, span_s, most)._replace(note=_asked_again(domain, inside))
    yield _page_tables(domain, span_s)
    yield from _exits(domain, span_s, most)
    if domain.mode != "kvm":
        yield _io(domain, span_s)
    yield from machine.sections(domain, span_s)
    yield _roots(domain, span_s)
    yield from _interrupts(domain, span_s, most)
    yield _traps(domain, span_s, most)


def _multicalls(domain: DomainReport) -> str:
    of = totals.batches(domain.vcpus, "multicall")
    if not of.calls:
        return "In multicalls"
    return f"In {plural(of.calls, 'multicall')}, {of.items / of.calls:.1f} calls each on average"


def _asked_again(domain: DomainReport, inside: Sequence[Sequence[Hypercall]]) -> str:
    # What Xen preempts has no mark: the multicall that goes on is like any other.
    made = sum(call.count + call.restarts for of_vcpu in inside for call in of_vcpu)
    more = totals.batches(domain.vcpus, "multicall").items - made
    if not made or more <= 0:
        return ""
    return (
        f"{plural(more, 'more call')} asked for than made: a multicall that Xen preempts is made again with those "
        "that it has left, and counts again."
    )


def _calls(title: str, domain: DomainReport, calls: Sequence[Sequence[Hypercall]], span_s: float, most: int) -> Section:
    found = totals.calls(calls)
    each = _each(domain)
    detailed = any(call.subops or call.restarts for call in found)
    rows = []
    for call in found[:most]:
        of_each = (count(sum(one.count for one in of_vcpu if one.nr == call.nr)) for of_vcpu in calls[: len(each)])
        remarks = (Cell(_remarks(call)),) if detailed else ()
        rows.append((Cell(call.name), count(call.count), rate(call.count, span_s), *of_each, *remarks))
    columns = (Column("count", bar=True), PER_S, *each, *((Column("of these", LONG),) if detailed else ()))
    return Section(title, columns, rows, len(found) - len(rows), of=("hypercall",))


def _remarks(call: Hypercall) -> str:
    told = [f"{subop} {of:,}" for subop, of in islice(call.subops.items(), _WORDS_MAX)]
    if len(call.subops) > _WORDS_MAX:
        told.append(f"{len(call.subops) - _WORDS_MAX:,} more")
    told += [f"preempted {plural(call.restarts, 'time')}"] if call.restarts else []
    return ", ".join(told)


def _each(domain: DomainReport) -> list[Column]:
    # Of the vCPUs that have a column of their own.
    each = len(domain.vcpus) if 1 < len(domain.vcpus) <= _VCPU_COLUMNS else 0
    return [Column(f"{unit(domain.domid)}{vcpu.vcpu}") for vcpu in domain.vcpus[:each]]


def _page_tables(domain: DomainReport, span_s: float) -> Section:
    rows = [
        (
            Cell(work.what),
            count(work.count),
            rate(work.count, span_s),
            Cell(f"{work.per_call:.1f}", work.per_call) if work.per_call else NOTHING,
        )
        for work in totals.page_tables(domain.vcpus)
    ]
    return Section("Page tables", (Column("count"), PER_S, Column("a call", COUNT)), rows)


def _exits(domain: DomainReport, span_s: float, most: int) -> Iterator[Section]:
    found = totals.exits(domain.vcpus)
    # A machine of KVM's: an exit is Linux' to handle, or its process's.
    threads = any(one.user_seconds is not None for one in found)
    whole = span_s * len(domain.vcpus)
    rows = [
        (
            Cell(printable(one.name)),
            count(one.count),
            rate(one.count, span_s),
            seconds(one.seconds),
            share(one.seconds / whole if whole else 0.0),
            duration(one.seconds / one.count),
            *((seconds(one.user_seconds or 0.0),) if threads else ()),
            seconds(one.descheduled_seconds),
        )
        for one in found[:most]
    ]
    columns = (
        Column("count"),
        PER_S,
        Column(words_of("kvm" if threads else "xentrace").in_hypervisor, SECONDS, bar=True),
        Column("of all", SHARE),
        Column("mean", SECONDS),
        *((Column("in its process", SECONDS),) if threads else ()),
        Column("descheduled", SECONDS),
    )
    yield Section("VM exits", columns, rows, len(found) - len(rows), of=_EXITS)
    ended = [one for one in found if one.latency.count]
    each = [(Cell(printable(one.name)), *distributed(one.latency)) for one in ended[:most]]
    yield Section("VM exits, each", DISTRIBUTION, each, len(ended) - len(each), of=_EXITS)


def _io(domain: DomainReport, span_s: float) -> Section:
    found = totals.io(domain.vcpus)
    rows = [
        (
            Cell(f"{one.kind} {one.address:#x}"),
            count(one.reads),
            count(one.writes),
            rate(one.reads + one.writes, span_s),
        )
        for one in found[:_BUSIEST]
    ]
    return Section("Emulated I/O", (Column("reads"), Column("writes"), PER_S), rows, len(found) - len(rows))


def _roots(domain: DomainReport, span_s: float) -> Section:
    found = totals.cr3_writes(domain.vcpus).most_common()
    rows = [(Cell(f"{root:#x}"), count(of), rate(of, span_s)) for root, of in found[:_BUSIEST]]
    return Section("Page tables switched to (cr3)", (Column("count"), PER_S), rows, len(found) - len(rows))


def _interrupts(domain: DomainReport, span_s: float, most: int) -> Iterator[Section]:
    found = totals.interrupts(domain.vcpus)
    each = _each(domain)
    rows = []
    for one in found[:most]:
        of_vcpus = ([of.count for of in vcpu.interrupts if of.vector == one.vector] for vcpu in domain.vcpus)
        counts = (count(sum(of)) for of in islice(of_vcpus, len(each)))
        rows.append((Cell(f"vector {one.vector}"), count(one.count), rate(one.count, span_s), *counts))
    yield Section("Guest interrupts", (Column("count"), PER_S, *each), rows, len(found) - len(rows))
    halts = [
        (Cell(f"vector {one.vector} {what}"), *distributed(took))
        for one in found[:most]
        for what, took in (
            ("woke alone", one.alone),
            ("woke", one.wake_to_halt),
            ("awake", one.interrupt_to_halt),
        )
        if took.count
    ]
    yield Section("From interrupt to halt", DISTRIBUTION, halts, note=_HALT_NOTE)


def _traps(domain: DomainReport, span_s: float, most: int) -> Section:
    found = totals.traps(domain.vcpus)
    rows = [(Cell(trap.name), count(trap.count), rate(trap.count, span_s)) for trap in found[:most]]
    return Section("Traps", (Column("count"), PER_S), rows, len(found) - len(rows), of=("trap",))
