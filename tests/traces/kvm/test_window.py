"""Stretches of a trace: what they have together is what the whole has."""

import io
import itertools
from collections import Counter

import pytest

from tests.traces.kvm.traces import LIFE, counted, page, pieces, sample, sixth, unpack
from traces.analyses.kvm import report
from traces.answers import Report, VcpuReport
from traces.kvm.counted import of
from traces.kvm.decode import tracedat

SPAN = 744_221_864


def _stretch(data: bytes, begin: int, end: int | None = None) -> Report:
    file = io.BytesIO(data)
    trace = tracedat.read(file, unpack)
    counts = of(trace)
    counts.window(begin, end)
    counts.run(pieces(file, trace, []))
    return report(counts, trace)


def _vcpu(of: Report) -> VcpuReport:
    return next(domain for domain in of.domains if domain.mode == "kvm").vcpus[0]


@pytest.mark.parametrize("cuts", [[100_000_000], [1, 2, 400_000_000], [10_000_000 * i for i in range(1, 74)]])
def test_stretches_are_the_whole(cuts: list[int]) -> None:
    trace, counts, _ = counted(sample())
    whole = _vcpu(report(counts, trace))
    edges = [0, *cuts, SPAN + 1]
    parts = [_stretch(sample(), begin, end) for begin, end in itertools.pairwise(edges)]
    assert sum(part.span_s for part in parts) == pytest.approx(SPAN / 1e9, abs=1e-9)
    found = [_vcpu(part) for part in parts]
    for state, of_whole in whole.runstates.items():
        assert sum(one.runstates[state].seconds for one in found) == pytest.approx(of_whole.seconds, abs=1e-9)
    for mode, seconds in whole.runstates["running"].modes.items():
        assert sum(one.runstates["running"].modes[mode] for one in found) == pytest.approx(seconds, abs=1e-9)
    assert sum(sum(one.pcpus.values()) for one in found) == pytest.approx(sum(whole.pcpus.values()), abs=1e-9)
    events, exits = Counter[str](), Counter[str]()
    for one in found:
        events.update(one.events)
        exits.update({exit_.name: exit_.count for exit_ in one.exits})
    assert events == Counter(whole.events)
    assert exits == {exit_.name: exit_.count for exit_ in whole.exits}
    for name in ("wake_to_run", "preempted_to_run"):
        waits = sum(one.latencies[name].count for one in found if name in one.latencies)
        # One that began before its stretch, or ended behind, belongs to where it ended.
        assert waits == whole.latencies[name].count
    assert all(part.account.records == 3713 for part in parts)


def test_what_began_before_is_cut() -> None:
    data = sixth([[page(LIFE)]])
    one = _vcpu(_stretch(data, 140, 450))
    states = {name: round(state.seconds * 1e9) for name, state in one.runstates.items()}
    assert states == {"running": 195, "runnable": 21, "blocked": 94, "lost": 0}
    # The exit at 110 is not of it, its wait is; that at 300 is, and ends in it.
    assert {exit_.name: (exit_.count, round(exit_.seconds * 1e9)) for exit_ in one.exits} == {
        "exit_0x7b": (1, 3),
        "hlt": (1, 8),
    }
    assert round(one.latencies["preempted_to_run"].longest * 1e9) == 30
    assert one.runstates["blocked"].histogram == {(64e-9, 128e-9): 1}


def test_an_exit_that_goes_on_behind_it_is_counted_without_its_time() -> None:
    one = _vcpu(_stretch(sixth([[page(LIFE)]]), 290, 302))
    assert [(exit_.name, exit_.count, exit_.seconds, exit_.latency.count) for exit_ in one.exits] == [
        ("hlt", 1, 0.0, 0)
    ]
    assert one.events == {"kvm_exit": 1}


def test_a_stretch_behind_the_trace() -> None:
    found = _stretch(sixth([[page(LIFE)]]), 10_000)
    assert found.span_s == 0
    assert all(not vcpu.events and not vcpu.exits for domain in found.domains for vcpu in domain.vcpus)
    assert found.account.records == len(LIFE)
