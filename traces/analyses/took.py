"""How long took what a record ends: a wait for a pCPU, where a vCPU begins to run, and a VM exit, at its VM entry.

Law: the rules are those of ``intervals``; of an exit, time while the vCPU was descheduled does not count.
"""

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID
from traces.analyses import sights
from traces.analyses.elapsed import Elapsed
from traces.xen.formats.events import RUNSTATES

#: What a record gets that ends nothing of which the beginning is known.
NOTHING = -1
_RUNNABLE = RUNSTATES.index("runnable")


class Took:
    """Tells for each record what it ends; feed it every table in order of time."""

    def __init__(self, source: str = "xentrace") -> None:
        self._intervals = sights.of(source).intervals()

    def of(self, table: sights.Table, cycles: NDArray[np.int64], elapsed: Elapsed) -> NDArray[np.int64]:
        """Give cycles by row of the next table, or ``NOTHING``; ``elapsed`` has just given its ``cycles``."""
        self._intervals.feed(table, cycles, elapsed)
        intervals, exits = self._intervals.taken()
        found = np.full(len(table), NOTHING, np.int64)
        ended = [(one.row, one.end - one.begin - one.away) for one in exits]
        ended += [
            (one.row, one.end - one.begin)
            for one in intervals
            if one.row >= 0 and one.state == _RUNNABLE and one.counted and one.ran and one.domid != IDLE_DOMID
        ]
        if ended:
            rows, took = np.array(ended, np.int64).T
            found[rows] = took
        return found
