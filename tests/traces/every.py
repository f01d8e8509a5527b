"""Every single interval of a trace, and latencies taken from them."""

import io

from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import Interval, Intervals, TimedExit
from traces.reader import Reader, read

Who = tuple[int, int]


def every(data: bytes) -> tuple[dict[Who, list[Interval]], list[TimedExit]]:
    elapsed, intervals = Elapsed(), Intervals()
    for table in read(io.BytesIO(data), Reader()):
        intervals.feed(table, elapsed.of(table), elapsed)
    intervals.finish(elapsed.end)
    states: dict[Who, list[Interval]] = {}
    found, exits = intervals.taken()
    for one in found:
        states.setdefault((one.domid, one.vcpu), []).append(one)
    return states, exits


def waits(of: list[Interval], since: int = BLOCKED) -> list[int]:
    return [
        wait.end - wait.begin
        for before, wait, after in zip(of, of[1:], of[2:], strict=False)
        if (before.state, wait.state, after.state) == (since, RUNNABLE, RUNNING) and before.counted and wait.counted
    ]


def handling(exits: list[TimedExit], states: dict[Who, list[Interval]]) -> dict[Who, list[int]]:
    # In Xen: until the entry, without what of it the vCPU was descheduled.
    found: dict[Who, list[int]] = {}
    for one in exits:
        away = sum(
            min(state.end, one.end) - max(state.begin, one.begin)
            for state in states.get((one.domid, one.vcpu), ())  # nobody known has none
            if state.state != RUNNING and state.begin < one.end and state.end > one.begin
        )
        found.setdefault((one.domid, one.vcpu), []).append(one.end - one.begin - away)
    return found
