"""Makers of traces that nobody records: each has more of one thing than any machine, so that what grows with it shows.

A maker takes how many and gives a whole trace; what it makes grows with that number alone.
"""

import struct
from collections.abc import Callable, Iterable, Iterator

from traces.xen.formats import events as xentrace

_CPU_CHANGE = 2 << xentrace.EXTRA_SHIFT | xentrace.CPU_CHANGE
_WORD_MAX = 0xFFFFFFFF
#: What hash tables of this kind used to multiply keys with.
_GOLDEN = 0x9E3779B97F4A7C15
#: Below those that have a meaning of their own; each with several vCPUs, whose numbers a file may choose freely.
_DOMAINS, _VCPUS = 0x7FF0, 1 << 14
_HAS_ARGUMENTS = 0b11_11 << xentrace.HYPERCALL_ARG_SHIFT
_GRANT_TABLE_OP, _MULTICALL, _EVENT_CHANNEL_OP = 20, 13, 32
_RUNS, _STOPS, _WAKES = 1 << 8, 2 << 4, 2 << 8 | 1 << 4
_PCPUS = 4095


def window(pcpu: int, body: bytes) -> bytes:
    return struct.pack("<III", _CPU_CHANGE, pcpu, len(body)) + body


def record(event: int, *words: int, tsc: int | None = None) -> bytes:
    header = event | len(words) << xentrace.EXTRA_SHIFT | (0 if tsc is None else xentrace.CYCLES_FLAG)
    stamp = b"" if tsc is None else struct.pack("<Q", tsc)
    return struct.pack("<I", header) + stamp + struct.pack(f"<{len(words)}I", *words)


def runs(who: int, tsc: int) -> bytes:
    """Say that a vCPU (domid << 16 | vcpu) runs from now on."""
    return record(xentrace.RUNSTATE_CHANGE | _RUNS, who, tsc=tsc)


def _one_window(records: Iterable[bytes]) -> bytes:
    return window(0, b"".join(records))


def _of_one_vcpu(records: Iterable[bytes]) -> bytes:
    return _one_window([runs(1 << 16, 1000), *records])


def _who(number: int) -> int:
    return (number % _DOMAINS + 1) << 16 | number // _DOMAINS


def restarts(count: int) -> bytes:
    """Windows that are no younger than the one before: each time another boot."""
    return window(0, record(0x0010F001, tsc=1000)) * count


def restarts_of_many(count: int) -> bytes:
    """The same after many vCPUs and pCPUs were heard of."""
    many = [window(number % _PCPUS, runs(_who(number), 1000 + number)) for number in range(count)]
    return b"".join(many) + restarts(count)


def restarts_that_work(count: int) -> bytes:
    """Each run of the clock has a guest that works."""
    work = [record(xentrace.PV_HYPERCALL_V2, _EVENT_CHANNEL_OP, tsc=2000 + number) for number in range(20)]
    stops = record(xentrace.RUNSTATE_CHANGE | _STOPS, 1 << 16, tsc=3000)
    return window(0, runs(1 << 16, 1000) + b"".join(work) + stops) * count


def colliding(count: int) -> bytes:
    """Grant maps whose keys fell into one place of any table, were it multiplied by a constant."""

    def keys() -> Iterator[int]:
        inverse, number = pow(_GOLDEN, -1, 1 << 64), 0
        while True:
            number += 1
            key = inverse * number % (1 << 64)
            if key >> 48 < _DOMAINS:
                yield key

    chosen = keys()
    body = [
        runs(key >> 32, 1000 + 2 * number) + record(xentrace.GRANT_MAP, key & _WORD_MAX)
        for number, key in zip(range(count), chosen, strict=False)
    ]
    return _one_window(body)


def domains(count: int) -> bytes:
    """Another vCPU with each record, of as many domains as there can be."""
    return _one_window(runs(_who(number), 1000 + number) for number in range(count))


def domains_that_work(count: int) -> bytes:
    """The same, and each makes a hypercall and leaves."""

    def work(number: int) -> bytes:
        who, at = _who(number), 1000 + 3 * number
        call = record(xentrace.PV_HYPERCALL_V2, _GRANT_TABLE_OP | _HAS_ARGUMENTS, number % 11, 1, tsc=at + 1)
        return runs(who, at) + call + record(xentrace.RUNSTATE_CHANGE | _STOPS, who, tsc=at + 2)

    return _one_window(map(work, range(count)))


def vcpus(count: int) -> bytes:
    """Another vCPU of one domain with each record."""
    return _one_window(runs(1 << 16 | number % 0x10000, 1000 + number) for number in range(count))


def _exit(number: int, reason: int) -> bytes:
    took = record(xentrace.HVM_VMX_EXIT, reason, 0, tsc=1010 + 2 * number)
    return took + record(xentrace.HVM_VMENTRY, tsc=1011 + 2 * number)


def exit_reasons(count: int) -> bytes:
    """Another reason with each VM exit."""
    return _of_one_vcpu(_exit(number, number) for number in range(count))


def exit_reasons_of_many(count: int) -> bytes:
    """Some hundred reasons of each vCPU, of exits around which its run state changes."""

    def work(number: int) -> bytes:
        who, at = _who(number // 200), 1000 + 3 * number
        took = record(xentrace.HVM_VMX_EXIT, number % 200, 0, tsc=at + 1) + record(xentrace.HVM_VMENTRY, tsc=at + 2)
        return runs(who, at) + took

    return _one_window(map(work, range(count)))


def irqs(count: int) -> bytes:
    """Another interrupt with each record, each on several pCPUs."""
    halves = [
        b"".join(
            record(xentrace.HW_IRQ_HANDLED, number, 0, 9 * number, tsc=1000 + number) for number in range(count // 2)
        )
    ] * 2
    return window(0, halves[0]) + window(1, halves[1])


def irqs_of_pcpus(count: int) -> bytes:
    """One interrupt, of another pCPU each time."""
    one = record(xentrace.HW_IRQ_HANDLED, 7, 0, 9, tsc=1000)
    return b"".join(window(number % _PCPUS, one) for number in range(count))


def events(count: int) -> bytes:
    """Another event with each record."""
    return _of_one_vcpu(record(0x0200_0000 | number, 1, tsc=1010 + number) for number in range(count))


def events_alike(count: int) -> bytes:
    """The same few events, of another length each time."""
    return _of_one_vcpu(record(0x0200_0000 | number // 8, *range(number % 8)) for number in range(count))


def hypercalls(count: int) -> bytes:
    """Another hypercall with each record."""
    return _of_one_vcpu(record(xentrace.PV_HYPERCALL_V2, number, tsc=1010 + number) for number in range(count))


def vmmcalls(count: int) -> bytes:
    """Another hypercall of an HVM guest with each record."""
    return _of_one_vcpu(record(xentrace.HVM_VMMCALL, number << 4, tsc=1010 + number) for number in range(count))


def subops(count: int) -> bytes:
    """Another sub-operation with each hypercall."""
    op = _GRANT_TABLE_OP | _HAS_ARGUMENTS
    return _of_one_vcpu(record(xentrace.PV_HYPERCALL_V2, op, number, 1, tsc=1010 + number) for number in range(count))


def multicalls(count: int) -> bytes:
    """Batches that say they are huge, and calls in them."""

    def work(number: int) -> bytes:
        batch = record(xentrace.PV_HYPERCALL_V2, _MULTICALL | _HAS_ARGUMENTS, _WORD_MAX - number, tsc=1010 + number)
        return batch + record(xentrace.PV_HYPERCALL_SUBCALL, number % (1 << 20) | _HAS_ARGUMENTS, number)

    return _of_one_vcpu(map(work, range(count)))


def grants(count: int) -> bytes:
    """Another pair of domains with each grant."""
    return _one_window(
        runs(_who(number // 50), 1000 + number) + record(xentrace.GRANT_MAP, number % _DOMAINS)
        for number in range(count)
    )


def notifications(count: int) -> bytes:
    """Another pair of domains with each notification."""

    def work(number: int) -> bytes:
        call = record(xentrace.PV_HYPERCALL_V2, _EVENT_CHANNEL_OP)
        return call + record(xentrace.RUNSTATE_CHANGE | _WAKES, _who(number), tsc=1010 + number)

    return _of_one_vcpu(map(work, range(count)))


def ports(count: int) -> bytes:
    """Another port with each access."""
    return _of_one_vcpu(record(0x0008_2016, number, 0, tsc=1010 + number) for number in range(count))


def addresses(count: int) -> bytes:
    """Another place of emulated memory with each access."""
    return _of_one_vcpu(
        record(0x0008_2317, number << 12 & _WORD_MAX, 1 + (number >> 20), 0, tsc=1010 + number)
        for number in range(count)
    )


def roots(count: int) -> bytes:
    """Another page table with each write of cr3."""
    return _of_one_vcpu(record(0x0008_2109, 3, number << 12 & _WORD_MAX, number >> 20) for number in range(count))


def vectors(count: int) -> bytes:
    """Another vector with each interrupt of a guest; it never halts."""
    return _of_one_vcpu(record(xentrace.HVM_INJ_VIRQ, number, 0) for number in range(count))


def vectors_of_many(count: int) -> bytes:
    """Many vectors of many vCPUs, each of which halts."""

    def work(number: int) -> bytes:
        who, at = _who(number // 100), 1000 + 4 * number
        gets = record(xentrace.HVM_INJ_VIRQ, number % 100, 0) + record(xentrace.HVM_VMENTRY, tsc=at + 1)
        return runs(who, at) + gets + record(xentrace.RUNSTATE_CHANGE | _STOPS, who, tsc=at + 2)

    return _one_window(map(work, range(count)))


def traps(count: int) -> bytes:
    """Another exception with each trap."""
    return _of_one_vcpu(record(xentrace.PV_TRAP, number, number % 0x8000, tsc=1010 + number) for number in range(count))


def lost(count: int) -> bytes:
    """Many vCPUs, then records lost over and over."""
    many = b"".join(runs(_who(number), 1000 + number) for number in range(count))
    at = 1000 + count
    losses = [record(xentrace.LOST_RECORDS, 1, 1, at + number, 0, tsc=at + number) for number in range(count)]
    return window(0, many + b"".join(losses))


def lost_while_many_run(count: int) -> bytes:
    """As many vCPUs as there can be run, each on its pCPU, while records are lost on one."""
    many = [window(number % _PCPUS, runs(_who(number), 1000 + number)) for number in range(count)]
    at = 1000 + count
    losses = [record(xentrace.LOST_RECORDS, 1, 1, at + number, 0, tsc=at + number) for number in range(count)]
    return b"".join(many) + window(0, b"".join(losses))


def removals(count: int) -> bytes:
    """Another domain destroyed with each record."""
    return _one_window(record(0x0004_1002, number, tsc=1000 + number) for number in range(count))


def small_windows(count: int) -> bytes:
    """Windows of one record."""
    return b"".join(window(0, runs(1 << 16 | number % 2, 1000 + number)) for number in range(count))


def empty_windows(count: int) -> bytes:
    """Windows of none."""
    return runs_first() + window(0, b"") * count


def runs_first() -> bytes:
    return window(0, runs(1 << 16, 1000))


def pcpus(count: int) -> bytes:
    """Another pCPU with each record, in rounds."""
    return b"".join(window(number % _PCPUS, runs(1 << 16 | 1, 1000 + number)) for number in range(count))


def contradicting(count: int) -> bytes:
    """Two vCPUs that run on all pCPUs at once, over and over."""

    def work(number: int) -> bytes:
        who, at = 1 << 16 | number % 2, 1000 + 10 * number
        return window(
            number * 7 % _PCPUS,
            runs(who, at) + record(xentrace.RUNSTATE_CHANGE | _STOPS, who, tsc=at + 1 + number * 7919 % 5000),
        )

    return b"".join(map(work, range(count)))


def backwards(count: int) -> bytes:
    """Time stamps that fall, within one window."""
    return _one_window(runs(1 << 16 | number % 2, 1000 + count - number) for number in range(count))


def zigzag(count: int) -> bytes:
    """Time stamps that rise and fall, on two pCPUs, each in one window."""
    body = b"".join(runs(1 << 16 | number % 2, 1000 + (number * 7919) % (count + 1)) for number in range(count // 2))
    return window(0, body) + window(1, body) + runs_first()


def late(count: int) -> bytes:
    """Windows in rounds, of which each holds what is older than all that went out."""
    return b"".join(
        window(0, runs(1 << 16, 1_000_000 + number)) + window(1, record(0x0002_8004, 1, 0, tsc=1000 + number))
        for number in range(count // 2)
    )


def far_apart(count: int) -> bytes:
    """Time stamps with years between them."""
    step = (1 << 59) // max(count, 1)
    return _one_window(runs(1 << 16 | number % 2, 1000 + number * step) for number in range(count))


def unstamped(count: int) -> bytes:
    """The smallest records: no time stamp, no words."""
    return _of_one_vcpu([record(0x0020_1004)] * count)


def long(count: int) -> bytes:
    """The largest records of an event that nobody knows."""
    return _of_one_vcpu(record(0x0300_0001, *([number] * 7), tsc=1010 + number) for number in range(count))


def between_windows(count: int) -> bytes:
    """Much that is no window, and looks like one."""
    return runs_first() + struct.pack("<III", _CPU_CHANGE, _WORD_MAX, 0) * count + runs_first()


def windows_cut(count: int) -> bytes:
    """Windows that say they are larger than they are."""
    one = struct.pack("<III", _CPU_CHANGE, 0, 1 << 20)
    return b"".join(one + runs(1 << 16 | number % 2, 1000 + number) for number in range(count))


def exits_open(count: int) -> bytes:
    """Exits and entries of a vCPU that leaves and comes."""

    def work(number: int) -> bytes:
        at = 1000 + 4 * number
        leaves = record(xentrace.RUNSTATE_CHANGE | _STOPS, 1 << 16, tsc=at + 2)
        return runs(1 << 16, at) + record(xentrace.HVM_VMX_EXIT, 12, number, tsc=at + 1) + leaves

    return _one_window(map(work, range(count)))


def guest_addresses(count: int) -> bytes:
    """Page faults, each from another place in the guest's code."""
    return _of_one_vcpu(
        record(0x0020_1104, number << 4 & _WORD_MAX, _WORD_MAX, number * 0x1000 & _WORD_MAX, _WORD_MAX, 2)
        for number in range(count)
    )


MAKERS: dict[str, Callable[[int], bytes]] = {
    maker.__name__: maker
    for maker in (
        restarts,
        restarts_of_many,
        restarts_that_work,
        colliding,
        domains,
        domains_that_work,
        vcpus,
        exit_reasons,
        exit_reasons_of_many,
        irqs,
        irqs_of_pcpus,
        events,
        events_alike,
        hypercalls,
        vmmcalls,
        subops,
        multicalls,
        grants,
        notifications,
        ports,
        addresses,
        roots,
        vectors,
        vectors_of_many,
        traps,
        lost,
        lost_while_many_run,
        removals,
        small_windows,
        empty_windows,
        pcpus,
        contradicting,
        backwards,
        zigzag,
        late,
        far_apart,
        unstamped,
        long,
        between_windows,
        windows_cut,
        exits_open,
        guest_addresses,
    )
}
