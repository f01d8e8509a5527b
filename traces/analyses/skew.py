"""By how much clocks of pCPUs differ, from what can't have been: a vCPU that does something while it runs elsewhere.

While a vCPU runs on one pCPU, no other one changes its run state: who leaves a pCPU and is started on another, or is
woken there, bounds the difference of both clocks from both sides. So each change of a vCPU's run state on one pCPU,
together with each of its runs on another, forbids an interval of differences; what none or fewest forbid, and is
nearest to none at all, is taken. A run counts only where both its ends were recorded on its pCPU.

Law: a difference is corrected only if the trace then makes sense; else it is told, and time stamps stay as they are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID
from traces.table import EventTable
from traces.xen.formats.events import LOST_RECORDS, RUNSTATE_CHANGE

_Numbers = NDArray[np.int64]
_STATES = np.uint32(0x330)
_RUNNING = 0
#: Changes of run states that are looked at: the first ones. Differences hold for the whole trace.
_CHANGES_MAX = 300_000
#: Of one vCPU on one pCPU, and intervals of two pCPUs; of all, so that many pCPUs take no more time.
_OF_ONE_MAX, _OF_TWO_MAX, _OF_ALL_MAX = 400, 60_000, 3_000_000
#: Times that two pCPUs had to do with one vCPU: a host of 64 pCPUs and as many vCPUs has as many.
_MEETINGS_MAX = 1 << 17
#: Differences of more than this part of the time looked at leave too little that could contradict them.
_SHARE_MAX = 0.25
#: What is so far off counts as much as if so many of the contradictions were left.
_FAR = 0.05
#: Of the contradictions: with more of them left, it was something else.
LEFT_MAX = 0.05


@dataclass(frozen=True)
class _Pair:
    # Forbidden differences, second pCPU's clock to be put forward minus the first one's: open intervals.
    low: _Numbers
    high: _Numbers
    most: int  # all intervals are known that reach between -most and most


def estimate(tables: Iterable[EventTable]) -> dict[int, int] | None:
    """Say how many cycles must be added to the time stamps of each pCPU.

    :param tables: of one run of the clock
    :returns: by pCPU, 0 or more, some not 0; empty where no vCPU contradicts itself, None where nothing mends it
    """
    pairs = _pairs(_collected(tables))
    before = sum(_forbids(pair, 0) for pair in pairs.values())
    if not before:
        return {}
    offsets = _offsets(pairs)
    left = sum(_forbids(pair, offsets[b] - offsets[a]) for (a, b), pair in pairs.items())
    if left > LEFT_MAX * before or not any(offsets.values()):
        return None
    least = min(offsets.values())
    return {pcpu: offset - least for pcpu, offset in sorted(offsets.items())}


@dataclass(frozen=True)
class _Changes:
    # Of one vCPU on one pCPU: all its changes, and its runs.
    at: _Numbers
    begins: _Numbers
    ends: _Numbers


def _collected(tables: Iterable[EventTable]) -> dict[int, dict[int, _Changes]]:
    # By vCPU and pCPU.
    parts: list[NDArray[np.int64]] = []
    count = 0
    for table in tables:
        plain = (table.event & ~_STATES == RUNSTATE_CHANGE) & (table.words > 0)
        rows = np.flatnonzero(plain | (table.event == LOST_RECORDS))
        who = np.where(plain[rows], table.word(rows, 0).astype(np.int64), -1)
        states = table.event[rows].astype(np.int64)
        at, pcpu = table.tsc[rows].astype(np.int64), table.pcpu[rows].astype(np.int64)
        parts.append(np.stack((at, pcpu, who, states >> 8 & 3, states >> 4 & 3), axis=1))
        count += len(rows)
        if count >= _CHANGES_MAX:
            break
    whole = np.concatenate(parts) if parts else np.empty((0, 5), np.int64)
    lost = {pcpu: np.sort(whole[(whole[:, 2] < 0) & (whole[:, 1] == pcpu), 0]) for pcpu in np.unique(whole[:, 1])}
    whole = whole[(whole[:, 2] >= 0) & (whole[:, 2] >> 16 != IDLE_DOMID)]
    found: dict[int, dict[int, _Changes]] = {}
    order = np.lexsort((np.arange(len(whole)), whole[:, 1], whole[:, 2]))
    whole = whole[order]
    edges = np.flatnonzero(np.any(np.diff(whole[:, 1:3], axis=0), axis=1)) + 1
    for of in np.split(whole, edges):
        if len(of):
            of_pcpu, of_vcpu = int(of[0, 1]), int(of[0, 2])
            found.setdefault(of_vcpu, {})[of_pcpu] = _changes(of[:_OF_ONE_MAX], lost[of_pcpu])
    return found


def _changes(of: _Numbers, lost: _Numbers) -> _Changes:
    begun = np.flatnonzero((of[:-1, 4] == _RUNNING) & (of[1:, 3] == _RUNNING) & (of[:-1, 3] != _RUNNING))
    begins, ends = of[begun, 0], of[begun + 1, 0]
    whole = np.searchsorted(lost, begins) == np.searchsorted(lost, ends, "right")
    return _Changes(of[:, 0], begins[whole], ends[whole])


def _pairs(vcpus: Mapping[int, Mapping[int, _Changes]]) -> dict[tuple[int, int], _Pair]:
    stamps = [of.at for pcpus in vcpus.values() for of in pcpus.values()]
    if not stamps:
        return {}
    span = max(int(at.max()) for at in stamps) - min(int(at.min()) for at in stamps)
    most = max(int(span * _SHARE_MAX), 1)
    meetings: dict[tuple[int, int], list[tuple[_Changes, _Changes]]] = {}
    for a, b, one, other in islice(_meetings(vcpus), _MEETINGS_MAX):
        meetings.setdefault((a, b), []).append((one, other))
    limit = min(_OF_TWO_MAX, _OF_ALL_MAX // max(len(meetings), 1))
    return {pair: _forbidden(of, most, limit) for pair, of in meetings.items()}


def _meetings(vcpus: Mapping[int, Mapping[int, _Changes]]) -> Iterator[tuple[int, int, _Changes, _Changes]]:
    for pcpus in vcpus.values():
        for (a, one), (b, other) in combinations(sorted(pcpus.items(), key=lambda one: one[0]), 2):
            yield a, b, one, other


def _forbidden(meetings: Iterable[tuple[_Changes, _Changes]], most: int, limit: int) -> _Pair:
    lows, highs, count = [], [], 0
    for one, other in sorted(meetings, key=lambda both: -min(len(both[0].at), len(both[1].at))):
        # What the first pCPU tells, while it ran on the second; and the other way round.
        at, begins, ends = one.at[:, None], other.begins[None, :], other.ends[None, :]
        low, high = (at - ends).ravel(), (at - begins).ravel()
        at, begins, ends = other.at[:, None], one.begins[None, :], one.ends[None, :]
        low = np.concatenate((low, (begins - at).ravel()))
        high = np.concatenate((high, (ends - at).ravel()))
        near = (high > -most) & (low < most) & (low < high)
        lows.append(low[near])
        highs.append(high[near])
        count += len(lows[-1])
        if count > limit:
            break
    return _Pair(np.sort(np.concatenate(lows)), np.sort(np.concatenate(highs)), most)


def _forbids(pair: _Pair, difference: int) -> int:
    # How many intervals forbid it.
    return int(np.searchsorted(pair.low, difference) - np.searchsorted(pair.high, difference, "right"))


def _offsets(pairs: Mapping[tuple[int, int], _Pair]) -> dict[int, int]:
    # Groups of pCPUs whose differences are known are put together, those first that tell most of each other.
    groups = {pcpu: {pcpu} for pair in pairs for pcpu in pair}
    offsets = dict.fromkeys(sorted(groups), 0)
    for a, b in sorted(pairs, key=lambda pair: (-len(pairs[pair].low), pair)):
        one, other = groups[a], groups[b]
        if one is other:
            continue
        low, high = [], []
        for first in one:
            for second in other:
                pair, sign = pairs.get((first, second)), 1
                if pair is None:
                    pair, sign = pairs.get((second, first)), -1
                if pair is not None:
                    known = offsets[second] - offsets[first]
                    low.append((pair.low if sign > 0 else -pair.high) - known)
                    high.append((pair.high if sign > 0 else -pair.low) - known)
        more = _best(_Pair(np.sort(np.concatenate(low)), np.sort(np.concatenate(high)), pairs[a, b].most))
        for pcpu in other:
            offsets[pcpu] += more
        one |= other
        for pcpu in other:
            groups[pcpu] = one
    return offsets


def _best(pair: _Pair) -> int:
    # The difference that fewest intervals forbid, the nearest to none; in the middle of where they are as few.
    at_none = _forbids(pair, 0)
    if not at_none:
        return 0
    edges = np.unique(np.concatenate((pair.low, pair.high)))
    on = np.searchsorted(pair.low, edges) - np.searchsorted(pair.high, edges, "right")
    after = np.searchsorted(pair.low, edges, "right") - np.searchsorted(pair.high, edges, "right")
    cost = on + _FAR * at_none * np.abs(edges) / pair.most
    at = int(np.argmin(np.where(np.abs(edges) <= pair.most, cost, np.inf)))
    # ``on`` and ``after`` by turns tell of each edge and of what lies behind it.
    fewest = on[at]
    first = last = at
    while first > 0 and after[first - 1] <= fewest and on[first - 1] <= fewest:
        first -= 1
    while last < len(edges) - 1 and after[last] <= fewest and on[last + 1] <= fewest:
        last += 1
    low, high = int(edges[first]), int(edges[last])
    if high - low <= 2 * min(abs(low), abs(high)):
        return (low + high) // 2
    return low if abs(low) < abs(high) else high
