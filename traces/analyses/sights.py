"""How what vCPUs do is found in tables of records, by who recorded them: Xen or KVM.

Analyses that take tables ask here for what tells intervals, and for what is counted, and need not know whose they are.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import Interval, Intervals, TimedExit
from traces.analyses.occupancy import Occupancy, Stretch
from traces.analyses.threads import ThreadIntervals, ThreadOccupancy
from traces.kvm import find as of_kvm
from traces.plain import frozen
from traces.xen import find as of_xen
from traces.xen.formats import events as xentrace

#: Either kind of tables: whoever finds something in one is only given its own.
Table = Any
#: Rows of a table, and of each a number that tells it apart from others.
Finder = Callable[[Table], tuple[NDArray[np.intp], NDArray[np.integer[Any]]]]


class TellsIntervals(Protocol):
    """As ``intervals.Intervals``."""

    def feed(self, table: Table, cycles: NDArray[np.int64], elapsed: Elapsed) -> None:
        """Take the next table and its cycles."""

    def finish(self, end: int) -> None:
        """Close what is open."""

    def taken(self) -> tuple[list[Interval], list[TimedExit]]:
        """Hand out what has ended since the last time."""
        ...

    def open(self) -> Iterator[Interval]:
        """Tell the intervals that go on."""
        ...


class TellsOccupancy(Protocol):
    """As ``occupancy.Occupancy``."""

    def feed(self, table: Table, cycles: NDArray[np.int64], elapsed: Elapsed) -> None:
        """Take the next table and its cycles."""

    def finish(self) -> None:
        """Close what is open."""

    def taken(self) -> list[Stretch]:
        """Hand out what has ended since the last time."""
        ...


class _MakesIntervals(Protocol):
    def __call__(self, *, exits: bool = True) -> TellsIntervals: ...


@frozen
class Sight:
    """What finds things in the tables of one source; ``counts`` by what is counted."""

    intervals: _MakesIntervals
    occupancy: Callable[[], TellsOccupancy]
    counts: Mapping[str, Finder]


_XEN = Sight(
    cast(_MakesIntervals, Intervals),
    cast(Callable[[], TellsOccupancy], Occupancy),
    {
        "hypercalls": of_xen.hypercalls,
        "multicall_subcalls": of_xen.subcalls,
        "exits": of_xen.exits,
        "interrupts": lambda table: of_xen.first_words(table, xentrace.HVM_INJ_VIRQ),
        "grant_maps": lambda table: of_xen.first_words(table, xentrace.GRANT_MAP),
        "grant_unmaps": lambda table: of_xen.first_words(table, xentrace.GRANT_UNMAP),
    },
)
_KVM = Sight(
    cast(_MakesIntervals, ThreadIntervals),
    cast(Callable[[], TellsOccupancy], ThreadOccupancy),
    {
        "hypercalls": of_kvm.hypercalls,
        "multicall_subcalls": of_kvm.nothing,
        "exits": of_kvm.exits,
        "interrupts": of_kvm.interrupts,
        "grant_maps": of_kvm.nothing,
        "grant_unmaps": of_kvm.nothing,
    },
)
COUNTS = tuple(_XEN.counts)


def of(source: str) -> Sight:
    """Give what finds things in tables of a source, as a report names it."""
    return _KVM if source == "kvm" else _XEN
