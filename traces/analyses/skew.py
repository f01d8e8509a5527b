"""By how much clocks of pCPUs differ, from what can't have been: a vCPU that does something while it runs elsewhere.

While a vCPU runs on one pCPU, no other one changes its run state: who leaves a pCPU and is started on another, or is
woken there, bounds the difference of both clocks from both sides. So each change of a vCPU's run state on one pCPU,
together with each of its runs on another, forbids an interval of differences; what none or fewest forbid, and is
nearest to none at all, is taken. A run counts only where both its ends were recorded on its pCPU.

Law: a difference is corrected only if the trace then makes sense; else it is told, and time stamps stay as they are.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID
from traces.table import EventTable
from traces.xen.formats.events import LOST_RECORDS, RUNSTATE_CHANGE

_Numbers = NDArray[np.int64]
_STATES = np.uint32(0x330)
_RUNNING = 0
#: Changes of run states that are looked at: the first ones. Differences hold for the whole trace.
_CHANGES_MAX = 250_000
#: Of one vCPU on one pCPU, and intervals of two pCPUs; of all, so that many pCPUs take no more time.
_OF_ONE_MAX, _OF_TWO_MAX, _OF_ALL_MAX = 400, 60_000, 2_000_000
#: Times that two pCPUs had to do with one vCPU: as many as a host of 64 pCPUs and as many vCPUs has. Of a vCPU, each
#: pCPU with so many that follow it.
_MEETINGS_MAX, _NEIGHBOURS = 1 << 16, 16
#: Pairs that are compared, for each pCPU.
_PAIRS_EACH = 2
#: Differences of more than this part of the time looked at leave too little that could contradict them.
_SHARE_MAX = 0.25
#: What is so far off counts as much as if so many of the contradictions were left.
_FAR = 0.05
#: How often each pCPU is moved once more as all others ask for it, as long as so much of what is left goes away by it.
_ROUNDS, _LESS = 4, 0.95
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
    most = LEFT_MAX * before
    offsets = _offsets(pairs, most)
    if _left(pairs, offsets) > most or not any(offsets.values()):
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
    # By vCPU and pCPU, with little work for each of them: a hostile trace has another one with each change.
    whole = _rows(tables)
    whole = whole[np.argsort(whole[:, 1], kind="stable")]
    # Between two changes on a pCPU records were lost if this differs.
    lost = np.cumsum(whole[:, 2] < 0)
    vcpus = np.flatnonzero((whole[:, 2] >= 0) & (whole[:, 2] >> 16 != IDLE_DOMID))
    order = vcpus[np.argsort(whole[vcpus, 2], kind="stable")]
    whole, lost = whole[order], lost[order]
    if not len(whole):
        return {}
    starts = np.append(0, np.flatnonzero(np.any(np.diff(whole[:, 1:3], axis=0), axis=1)) + 1)
    place = np.arange(len(whole)) - np.repeat(starts, np.diff(starts, append=len(whole)))
    kept = place < _OF_ONE_MAX
    whole, lost, place = whole[kept], lost[kept], place[kept]
    at, old, new = whole[:, 0], whole[:, 3], whole[:, 4]
    begun = np.flatnonzero(
        (new[:-1] == _RUNNING)
        & (old[1:] == _RUNNING)
        & (old[:-1] != _RUNNING)
        & (place[1:] > 0)
        & (lost[1:] == lost[:-1])
    )
    begins, ends = at[begun], at[begun + 1]
    starts = np.flatnonzero(place == 0)
    changes = np.append(starts, len(whole)).tolist()
    runs = np.searchsorted(begun, changes).tolist()
    found: dict[int, dict[int, _Changes]] = {}
    for index, (pcpu, vcpu) in enumerate(whole[starts, 1:3].tolist()):
        a, b = runs[index : index + 2]
        found.setdefault(vcpu, {})[pcpu] = _Changes(at[changes[index] : changes[index + 1]], begins[a:b], ends[a:b])
    return found


def _rows(tables: Iterable[EventTable]) -> _Numbers:
    # Time, pCPU, vCPU (-1: records were lost), old and new state of each change, in order of time on each pCPU.
    parts: list[_Numbers] = []
    count = 0
    for piece in (piece for table in tables for piece in table.pieces()):
        plain = (piece.event & ~_STATES == RUNSTATE_CHANGE) & (piece.words > 0)
        rows = np.flatnonzero(plain | (piece.event == LOST_RECORDS))
        who = np.where(plain[rows], piece.word(rows, 0).astype(np.int64), -1)
        states = piece.event[rows].astype(np.int64)
        at, pcpu = piece.tsc[rows].astype(np.int64), piece.pcpu[rows].astype(np.int64)
        parts.append(np.stack((at, pcpu, who, states >> 8 & 3, states >> 4 & 3), axis=1))
        count += len(rows)
        if count >= _CHANGES_MAX:
            break
    return np.concatenate(parts) if parts else np.empty((0, 5), np.int64)


def _pairs(vcpus: Mapping[int, Mapping[int, _Changes]]) -> dict[tuple[int, int], _Pair]:
    stamps = [of.at for pcpus in vcpus.values() for of in pcpus.values()]
    if not stamps:
        return {}
    span = max(int(at.max()) for at in stamps) - min(int(at.min()) for at in stamps)
    most = max(int(span * _SHARE_MAX), 1)
    meetings: dict[tuple[int, int], list[tuple[_Changes, _Changes]]] = {}
    for a, b, one, other in islice(_meetings(vcpus), _MEETINGS_MAX):
        meetings.setdefault((a, b), []).append((one, other))
    chosen = _telling(meetings)
    limit = _OF_ALL_MAX // max(len(chosen), 1)
    return {pair: _forbidden(meetings[pair], most, limit) for pair in chosen}


def _telling(meetings: Mapping[tuple[int, int], Sequence[tuple[_Changes, _Changes]]]) -> list[tuple[int, int]]:
    # Few pairs, of which much is known: those that tell most of all that are needed to compare any pCPU with any other.
    weights = {pair: sum(len(one.at) * len(other.at) for one, other in of) for pair, of in meetings.items()}
    groups = {pcpu: {pcpu} for pair in meetings for pcpu in pair}
    needed: list[tuple[int, int]] = []
    others: list[tuple[int, int]] = []
    for pair in sorted(meetings, key=lambda pair: (-weights[pair], pair)):
        (needed if _join(groups, *pair) else others).append(pair)
    return needed + others[: _PAIRS_EACH * len(groups) - len(needed)]


def _meetings(vcpus: Mapping[int, Mapping[int, _Changes]]) -> Iterator[tuple[int, int, _Changes, _Changes]]:
    # Neighbours first: so all pCPUs of a vCPU have to do with one another, however few meetings are looked at.
    hopping = [sorted(pcpus.items(), key=lambda one: one[0]) for pcpus in vcpus.values()]
    for distance in range(1, _NEIGHBOURS + 1):
        hopping = [pcpus for pcpus in hopping if len(pcpus) > distance]
        for pcpus in hopping:
            for (a, one), (b, other) in zip(pcpus, pcpus[distance:], strict=False):
                yield a, b, one, other


def _forbidden(meetings: Iterable[tuple[_Changes, _Changes]], most: int, limit: int) -> _Pair:
    lows, highs, count = [], [], 0
    each = isqrt(limit)
    for one, other in sorted(meetings, key=lambda both: -min(len(both[0].at), len(both[1].at))):
        # What the first pCPU tells, while it ran on the second; and the other way round.
        at, begins, ends = one.at[:each, None], other.begins[None, :each], other.ends[None, :each]
        low, high = (at - ends).ravel(), (at - begins).ravel()
        at, begins, ends = other.at[:each, None], one.begins[None, :each], one.ends[None, :each]
        low = np.concatenate((low, (begins - at).ravel()))
        high = np.concatenate((high, (ends - at).ravel()))
        near = (high > -most) & (low < most) & (low < high)
        lows.append(low[near])
        highs.append(high[near])
        count += len(lows[-1])
        if count > min(limit, _OF_TWO_MAX):
            break
    return _Pair(np.sort(np.concatenate(lows)), np.sort(np.concatenate(highs)), most)


def _forbids(pair: _Pair, difference: int) -> int:
    # How many intervals forbid it.
    return int(np.searchsorted(pair.low, difference) - np.searchsorted(pair.high, difference, "right"))


def _left(pairs: Mapping[tuple[int, int], _Pair], offsets: Mapping[int, int]) -> int:
    return sum(_forbids(pair, offsets[b] - offsets[a]) for (a, b), pair in pairs.items())


def _offsets(pairs: Mapping[tuple[int, int], _Pair], most: float) -> dict[int, int]:
    # Of which at most so many contradictions are left, if that can be found.
    # Groups of pCPUs whose differences are known are put together: those first that do not differ, as in one socket,
    # then those that tell most of each other.
    neighbours: dict[int, list[int]] = {}
    for a, b in pairs:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    groups = {pcpu: {pcpu} for pcpu in neighbours}
    offsets = dict.fromkeys(sorted(groups), 0)
    for a, b in sorted(pairs, key=lambda pair: (_forbids(pairs[pair], 0) > 0, -len(pairs[pair].low), pair)):
        joins = _join(groups, a, b)
        if joins is None:
            continue
        more = _best(_around(joins, groups[a], neighbours, offsets, pairs))
        for pcpu in joins:
            offsets[pcpu] += more
    # Those that were put together first knew nothing of those that came later.
    left = _left(pairs, offsets)
    for _ in range(_ROUNDS):
        if left <= most:
            break
        for pcpu in offsets:
            offsets[pcpu] += _best(_around({pcpu}, groups[pcpu], neighbours, offsets, pairs))
        before, left = left, _left(pairs, offsets)
        if left > _LESS * before:
            break
    return offsets


def _around(
    moved: Collection[int],
    group: Collection[int],
    neighbours: Mapping[int, Sequence[int]],
    offsets: Mapping[int, int],
    pairs: Mapping[tuple[int, int], _Pair],
) -> _Pair:
    # What forbids to move some pCPUs of a group by so much, while its others stay where they are.
    low, high, most = [], [], 0
    for second in moved:
        for first in neighbours[second]:
            if first in moved or first not in group:
                continue
            known = offsets[first] - offsets[second]
            pair = pairs.get((first, second)) or pairs[second, first]
            if (first, second) in pairs:
                low.append(pair.low + known)
                high.append(pair.high + known)
            else:
                low.append(known - pair.high)
                high.append(known - pair.low)
            most = max(most, pair.most)
    return _Pair(np.sort(np.concatenate(low)), np.sort(np.concatenate(high)), most)


def _join(groups: dict[int, set[int]], a: int, b: int) -> set[int] | None:
    # The smaller group joins the other, so that nobody does often; it is given, or None where both are one.
    one, other = sorted((groups[a], groups[b]), key=len, reverse=True)
    if one is other:
        return None
    one |= other
    groups.update(dict.fromkeys(other, one))
    return other


def _best(pair: _Pair) -> int:
    # The difference that fewest intervals forbid, the nearest to none; in the middle of where they are as few.
    at_none = _forbids(pair, 0)
    if not at_none:
        return 0
    edges = np.sort(np.concatenate((pair.low, pair.high)))
    edges = edges[np.diff(edges, prepend=edges[0] - 1) > 0]
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
    # Before the first and behind the last nothing is forbidden.
    ends = first > 0 and last < len(edges) - 1
    if ends and high - low <= 2 * min(abs(low), abs(high)):
        return (low + high) // 2
    # Not the end of what is forbidden itself: there two pCPUs' records have one time stamp, and no order.
    return low + 1 if last == len(edges) - 1 or (ends and abs(low) < abs(high)) else high - 1
