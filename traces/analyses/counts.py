"""How often what happened, by vCPU: what ``tally`` counted, read off.

What Xen records of a hypercall is its number and at most two small arguments (common/trace.c, __trace_hypercall);
see ``formats.names.SUBOPS`` for those that are sub-operations.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from traces.analyses.tally import Table, Tally
from traces.formats import xentrace
from traces.table import UNKNOWN_DOMID

_CMD_BITS = 12

VcpuKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Batches:
    """How often a batching hypercall was made, and how many operations those calls asked for."""

    calls: int
    items: int


@dataclass(slots=True)
class Counts:
    """What one vCPU did: event ids without flags, hypercall numbers, trap vectors."""

    events: Counter[int] = field(default_factory=Counter)
    hypercalls: Counter[int] = field(default_factory=Counter)
    #: Calls in multicalls, by their numbers.
    subcalls: Counter[int] = field(default_factory=Counter)
    #: By number, then sub-operation.
    subops: defaultdict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    batches: dict[int, Batches] = field(default_factory=dict)
    traps: Counter[int] = field(default_factory=Counter)


def by_vcpu(tally: Tally) -> dict[VcpuKey, Counts]:
    """Read off what each vCPU (domid, vcpu) did so far."""
    found: defaultdict[VcpuKey, Counts] = defaultdict(Counts)
    for who, event, count, _ in tally.events.items():
        found[who].events[xentrace.base_id(event)] += count
    for who, nr, count, _ in tally.hypercalls.items():
        found[who].hypercalls[nr] = count
    for who, nr, count, _ in tally.subcalls.items():
        found[who].subcalls[nr] = count
    for who, value, count, _ in tally.subops.items():
        found[who].subops[value >> _CMD_BITS][value & (1 << _CMD_BITS) - 1] = count
    for who, vector, count, _ in tally.traps.items():
        found[who].traps[vector] = count
    items = {(who, nr): count for who, nr, count, _ in tally.batch_items.items()}
    for who, nr, calls, _ in tally.batch_calls.items():
        found[who].batches[nr] = Batches(calls, items[who, nr])
    return dict(found)


def grants(table: Table) -> Counter[tuple[int, int]]:
    """Read off ``Tally.maps`` or ``unmaps``: counts by mapper and granter (domids)."""
    found: Counter[tuple[int, int]] = Counter()
    for (mapper, _vcpu), granter, count, _ in table.items():
        if mapper != UNKNOWN_DOMID:
            found[mapper, granter] += count
    return found


def unknown_events(tally: Tally) -> tuple[int, int]:
    """Count records of events that are not declared, and give the file offset of the first; (0, 0) if all are."""
    found = [
        (count, first)
        for _, event, count, first in tally.events.items()
        if xentrace.base_id(event) not in xentrace.BY_ID
    ]
    return sum(count for count, _ in found), min((first for _, first in found), default=0)


def uncounted(tally: Tally) -> int:
    """Say how many records had no place of their own in a table: a real trace has none, see ``KINDS_MAX``."""
    tables = (tally.events, tally.hypercalls, tally.subcalls, tally.subops, tally.traps, tally.maps, tally.unmaps)
    return sum(table.uncounted for table in (*tables, tally.batch_calls))
