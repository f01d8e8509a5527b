"""How often what happened, by vCPU: what a ``scan`` counted, read off.

What Xen records of a hypercall is its number and at most two small arguments (common/trace.c, __trace_hypercall);
see ``formats.names.SUBOPS`` for those that are sub-operations.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import TYPE_CHECKING

from traces.answers import Batches
from traces.plain import field, mutable
from traces.xen.formats import events as xentrace
from traces.xen.formats.exits import AMDS_ID, NESTED
from traces.xen.formats.names import hypercall_nr

if TYPE_CHECKING:
    from traces.counting.counted import Counted, Item

_CMD_BITS = 12
_BUCKET_BITS = 9
#: What the names of the tables of exits begin with, and what that says of them.
_FLAVOURS = {"": 0, "nested_": NESTED, "amds_": AMDS_ID, "amds_nested_": AMDS_ID | NESTED}
#: Stands for the flags of a negative reason.
_SIGNS = 0x7F

VcpuKey = tuple[int, int]
#: Reads off a table, by its name.
Items = Callable[[str], Iterable["Item"]]
#: Hosts have some hundred.
VCPUS_MAX = 1 << 13


@mutable
class Accesses:
    """How often a guest read and wrote what Xen emulates."""

    reads: int = 0
    writes: int = 0


@mutable
class Handled:
    """Exits or interrupts of one kind: how many, and cycles in Xen of those that ended, by bucket too."""

    count: int = 0
    cycles: int = 0
    longest: int = 0
    took: Counter[int] = field(default_factory=Counter)

    def add(self, count: int, cycles: int, longest: int) -> None:
        """Add some more."""
        self.count += count
        self.cycles += cycles
        self.longest = max(self.longest, longest)


@mutable
class Counts:
    """What one vCPU did: event ids without flags, hypercall numbers, trap vectors."""

    events: Counter[int] = field(default_factory=Counter)
    hypercalls: Counter[int] = field(default_factory=Counter)
    #: Calls in multicalls, by their numbers.
    subcalls: Counter[int] = field(default_factory=Counter)
    #: Of both, records of ones that went on after they were preempted, which these two leave out.
    restarts: Counter[int] = field(default_factory=Counter)
    subcall_restarts: Counter[int] = field(default_factory=Counter)
    #: By number, then sub-operation.
    subops: defaultdict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    batches: dict[int, Batches] = field(default_factory=dict)
    traps: Counter[int] = field(default_factory=Counter)
    #: Emulated accesses by kind ("port" or "memory") and address.
    io: defaultdict[tuple[str, int], Accesses] = field(default_factory=lambda: defaultdict(Accesses))
    #: Writes of cr3, by the address of the page table that they chose.
    roots: Counter[int] = field(default_factory=Counter)
    #: Interrupts that an HVM guest was given, by vector.
    injections: Counter[int] = field(default_factory=Counter)
    #: By ``formats.exits.key_of``, those during which the run state did not change.
    exits: defaultdict[int, Handled] = field(default_factory=lambda: defaultdict(Handled))
    #: File offsets of the first record of each, by "events" (without flags), "hypercalls" or "subcalls", and number.
    firsts: dict[tuple[str, int], int] = field(default_factory=dict)

    def note(self, table: str, value: int, offset: int) -> None:
        """Take note of where something is first."""
        self.firsts[table, value] = min(offset, self.firsts.get((table, value), offset))


def busiest(scan: "Counted") -> tuple[frozenset[VcpuKey], int]:
    """Give the vCPUs (domid, vcpu) that a scan has heard of so far, and of how many it has beyond ``VCPUS_MAX``.

    Those that are left out have the fewest records.
    """
    records: Counter[VcpuKey] = Counter()
    for who, _, count, *_ in scan.items("events"):
        records[who] += count
    records.update({(of.domid, of.vcpu): 0 for of in scan.vcpus.values()})
    if len(records) <= VCPUS_MAX:
        return frozenset(records), 0
    kept = nsmallest(VCPUS_MAX, records, key=lambda who: (-records[who], who))
    return frozenset(kept), len(records) - VCPUS_MAX


def by_vcpu(scan: "Counted", vcpus: frozenset[VcpuKey] | None = None) -> dict[VcpuKey, Counts]:
    """Read off what each vCPU (domid, vcpu) did so far, of what was chosen.

    :param vcpus: only these
    """

    def items(table: str) -> "Iterator[Item]":
        return (item for item in scan.items(table) if vcpus is None or item[0] in vcpus)

    found: defaultdict[VcpuKey, Counts] = defaultdict(Counts)
    for who, event, count, _, _, first in items("events"):
        base = xentrace.base_id(event)
        found[who].events[base] += count
        found[who].note("events", base, first)
    for who, called, count, _, _, first in items("hypercalls"):
        nr = hypercall_nr(called)
        found[who].hypercalls[nr] += count
        found[who].note("hypercalls", nr, first)
    for who, nr, count, _, _, first in items("subcalls"):
        found[who].subcalls[nr] += count
        found[who].note("subcalls", nr, first)
    for who, nr, count, *_ in items("restarts"):
        found[who].restarts[nr] += count
        found[who].hypercalls[nr] -= count
    for who, nr, count, *_ in items("subcall_restarts"):
        found[who].subcall_restarts[nr] += count
        found[who].subcalls[nr] -= count
    for who, value, count, *_ in items("subops"):
        found[who].subops[value >> _CMD_BITS][value & (1 << _CMD_BITS) - 1] += count
    for who, vector, count, *_ in items("traps"):
        found[who].traps[vector] += count
    for who, nr, calls, asked, *_ in items("batches"):
        known = found[who].batches.get(nr, Batches(0, 0))
        found[who].batches[nr] = Batches(known.calls + calls, known.items + asked)
    for who, vector, count, *_ in items("injections"):
        found[who].injections[vector] += count
    for who, key, count, cycles, longest, _ in exits(items):
        found[who].exits[key].add(count, cycles, longest)
    for who, key, bucket, count in took(items):
        # Of a kind that had no place none is told.
        if key in found[who].exits:
            found[who].exits[key].took[bucket] += count
    _emulated(items, found)
    return dict(found)


def _emulated(items: Items, found: Mapping[VcpuKey, Counts]) -> None:
    for table, kind, shift in (("port", "port", 0), ("memory", "memory", 0), ("high", "memory", 12)):
        for who, place, count, *_ in items(f"{table}_reads"):
            found[who].io[kind, place << shift].reads += count
        for who, place, count, *_ in items(f"{table}_writes"):
            found[who].io[kind, place << shift].writes += count
    for who, root, count, *_ in items("roots"):
        found[who].roots[root << 12] += count


def grants(scan: "Counted", table: str) -> Counter[tuple[int, int]]:
    """Read off "maps" or "unmaps": counts by mapper and granter (domids)."""
    found: Counter[tuple[int, int]] = Counter()
    for (mapper, _vcpu), granter, count, *_ in scan.items(table):
        found[mapper, granter] += count
    return found


def first_grants(scan: "Counted", table: str) -> dict[tuple[int, int], int]:
    """Read off "maps" or "unmaps": file offsets of the first, by mapper and granter (domids)."""
    found: dict[tuple[int, int], int] = {}
    for (mapper, _vcpu), granter, *_, first in scan.items(table):
        found[mapper, granter] = min(first, found.get((mapper, granter), first))
    return found


def notifications(scan: "Counted") -> Counter[tuple[int, int]]:
    """Read off the inferred notifications: counts by who notified whom (domids)."""
    found: Counter[tuple[int, int]] = Counter()
    for (source, _vcpu), target, count, *_ in scan.items("notifications"):
        found[source, target] += count
    return found


def irqs(scan: "Counted") -> dict[tuple[int, int], Handled]:
    """Read off the hardware interrupts: by pCPU and number, how many, and the cycles that Xen took to handle them."""
    found: defaultdict[tuple[int, int], Handled] = defaultdict(Handled)
    for (_, pcpu), irq, count, cycles, longest, _ in scan.items("irqs"):
        found[pcpu, irq].add(count, cycles, longest)
    for (_, pcpu), value, count, *_ in scan.items("irq_took"):
        found[pcpu, value >> _BUCKET_BITS].took[value & (1 << _BUCKET_BITS) - 1] += count
    return dict(found)


def exits(items: Items) -> "Iterator[Item]":
    """Read off the exits without a change of run state, as ``items`` does; values are ``formats.exits.key_of``.

    :param items: ``Counted.items``, or what chooses of them
    """
    for table, flags in _FLAVOURS.items():
        for who, reason, count, cycles, longest, first in items(f"{table}exits"):
            yield who, reason | flags, count, cycles, longest, first


def took(items: Items) -> Iterator[tuple[VcpuKey, int, int, int]]:
    """Read off how long those took that ended: vCPU, ``formats.exits.key_of``, bucket and count.

    None of reasons that no processor has.
    """
    for table, flags in _FLAVOURS.items():
        for who, value, count, *_ in items(f"{table}took"):
            yield who, _unsqueezed(value >> _BUCKET_BITS) | flags, value & (1 << _BUCKET_BITS) - 1, count


def _unsqueezed(reason: int) -> int:
    # Turns ``lane.squeezed`` round.
    low, flags = reason & 0xFFFF, reason >> 16
    return (0xFFFF if flags == _SIGNS else flags << 9) << 16 | low


def kinds(scan: "Counted") -> dict[int, set[int]]:
    """Say which events each domain (domid) has, whatever was chosen of it."""
    events: defaultdict[int, set[int]] = defaultdict(set)
    for (domid, _vcpu), event, *_ in scan.items("events", everything=True):
        events[domid].add(xentrace.base_id(event))
    return dict(events)


def unknown_events(scan: "Counted") -> tuple[int, int]:
    """Count records of events that are not declared, and give the file offset of the first; (0, 0) if all are."""
    found = [
        (count, first)
        for _, event, count, _, _, first in scan.items("events", everything=True)
        if xentrace.base_id(event) not in xentrace.BY_ID
    ]
    return sum(count for count, _ in found), min((first for _, first in found), default=0)
