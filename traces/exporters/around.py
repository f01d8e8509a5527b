"""The records of a pCPU just before points of time, and from them on.

Each is written once, however many points it is near to.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import UNTIMED, nanoseconds
from traces.analyses.sights import Table

#: Records before a point, and from it on.
NEAR = 3
#: Gives of each record of a table a line, and an object of JSON.
Written = Callable[[Table, NDArray[np.int64]], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Record:
    """A record in both forms: a line of ``dump`` and an object of ``jsonl``."""

    line: str
    fields: dict[str, Any]


class Around:
    """Finds them; ``feed`` it every table in order of time, then ask for ``records``.

    :param points: pCPUs and cycles of ``Elapsed``
    :param hz: the clock's rate
    :param written: gives records of a table, with nanoseconds, in both forms
    """

    def __init__(self, points: Iterable[tuple[int, int]], hz: float, written: Written) -> None:
        by_pcpu: dict[int, set[int]] = {}
        for pcpu, at in points:
            by_pcpu.setdefault(pcpu, set()).add(at)
        self._pcpus = {pcpu: _Pcpu(sorted(at), hz, written) for pcpu, at in by_pcpu.items()}

    def feed(self, table: Table, cycles: NDArray[np.int64]) -> None:
        """Take the next table and its cycles."""
        for pcpu, one in self._pcpus.items():
            rows = np.flatnonzero((table.pcpu == pcpu) & (cycles != UNTIMED))
            if len(rows):
                one.feed(table, rows, cycles[rows])

    def records(self, pcpu: int, at: int) -> list[Record]:
        """Give those around a point, in order."""
        return self._pcpus[pcpu].records(at)


class _Pcpu:
    def __init__(self, points: list[int], hz: float, written: Written) -> None:
        self._hz, self._forms = hz, written
        # Those that no record has reached yet, the last one first.
        self._ahead = points[::-1]
        self._found: dict[int, list[Record]] = {}
        # Those that were reached, and how many records from there on they lack.
        self._open: dict[int, int] = {}
        self._last: list[Record] | tuple[Table, NDArray[np.int64]] = []

    def feed(self, table: Table, rows: NDArray[np.intp], cycles: NDArray[np.int64]) -> None:
        """Take the pCPU's rows of the next table."""
        wanted = {at: (0, lacks) for at, lacks in self._open.items()}
        while self._ahead and self._ahead[-1] <= cycles[-1]:
            at = self._ahead.pop()
            middle = int(np.searchsorted(cycles, at))
            wanted[at] = max(middle - NEAR, 0), middle + NEAR
            before = max(NEAR - middle, 0)
            self._found[at] = self._before()[-before:] if before else []
        self._open = {at: end - len(rows) for at, (_, end) in wanted.items() if end > len(rows)}
        ranges = {at: range(begin, min(end, len(rows))) for at, (begin, end) in wanted.items()}
        near = sorted(set().union(*ranges.values()))
        made = dict(zip(near, self._written(table.take(rows[near]), cycles[near]), strict=True)) if near else {}
        for at, some in ranges.items():
            self._found[at] += [made[row] for row in some]
        if self._ahead:
            self._keep(table, rows, cycles)

    def _keep(self, table: Table, rows: NDArray[np.intp], cycles: NDArray[np.int64]) -> None:
        if len(rows) < NEAR:
            self._last = [*self._before(), *self._written(table.take(rows), cycles)][-NEAR:]
        else:
            # Written only if a point is near.
            self._last = table.take(rows[-NEAR:]), cycles[-NEAR:]

    def _before(self) -> list[Record]:
        if isinstance(self._last, tuple):
            self._last = self._written(*self._last)
        return self._last

    def _written(self, table: Table, cycles: NDArray[np.int64]) -> list[Record]:
        if not len(table):
            return []
        ns = nanoseconds(cycles, self._hz)
        return [Record(line.rstrip("\n"), json.loads(fields)) for line, fields in self._forms(table, ns)]

    def records(self, at: int) -> list[Record]:
        """See ``Around.records``."""
        return self._found[at] if at in self._found else self._before()
