"""Comparing traces: slices add up to the report, a change is found, and chance is told at most as often as said."""

import io

import numpy as np
import pytest

from tests.traces.captures import NAMES, capture
from traces import scan as scans
from traces.analyses import slices
from traces.analyses.compare import CHANCE, compare, sampled
from traces.analyses.report import report
from traces.analyses.slices import Measure, Slices
from traces.answers import Report
from traces.reader import Reader
from traces.reader import read as read_rows

CALLS = Measure("hypercalls", "mmu_update")


def sliced(name: str) -> tuple[Report, Slices]:
    whole = report(scans.read(io.BytesIO(capture(name))))
    found = slices.read(read_rows(io.BytesIO(capture(name)), Reader()), slices.wanted(whole))
    assert found is not None
    return whole, found


def made(values: dict[Measure, list[float]]) -> Slices:
    arrays = {measure: np.array(of) for measure, of in values.items()}
    return Slices(0.1, len(next(iter(values.values()))), {1: arrays})


@pytest.mark.parametrize("name", NAMES)
def test_slices_add_up_to_the_report(name: str) -> None:
    whole, found = sliced(name)
    compared = 0
    for domain in whole.domains:
        if domain.domid > 32000:
            continue
        calls: dict[str, int] = {}
        exits: dict[str, int] = {}
        for vcpu in domain.vcpus:
            for call in (*vcpu.hypercalls, *vcpu.multicall_subcalls):
                calls[call.name] = calls.get(call.name, 0) + call.count
            for exit_ in vcpu.exits:
                exits[exit_.name] = exits.get(exit_.name, 0) + exit_.count
        for kind, counts in (("hypercalls", calls), ("exits", exits)):
            for measure, count in counts.items():
                rates = found.values[domain.domid][Measure(kind, measure)]
                assert rates.sum() * found.seconds == pytest.approx(count)
                compared += 1
        running = sum(vcpu.runstates["running"].seconds for vcpu in domain.vcpus) / len(domain.vcpus)
        share = found.values[domain.domid][Measure("runstates", "running")]
        assert share.sum() * found.seconds == pytest.approx(running, abs=2 * found.seconds)
    assert compared > 15


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_does_not_differ_from_itself(name: str) -> None:
    _, found = sliced(name)
    answer = compare(sampled(found), sampled(found), [(domid, domid, None) for domid in found.values])
    assert answer
    assert not any(domain.changes for domain in answer)
    assert all(domain.alike for domain in answer)


def test_a_doubled_rate_is_found_and_nothing_else() -> None:
    chance = np.random.default_rng(5)
    others = {Measure("hypercalls", f"call{nr}"): chance.poisson(50, 40).tolist() for nr in range(20)}
    before = made({CALLS: chance.poisson(100, 40).tolist(), **others})
    after = made({CALLS: chance.poisson(200, 30).tolist(), **{one: of[::-1][:30] for one, of in others.items()}})
    (domain,) = compare(sampled(before), sampled(after), [(1, 1, "web")])
    (change,) = domain.changes
    assert (change.kind, change.name) == CALLS
    assert change.low < 100 < change.high
    assert change.high - change.low < 15
    assert domain.alike == 20


def test_what_is_new_and_what_is_gone() -> None:
    chance = np.random.default_rng(6)
    other = Measure("hypercalls", "iret")
    (domain,) = compare(
        sampled(made({CALLS: chance.poisson(9, 20).tolist()})),
        sampled(made({other: chance.poisson(9, 20).tolist()})),
        [(1, 1, None)],
    )
    assert {(one.name, one.before > 0, one.after > 0) for one in domain.changes} == {
        ("mmu_update", True, False),
        ("iret", False, True),
    }


def test_chance_is_told_no_more_often_than_said() -> None:
    # A trace's slices dealt out at random: whatever differs between the halves is chance.
    _, found = sliced("xen-4.17-pv2")
    deal = np.random.default_rng(7)
    told = 0
    rounds = 300
    for _ in range(rounds):
        order = deal.permutation(found.count)
        halves = [
            Slices(
                found.seconds,
                len(part),
                {
                    # Latencies have values of some slices only, so that they are dealt out apart.
                    domid: {
                        one: of[part] if len(of) == found.count else of[deal.permutation(len(of))[: len(of) // 2]]
                        for one, of in values.items()
                    }
                    for domid, values in found.values.items()
                },
            )
            for part in np.array_split(order, 2)
        ]
        answer = compare(sampled(halves[0]), sampled(halves[1]), [(domid, domid, None) for domid in found.values])
        told += any(domain.changes for domain in answer)
    assert told / rounds <= 2 * CHANCE


def test_too_short() -> None:
    data = capture(NAMES[0])[:60_000]
    whole = report(scans.read(io.BytesIO(data)), hz=1e12)
    assert slices.read(read_rows(io.BytesIO(data), Reader()), slices.wanted(whole)) is None
