"""Which records somebody wants to see: of a domain, on a pCPU, of some kinds, in a stretch of time.

``-e`` as in strace: names separated by commas; ``!`` takes one away. A name is a class of ``traces.choice.classes``, an
event (``sched_switch``) or a hypercall (``mmu_update``).
"""

import math
from functools import cache, cached_property
from typing import TYPE_CHECKING, cast

from traces.choice.classes import ALL_EVENTS, CLASSES, HYPERCALL_EVENTS, classes_of, mask_for
from traces.plain import field, frozen
from traces.xen.formats.names import HYPERCALLS, HYPERV, HYPERV_CALLS, hypercall_name, hypercall_nr

if TYPE_CHECKING:
    # A report needs no columns, and they are slow to load; so are the layouts, without which all records can be chosen.
    import numpy as np
    from numpy.typing import NDArray

    from traces.kvm.table import RecordTable
    from traces.table import EventTable

#: Whose first word says which hypercall it is: all but those of Xen before 4.2.
_HYPERCALL_IDS = sorted(HYPERCALL_EVENTS - {0x0020_1001})
#: An HVM guest's.
_VMMCALL = 0x0008_2012
_HYPERV_NUMBERS = [HYPERV | code for code in HYPERV_CALLS]
#: Stands for "no hypercall" where numbers of hypercalls are.
_NONE = 0xFFFFFFFF
#: Kinds of records that are remembered; a hostile trace has a new one with each.
_KNOWN_MAX = 1 << 16
_SUBCLASS = 0xFFFF_F000
_FOREVER = float("inf")
#: What 64 bits hold with a sign, and no trace's clock reaches.
_CYCLES_MAX = float(1 << 62)


@frozen
class Kinds:
    """What ``-e`` named: given ones without those taken away."""

    given: frozenset[str] = frozenset({"all"})
    taken: frozenset[str] = frozenset()

    def keep(self, names: frozenset[str]) -> bool:
        """Decide on a record that goes by these names, see ``names_of``."""
        return bool(names & self.given) and not names & self.taken

    def keeps(self, event: int, hypercall: int | None = None) -> bool:
        """Decide on a record of an event and, if it is one, hypercall."""
        return self.keep(names_of(event, hypercall))

    @property
    def all(self) -> bool:
        """Whether every record is wanted."""
        return "all" in self.given and not self.taken

    @cached_property
    def mask(self) -> int:
        """Xen's event mask that records them, and what a report needs besides; it may let more through."""
        return (
            ALL_EVENTS if self.all else mask_for(event & _SUBCLASS for event, nr in _known() if self.keeps(event, nr))
        )

    @property
    def classes(self) -> frozenset[str]:
        """The classes of which all are wanted, by their own names."""
        return frozenset(name for name in CLASSES if self.keep(frozenset({name, "all"})))

    def __str__(self) -> str:
        """Say it as ``-e`` does."""
        given = sorted(self.given) if self.given != {"all"} or not self.taken else []
        return ",".join([*given, *(f"!{name}" for name in sorted(self.taken))])


def kinds(text: str) -> Kinds:
    """Read the value of ``-e``. A list that only takes away begins with all.

    :raises ValueError: a name is unknown, or nothing is left; the message says what names there are
    """
    if text == "all":
        return Kinds()
    terms = [term.strip() for term in text.split(",")]
    taken = frozenset(term[1:].strip() for term in terms if term.startswith("!"))
    given = frozenset(term for term in terms if not term.startswith("!")) or frozenset({"all"})
    for name in sorted(taken | given):
        if name not in _names():
            from traces.meant import meant  # noqa: PLC0415 - for mistakes alone

            raise ValueError(
                f"{name!r} is no class of events ({', '.join(CLASSES)}, all), no event and no hypercall that Xen has"
                f"{meant(name, _names())}"
            )
    found = Kinds(given, taken)
    if not any(found.keeps(event, nr) for event, nr in _known()):
        raise ValueError(f"{text!r} leaves no events; the classes are {', '.join(CLASSES)}, all")
    return found


@frozen
class Where:
    """A choice of records; the defaults choose all. Times are seconds since the first record."""

    domid: int | None = None
    vcpus: frozenset[int] = frozenset()
    pcpus: frozenset[int] = frozenset()
    kinds: Kinds = Kinds()
    begin: float = 0.0
    end: float = _FOREVER
    #: Only records that end a wait for a pCPU, or a VM exit, that took so many seconds or more.
    slower: float = 0.0
    _known: dict[tuple[int, int], bool] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def timed(self) -> bool:
        """Whether only a stretch of time is wanted."""
        return self.begin > 0 or self.end < _FOREVER

    def cycles(self, hz: float) -> tuple[int, int | None]:
        """Give the stretch of time in cycles since the first record: the first that is in it, and the first after.

        :param hz: cycles a second
        """
        begin, end = (min(at * hz, _CYCLES_MAX) for at in (self.begin, self.end))
        return math.ceil(begin), None if self.end == _FOREVER else math.ceil(end)

    def rows(self, table: "EventTable | RecordTable", cycles: "NDArray[np.int64]", hz: float) -> "NDArray[np.intp]":
        """Give the chosen rows of a table, however long what they end took.

        :param cycles: of each row, since the first record; what has no time (negative) counts as of time 0
        """
        import numpy as np  # noqa: PLC0415 - see above

        chosen = np.ones(len(table), bool)
        if self.domid is not None:
            chosen &= table.domid == self.domid
        if self.vcpus:
            chosen &= np.isin(table.vcpu, list(self.vcpus))
        if self.pcpus:
            chosen &= np.isin(table.pcpu, list(self.pcpus))
        begin, end = self.cycles(hz)
        if begin > 0:
            chosen &= cycles >= begin
        if end is not None:
            chosen &= cycles < end
        rows = np.flatnonzero(chosen)
        # -e names what Xen records; of KVM's tables all kinds are wanted.
        return rows if self.kinds.all else rows[self._of_kinds(cast("EventTable", table), rows)]

    def keeps(self, event: int, words: int, payload: bytes) -> bool:
        """Decide on a record by its kind alone, not by whose it is nor by its time."""
        from traces.xen.formats.events import HYPERCALL_OP_MASK  # noqa: PLC0415 - see above

        if self.kinds.all:
            return True
        hypercall = _NONE
        if event in _HYPERCALL_IDS and words:
            hypercall = int.from_bytes(payload[:4], "little")
            # An HVM guest's has nothing above its number, but for Hyper-V's.
            hypercall = hypercall_nr(hypercall) if event == _VMMCALL else hypercall & HYPERCALL_OP_MASK
        return self._keep(event, hypercall)

    def __str__(self) -> str:
        """Say it in words, without the domain; nothing for all."""
        parts = [f"vCPU {vcpu}" for vcpu in sorted(self.vcpus)] + [f"pCPU {pcpu}" for pcpu in sorted(self.pcpus)]
        parts += [] if self.kinds.all else [f"-e {self.kinds}"]
        parts += [f"from {self.begin:g} s on"] if self.begin else []
        parts += [f"before {self.end:g} s"] if self.end < _FOREVER else []
        parts += [f"what took {self.slower:g} s or more"] if self.slower else []
        return ", ".join(parts)

    def _of_kinds(self, table: "EventTable", rows: "NDArray[np.intp]") -> "NDArray[np.bool_]":
        import numpy as np  # noqa: PLC0415 - a summary needs none

        keys = table.event[rows].astype(np.uint64) << np.uint64(32) | _hypercalls(table, rows)
        distinct, places = np.unique(keys, return_inverse=True)
        return np.array([self._keep(key >> 32, key & _NONE) for key in distinct.tolist()], bool)[places]

    def _keep(self, event: int, hypercall: int) -> bool:
        if (event, hypercall) not in self._known:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[event, hypercall] = self.kinds.keeps(event, None if hypercall == _NONE else hypercall)
        return self._known[event, hypercall]


#: Chooses all.
EVERYTHING = Where()


def names_of(event: int, hypercall: int | None = None) -> frozenset[str]:
    """Give all names by which ``-e`` can mean a record.

    :param hypercall: its number, for the record of one
    """
    from traces.xen.formats.events import event_name  # noqa: PLC0415 - see above

    called = frozenset() if hypercall is None else frozenset({hypercall_name(hypercall)})
    return classes_of(event, hypercall) | called | {event_name(event), "all"}


def _hypercalls(table: "EventTable", rows: "NDArray[np.intp]") -> "NDArray[np.uint64]":
    import numpy as np  # noqa: PLC0415 - a summary needs none

    from traces.xen.find import hypercall_nrs  # noqa: PLC0415 - as numpy
    from traces.xen.formats.events import HYPERCALL_OP_MASK  # noqa: PLC0415 - see above

    found = np.full(len(rows), _NONE, np.uint64)
    told = np.isin(table.event[rows], _HYPERCALL_IDS) & (table.words[rows] > 0)
    found[told] = table.word(rows[told], 0) & HYPERCALL_OP_MASK
    hvm = told & (table.event[rows] == _VMMCALL)
    found[hvm] = hypercall_nrs(table.word(rows[hvm], 0))
    return found


@cache
def _names() -> frozenset[str]:
    from traces.xen.formats.events import EVENTS  # noqa: PLC0415 - see above

    hypercalls = (hypercall_name(nr) for nr in (*HYPERCALLS, *_HYPERV_NUMBERS))
    return frozenset({*CLASSES, *hypercalls, *(event.name for event in EVENTS), "all"})


def catalogue() -> dict[str, list[str]]:
    """Give all names that ``-e`` takes besides the classes: events and hypercalls by class, under "" those in none."""
    from traces.xen.formats.events import event_name  # noqa: PLC0415 - see above

    found: dict[str, set[str]] = {name: set() for name in (*CLASSES, "")}
    for event, nr in _known():
        for name in classes_of(event, nr) or {""}:
            found[name].add(event_name(event) if nr is None else hypercall_name(nr))
    # What Hyper-V has comes last.
    return {name: sorted(names, key=lambda one: (one[:1].isupper(), one)) for name, names in found.items()}


@cache
def _known() -> tuple[tuple[int, int | None], ...]:
    # All that Xen can record: event, and the number of the hypercall where it is one.
    from traces.xen.formats.events import EVENTS  # noqa: PLC0415 - see above

    return (
        *((event.id, None) for event in EVENTS),
        *((event, nr) for event in _HYPERCALL_IDS for nr in HYPERCALLS),
        *((_VMMCALL, nr) for nr in _HYPERV_NUMBERS),
    )
