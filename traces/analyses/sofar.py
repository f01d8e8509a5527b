"""What a running scan shows so far of a choice: counts by name, which only grow, so that two of them give rates.

Times come as intervals end: a vCPU that runs on without a break shows its time later.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from traces.analyses.counts import exits, notifications, took
from traces.answers import RUNSTATE_NAMES, UNKNOWN, Numbering
from traces.choice.where import Where
from traces.counting.latencies import bounds
from traces.xen.formats.events import (
    HVM_SVM_EXIT,
    HVM_VMX_EXIT,
    PV_HYPERCALL_SUBCALL,
    PV_HYPERCALL_V2,
    RUNSTATE_CHANGE,
)
from traces.xen.formats.names import EVENT_CHANNEL_OP, hypercall_name, hypercall_nr

if TYPE_CHECKING:
    from traces.counting.counted import Counted

#: What goes on after a preemption is no call of its own.
_CALLS = (
    ("hypercalls", PV_HYPERCALL_V2, 1),
    ("subcalls", PV_HYPERCALL_SUBCALL, 1),
    ("restarts", PV_HYPERCALL_V2, -1),
    ("subcall_restarts", PV_HYPERCALL_SUBCALL, -1),
)


@dataclass(slots=True)
class Tally:
    """How often something was done, and the seconds that it took, where that is known."""

    count: int = 0
    seconds: float | None = None

    def add(self, count: int, seconds: float | None = None) -> None:
        """Add some more."""
        self.count += count
        if seconds is not None:
            self.seconds = (self.seconds or 0.0) + seconds


@dataclass(frozen=True)
class SoFar:
    """What is shown so far, by name; ``runstates`` has for each vCPU ("v0") the seconds in each state.

    ``notifications`` are by domids, of who notified whom.

    Where the choice has ``slower``, ``exits`` and ``waits`` are those whose range (``latencies``) is not below it, and
    tell no seconds.
    """

    hypercalls: Mapping[str, Tally] = field(default_factory=dict)
    exits: Mapping[str, Tally] = field(default_factory=dict)
    waits: Mapping[str, Tally] = field(default_factory=dict)
    notifications: Mapping[tuple[int, int], Tally] = field(default_factory=dict)
    runstates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    #: Of KVM: devices' registers, by port or address.
    io: Mapping[str, Tally] = field(default_factory=dict)


def so_far(scan: "Counted", where: Where, hz: float, numbers: Numbering = UNKNOWN) -> SoFar:
    """Read off what a scan shows so far of one domain.

    :param where: names the domain
    :param hz: the clock's rate
    :param numbers: of exit reasons
    """
    return SoFar(
        _hypercalls(scan, where),
        _slow_exits(scan, where, hz, numbers) if where.slower else _exits(scan, where, hz, numbers),
        _waits(scan, where, hz),
        _notifications(scan, where),
        _runstates(scan, where, hz),
    )


def _hypercalls(scan: "Counted", where: Where) -> dict[str, Tally]:
    found: defaultdict[str, Tally] = defaultdict(Tally)
    for table, event, sign in _CALLS:
        for (domid, vcpu), nr, count, *_ in scan.items(table):
            if _is_of(where, domid, vcpu) and where.kinds.keeps(event, hypercall_nr(nr)):
                found[hypercall_name(hypercall_nr(nr))].add(sign * count)
    return dict(found)


def _exits(scan: "Counted", where: Where, hz: float, numbers: Numbering) -> dict[str, Tally]:
    if not (where.kinds.keeps(HVM_VMX_EXIT) or where.kinds.keeps(HVM_SVM_EXIT)):
        return {}
    found: defaultdict[str, Tally] = defaultdict(Tally)
    for (domid, vcpu), key, count, cycles, *_ in exits(scan.items):
        if _is_of(where, domid, vcpu):
            found[numbers.name(key)].add(count, cycles / hz)
    for of in scan.vcpus.values():
        if _is_of(where, of.domid, of.vcpu):
            for key, around in of.exits.items():
                found[numbers.name(key)].add(around.count, around.cycles / hz)
    return dict(found)


def _slow_exits(scan: "Counted", where: Where, hz: float, numbers: Numbering) -> dict[str, Tally]:
    if not (where.kinds.keeps(HVM_VMX_EXIT) or where.kinds.keeps(HVM_SVM_EXIT)):
        return {}
    found: defaultdict[str, Tally] = defaultdict(Tally)
    least = where.slower * hz
    for (domid, vcpu), key, bucket, count in took(scan.items):
        if _is_of(where, domid, vcpu) and bounds(bucket)[1] > least:
            found[numbers.name(key)].add(count)
    for of in scan.vcpus.values():
        if _is_of(where, of.domid, of.vcpu):
            for key, around in of.exits.items():
                found[numbers.name(key)].add(_slower(around.took.counts, least))
    return {name: tally for name, tally in found.items() if tally.count}


def _waits(scan: "Counted", where: Where, hz: float) -> dict[str, Tally]:
    if not where.kinds.keeps(RUNSTATE_CHANGE):
        return {}
    found: dict[str, Tally] = {}
    for of in sorted(scan.vcpus.values(), key=lambda one: one.vcpu):
        for name, waits in (("wake to run", of.wake_to_run), ("preempted", of.preempted_to_run)):
            if _is_of(where, of.domid, of.vcpu) and waits.counts:
                count = _slower(waits.counts, where.slower * hz)
                found[f"{name} v{of.vcpu}"] = Tally(count, None if where.slower else waits.cycles / hz)
    return found


def _slower(counts: Mapping[int, int], least: float) -> int:
    return sum(count for bucket, count in counts.items() if bounds(bucket)[1] > least)


def _notifications(scan: "Counted", where: Where) -> dict[tuple[int, int], Tally]:
    if where.vcpus or not where.kinds.keeps(PV_HYPERCALL_V2, EVENT_CHANNEL_OP):
        return {}
    return {
        (source, target): Tally(count)
        for (source, target), count in notifications(scan).items()
        if where.domid in (source, target)
    }


def _runstates(scan: "Counted", where: Where, hz: float) -> dict[str, dict[str, float]]:
    if not where.kinds.keeps(RUNSTATE_CHANGE):
        return {}
    return {
        f"v{of.vcpu}": {
            name: (cycles + clipped) / hz
            for name, (_, cycles, clipped) in zip(RUNSTATE_NAMES, of.runstates, strict=True)
            if name == "running" or not where.pcpus
        }
        for of in sorted(scan.vcpus.values(), key=lambda one: one.vcpu)
        if _is_of(where, of.domid, of.vcpu)
    }


def _is_of(where: Where, domid: int, vcpu: int) -> bool:
    return domid == where.domid and (not where.vcpus or vcpu in where.vcpus)
