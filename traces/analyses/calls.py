"""How long hypercalls took, as far as a trace can tell.

Xen records where a hypercall begins and not where it ends. Of a PVH or HVM guest it is known all the same: the VM exit
and the VM entry around it are recorded, so its time is exact. Of a PV guest there is an upper bound: the next record
that is made only on entry from the guest proves that the hypercall had returned, some time before.

Law: nothing is told of a hypercall during which the vCPU was descheduled, or which Xen preempted; those are counted.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED, Elapsed
from traces.answers import Report
from traces.counting.latencies import Distribution, distribution
from traces.table import EventTable
from traces.xen.find import hypercall_nrs, restarts
from traces.xen.formats import events as xentrace
from traces.xen.formats.names import hypercall_name

#: Made on entry from a PV guest only. Others of the class (paging_fixup, gdt_ldt_mapping_fault) Xen may also make
#: within a hypercall, when it reads the guest's memory.
_FROM_GUEST = (0x201001, 0x201003, 0x201004, 0x201005, 0x201006, 0x201008, 0x20100B, 0x20100C, 0x20100D)
_FLAGS = np.uint32(xentrace.FLAG_64 | xentrace.FLAG_NESTED)
# What a row is, beside a hypercall's number; that of a VMMCALL is above _VMMCALL.
_GUEST, _LEFT, _EXIT, _ENTRY, _RESTART = -1, -2, -3, -4, -5
_VMMCALL = 1 << 32
#: Hypercalls by vCPU and number, of which times are kept: beyond these, as of a hostile trace, nothing is told.
_KINDS_MAX = 1 << 14
# Hypercall 0, which must not look like a row that tells nothing.
_ZERO = -9


@dataclass(frozen=True, slots=True)
class CallTimes:
    """The hypercalls of one number of one vCPU.

    ``bound`` says what ``latency`` is of: "exact" or "upper"; of ``unknown`` others nothing can be said.
    """

    domid: int
    vcpu: int
    nr: int
    name: str
    bound: str
    latency: Distribution
    unknown: int


def read(tables: Iterable[EventTable], report: Report) -> tuple[CallTimes, ...]:
    """Read a trace again, for the hypercalls of what a report is about.

    :param report: on the same trace
    """
    reader = _Reader(report)
    for table in tables:
        for piece in table.pieces():
            reader.feed(piece)
    return reader.finish()


class _Reader:
    def __init__(self, report: Report) -> None:
        self._where, self._hz = report.where, report.clock.hz
        # Of no others is anything kept.
        known = (domain.domid << 16 | vcpu.vcpu for domain in report.domains for vcpu in domain.vcpus)
        self._known = np.sort(np.fromiter(known, np.int64))
        self._elapsed = Elapsed()
        # Of each vCPU, its last two rows: key, what it is, cycles, whether it is wanted.
        self._carry = tuple(np.empty(0, np.int64) for _ in range(4))
        #: By vCPU and number.
        self._buckets: dict[tuple[int, int], Counter[int]] = {}
        self._sums: Counter[tuple[int, int]] = Counter()
        self._longest: Counter[tuple[int, int]] = Counter()
        self._unknown: Counter[tuple[int, int]] = Counter()

    def feed(self, table: EventTable) -> None:
        cycles = self._elapsed.of(table)
        rows, what = _relevant(table, cycles)
        there = _are_in(self._known, table.domid[rows].astype(np.int64) << 16 | table.vcpu[rows])
        rows, what = rows[there], what[there]
        wanted = np.zeros(len(table), np.int64)
        wanted[self._where.rows(table, cycles, self._hz)] = 1
        keys = table.domid[rows].astype(np.int64) << 16 | table.vcpu[rows]
        carried = len(self._carry[0])
        found = (keys, what, cycles[rows], wanted[rows])
        columns = [np.concatenate(pair) for pair in zip(self._carry, found, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        key, is_, at, chosen = (column[order] for column in columns)
        new = order >= carried
        if len(key) < 2:
            self._carry = key, is_, at, chosen
            return
        follows = key[1:] == key[:-1]
        # A PV guest's: from one row to the next, if that is new.
        calls = np.flatnonzero(follows & (is_[:-1] >= 0) & (is_[:-1] < _VMMCALL) & (chosen[:-1] > 0) & new[1:])
        told = (is_[calls + 1] == _GUEST) | (is_[calls + 1] >= 0)
        self._add(key[calls], is_[calls], (at[calls + 1] - at[calls])[told], told)
        # A VMMCALL stands between its exit and its entry.
        calls = np.flatnonzero(follows & (is_[:-1] >= _VMMCALL) & (chosen[:-1] > 0) & new[1:])
        told = (calls > 0) & (is_[calls - 1] == _EXIT) & (key[calls - 1] == key[calls]) & (is_[calls + 1] == _ENTRY)
        self._add(key[calls], is_[calls], (at[calls + 1] - at[calls - 1])[told], told)
        last = np.append(~follows, True)
        kept = last | np.append(last[1:] & follows, False)
        self._carry = key[kept], is_[kept], at[kept], chosen[kept]

    def _add(
        self, keys: NDArray[np.int64], what: NDArray[np.int64], took: NDArray[np.int64], told: NDArray[np.bool_]
    ) -> None:
        for one in zip(keys[~told].tolist(), what[~told].tolist(), strict=True):
            if self._has_room(one):
                self._unknown[one] += 1
        took = np.maximum(took, 0)
        places = np.frexp((took | 8).astype(np.float64))[1].astype(np.int64) - 4
        buckets = 8 * places + (took >> places)
        for key, nr, bucket, cycles in zip(
            keys[told].tolist(), what[told].tolist(), buckets.tolist(), took.tolist(), strict=True
        ):
            one = (key, nr)
            if not self._has_room(one):
                continue
            self._buckets.setdefault(one, Counter())[bucket] += 1
            self._sums[one] += cycles
            self._longest[one] = max(self._longest[one], cycles)

    def _has_room(self, one: tuple[int, int]) -> bool:
        known = one in self._buckets or one in self._unknown
        return known or len(self._buckets) + len(self._unknown) < _KINDS_MAX

    def finish(self) -> tuple[CallTimes, ...]:
        return tuple(
            CallTimes(
                key >> 16,
                key & 0xFFFF,
                nr % _VMMCALL,
                hypercall_name(nr % _VMMCALL),
                "exact" if nr >= _VMMCALL else "upper",
                distribution(self._buckets.get((key, nr), {}), self._longest[key, nr], self._sums[key, nr], self._hz),
                self._unknown[key, nr],
            )
            for key, nr in sorted(self._buckets.keys() | self._unknown.keys())
        )


def _are_in(known: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(keys), bool)
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys
    return found


def _relevant(table: EventTable, cycles: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    # The rows that tell something, and what each is.
    plain = table.event & ~_FLAGS
    what = np.zeros(len(table), np.int64)
    what[np.isin(plain, _FROM_GUEST)] = _GUEST
    what[(plain == xentrace.HVM_VMX_EXIT) | (plain == xentrace.HVM_SVM_EXIT)] = _EXIT
    what[plain == xentrace.HVM_VMENTRY] = _ENTRY
    changes = table.event & ~np.uint32(xentrace.RUNSTATE_BITS) == xentrace.RUNSTATE_CHANGE
    what[changes & (table.event >> xentrace.RUNSTATE_OLD_SHIFT & 3 == 0)] = _LEFT
    for event, above in ((xentrace.PV_HYPERCALL_V2, 0), (xentrace.HVM_VMMCALL, _VMMCALL)):
        calls = np.flatnonzero((table.event == event) & (table.words > 0))
        nr = table.word(calls, 0)
        what[calls] = (nr & xentrace.HYPERCALL_OP_MASK if not above else hypercall_nrs(nr)).astype(np.int64) + above
        if not above:
            what[calls[restarts(table, calls)]] = _RESTART
        what[calls] = np.where(what[calls] == 0, _ZERO, what[calls])
    known = (what != 0) & (table.domid != UNKNOWN_DOMID) & (cycles != UNTIMED)
    rows = np.flatnonzero(known)
    return rows, np.where(what[rows] == _ZERO, 0, what[rows])
