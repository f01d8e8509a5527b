"""Numbers that rise and fall, as Perfetto's counters: vCPUs that wait, exits a second, pages that others mapped."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import UNTIMED
from traces.analyses.intervals import STATES, Interval
from traces.exporters.perfetto.packets import COUNTER, Kind, Marks, Packets, doubles, marks

_RUNNABLE = STATES.index("runnable")
#: How often exits are counted: so many times in a trace, but over no shorter time than this.
_STEPS, _STEP_S = 1000, 0.001


class Waiting:
    """How many vCPUs wait for a pCPU, at each change; ask ``of`` it of every piece of the trace."""

    def __init__(self, track: int) -> None:
        self._kind = Kind(COUNTER, track)
        self._who: set[tuple[int, int]] = set()
        self._now, self._count = 0, 0

    def of(self, ended: Iterable[Interval], going_on: Iterable[Interval], now: int, packets: Packets) -> Marks:
        """Give the changes up to ``now``, of intervals that ended since the last time and those that go on."""
        times: list[int] = []
        steps: list[int] = []
        for one in ended:
            if one.state == _RUNNABLE:
                if one[:2] not in self._who:
                    # What became known late counts from what is not written yet.
                    times.append(one.begin)
                    steps.append(1)
                self._who.discard(one[:2])
                times.append(one.end)
                steps.append(-1)
        for one in going_on:
            if one.state == _RUNNABLE and one[:2] not in self._who:
                self._who.add(one[:2])
                times.append(one.begin)
                steps.append(1)
        at = np.maximum(np.array(times, np.int64), self._now)
        order = np.argsort(at, kind="stable")
        at, counts = at[order], self._count + np.cumsum(np.array(steps, np.int64)[order])
        # The last of each time, where it is another than the one before.
        last = np.append(at[1:] != at[:-1], True)[: len(at)]
        at, counts = at[last], counts[last]
        changed = counts != np.append(self._count, counts[:-1])[: len(counts)]
        self._now = max(self._now, now)
        self._count = int(counts[-1]) if len(counts) else self._count
        return _counted(self._kind, at[changed], counts[changed], packets)


class Rates:
    """How many a second each domain does of something, in steps of equal length; ask it of every piece of the trace.

    :param tracks: by domid
    :param begin: of what is drawn, in cycles, and its ``end``
    """

    def __init__(self, tracks: Mapping[int, int], begin: int, end: int, hz: float) -> None:
        self._tracks, self._begin = tracks, begin
        self._step = max((end - begin) / _STEPS, _STEP_S * hz, 1.0)
        self._seconds = self._step / hz
        #: By domid: the step that its newest ones are in, and how many it has so far.
        self._newest = dict.fromkeys(tracks, (-1, 0))

    def of(self, domids: NDArray[np.unsignedinteger[Any]], cycles: NDArray[np.int64], packets: Packets) -> list[Marks]:
        """Give what is known of steps by some more, each at its time; what comes late counts in the newest step."""
        steps = np.maximum((cycles[cycles != UNTIMED] - self._begin) / self._step, 0).astype(np.int64)
        both, counts = np.unique(steps << 32 | domids[cycles != UNTIMED], return_counts=True)
        found: dict[int, list[tuple[int, int]]] = {}
        for key, count in zip(both.tolist(), counts.tolist(), strict=True):
            step, domid = key >> 32, key & 0xFFFFFFFF
            if domid not in self._newest:
                continue
            newest, so_far = self._newest[domid]
            if step > newest:
                found.setdefault(domid, []).extend(_told(newest, so_far, step))
                newest, so_far = step, 0
            self._newest[domid] = newest, so_far + count
        return [self._marks(domid, steps_of, packets) for domid, steps_of in found.items()]

    def finish(self, packets: Packets) -> list[Marks]:
        """Give the last step of each domain."""
        ends = {domid: _told(newest, so_far, newest + 2) for domid, (newest, so_far) in self._newest.items()}
        return [self._marks(domid, steps, packets) for domid, steps in ends.items()]

    def _marks(self, domid: int, steps: list[tuple[int, int]], packets: Packets) -> Marks:
        step, count = np.array(steps, np.int64).reshape(-1, 2).T
        at = self._begin + np.rint(step * self._step).astype(np.int64)
        return _counted(Kind(COUNTER, self._tracks[domid]), at, count / self._seconds, packets)


def _told(newest: int, count: int, step: int) -> list[tuple[int, int]]:
    # What is known of a domain when something happens in another step: how many there were, and that none were since.
    found = [(newest, count)] if newest >= 0 else []
    return [*found, (newest + 1, 0)] if step > newest + 1 else found


class Mapped:
    """How many pages each domain has mapped of each other, more than when the trace began.

    :param tracks: by (mapper, granter)
    """

    def __init__(self, tracks: Mapping[tuple[int, int], int]) -> None:
        self._tracks = tracks
        self._counts = dict.fromkeys(tracks, 0)

    def of(
        self,
        pairs: NDArray[np.int64],
        steps: NDArray[np.int64],
        cycles: NDArray[np.int64],
        packets: Packets,
    ) -> list[Marks]:
        """Give the changes by some more, in order of time.

        :param pairs: of each, mapper << 32 | granter
        :param steps: 1 for a map, -1 for an unmap
        """
        found = []
        timed = cycles != UNTIMED
        each, inverse = np.unique(pairs[timed], return_inverse=True)
        for index, pair in enumerate(each.tolist()):
            who = pair >> 32, pair & 0xFFFFFFFF
            if who in self._counts:
                rows = np.flatnonzero(inverse == index)
                counts = self._counts[who] + np.cumsum(steps[timed][rows])
                self._counts[who] = int(counts[-1])
                found.append(_counted(Kind(COUNTER, self._tracks[who]), cycles[timed][rows], counts, packets))
        return found


def _counted(kind: Kind, at: NDArray[np.int64], values: NDArray[Any], packets: Packets) -> Marks:
    numbers = np.full(len(at), packets.number(kind), np.intp)
    return marks(at, numbers, fixed=doubles(values.astype(np.float64)))
