"""Which records somebody wants to see: of a domain, on a pCPU, of some kinds, in a stretch of time.

``-e`` as in strace: names separated by commas; ``!`` takes one away. A name is a class of ``traces.filters``, an event
(``sched_switch``) or a hypercall (``mmu_update``).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from traces.filters import CLASSES, HYPERCALL_EVENTS, classes_of
from traces.formats.names import HYPERCALLS, hypercall_name
from traces.formats.xentrace import EVENTS, HYPERCALL_OP_MASK, event_name
from traces.table import EventTable

_HYPERCALL_NAMES = {hypercall_name(nr) for nr in HYPERCALLS}
_NAMES = {*CLASSES, *_HYPERCALL_NAMES, *(event.name for event in EVENTS), "all"}
#: Whose first word says which hypercall it is: all but those of Xen before 4.2.
_HYPERCALL_IDS = sorted(HYPERCALL_EVENTS - {0x0020_1001})
#: Stands for "no hypercall" where numbers of hypercalls are.
_NONE = 0xFFFFFFFF
_FOREVER = float("inf")


@dataclass(frozen=True)
class Kinds:
    """What ``-e`` named: given ones without those taken away."""

    given: frozenset[str]
    taken: frozenset[str]

    def keep(self, names: frozenset[str]) -> bool:
        """Decide on a record that goes by these names."""
        return bool(names & self.given) and not names & self.taken


def kinds(text: str) -> Kinds:
    """Read the value of ``-e``. A list that only takes away begins with all.

    :raises ValueError: a name is unknown; the message says what names there are
    """
    terms = [term.strip() for term in text.split(",")]
    taken = frozenset(term[1:].strip() for term in terms if term.startswith("!"))
    given = frozenset(term for term in terms if not term.startswith("!")) or frozenset({"all"})
    for name in sorted(taken | given):
        if name not in _NAMES:
            raise ValueError(
                f"{name!r} is no class of events ({', '.join(CLASSES)}, all), no event and no hypercall that Xen has"
            )
    return Kinds(given, taken)


@dataclass(frozen=True)
class Where:
    """A choice of records; None and the defaults choose all. Times are seconds since the first record."""

    domid: int | None = None
    vcpus: frozenset[int] = frozenset()
    pcpus: frozenset[int] = frozenset()
    kinds: Kinds | None = None
    begin: float = 0.0
    end: float = _FOREVER
    _known: dict[tuple[int, int], bool] = field(default_factory=dict, init=False, compare=False, repr=False)

    def rows(self, table: EventTable, ns: NDArray[np.int64]) -> NDArray[np.intp]:
        """Give the chosen rows of a table.

        :param ns: of each row, nanoseconds since the first record; what has no time (negative) counts as of time 0
        """
        chosen = np.ones(len(table), bool)
        if self.domid is not None:
            chosen &= table.domid == self.domid
        if self.vcpus:
            chosen &= np.isin(table.vcpu, list(self.vcpus))
        if self.pcpus:
            chosen &= np.isin(table.pcpu, list(self.pcpus))
        if self.begin > 0:
            chosen &= ns >= self.begin * 1e9
        if self.end < _FOREVER:
            chosen &= ns < self.end * 1e9
        rows = np.flatnonzero(chosen)
        return rows if self.kinds is None else rows[self._of_kinds(self.kinds, table, rows)]

    def _of_kinds(self, wanted: Kinds, table: EventTable, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        keys = table.event[rows].astype(np.uint64) << np.uint64(32) | _hypercalls(table, rows)
        distinct, places = np.unique(keys, return_inverse=True)
        return np.array([self._keep(wanted, key >> 32, key & _NONE) for key in distinct.tolist()], bool)[places]

    def _keep(self, wanted: Kinds, event: int, hypercall: int) -> bool:
        if (event, hypercall) not in self._known:
            self._known[event, hypercall] = wanted.keep(names_of(event, None if hypercall == _NONE else hypercall))
        return self._known[event, hypercall]


def names_of(event: int, hypercall: int | None) -> frozenset[str]:
    """Give all names by which ``-e`` can mean a record.

    :param hypercall: its number, for the record of one
    """
    called = frozenset() if hypercall is None else frozenset({hypercall_name(hypercall)})
    return classes_of(event, hypercall) | called | {event_name(event), "all"}


def _hypercalls(table: EventTable, rows: NDArray[np.intp]) -> NDArray[np.uint64]:
    found = np.full(len(rows), _NONE, np.uint64)
    told = np.isin(table.event[rows], _HYPERCALL_IDS) & (table.words[rows] > 0)
    found[told] = table.word(rows[told], 0) & HYPERCALL_OP_MASK
    return found
