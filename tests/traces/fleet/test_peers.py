"""Which captures stand out among others."""

import random

from tests.traces.fleet.captures import capture
from traces.analyses.fleet.digest import Digest
from traces.analyses.fleet.peers import LOST, PEERS_MIN, Peers, Unusual
from traces.analyses.slices import Measure


def unusual(*captures: Digest) -> dict[int, list[Unusual]]:
    peers = Peers()
    for number, one in enumerate(captures):
        peers.add(number, one)
    return peers.unusual()


def usual(count: int, seed: int = 1) -> list[Digest]:
    """Make captures that differ by a tenth, one of them by half, as hosts do."""
    draw = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
    rates = [10_000 * draw.gauss(1, 0.1) for _ in range(count - 1)] + [15_000]
    return [capture({"sched_op": int(rate), "mmu_update": int(rate / 7)}, draw.gauss(0.01, 0.002)) for rate in rates]


def test_none_stands_out_where_all_differ_a_little() -> None:
    assert [unusual(*usual(50, seed)) for seed in range(20)] == [{}] * 20


def test_each_stands_out_by_what_is_otherwise() -> None:
    others = usual(40)
    sick = [
        capture({"sched_op": 10_000, "mmu_update": 1_400}, runnable=0.4),
        capture({"sched_op": 10_000, "mmu_update": 1_400, "event_channel_op": 900_000}),
        capture({"sched_op": 10_000, "mmu_update": 1_400}, lost=900),
    ]
    found = unusual(*others, *sick)
    assert sorted(found) == [40, 41, 42]
    (waits,), (storms,), (loses,) = (found[number] for number in (40, 41, 42))
    assert (waits.domain, waits.measure) == ("web", Measure("runstates", "runnable"))
    assert waits.value == 0.4
    assert 0.008 < waits.usual < 0.012
    assert (storms.measure, storms.value, storms.usual) == (Measure("hypercalls", "event_channel_op"), 90_000.0, 0.0)
    assert (loses.domain, loses.measure) == ("", LOST)


def test_too_few_tell_nothing() -> None:
    few = [capture({"sched_op": 10_000}) for _ in range(PEERS_MIN - 2)]
    assert unusual(*few, capture({"sched_op": 10_000_000})) == {}
    assert list(unusual(*few, few[0], few[0], capture({"sched_op": 10_000_000}))) == [PEERS_MIN]


def test_what_did_not_happen_counts_as_nothing() -> None:
    busy = [capture({"sched_op": 10_000}) for _ in range(12)]
    ((one,),) = unusual(*busy, capture({})).values()
    assert (one.measure, one.value, one.usual) == (Measure("hypercalls", "sched_op"), 0.0, 1_000.0)


def test_domains_of_other_names_are_no_peers() -> None:
    busy = [capture({"sched_op": 10_000}) for _ in range(12)]
    assert unusual(*busy, capture({"sched_op": 10_000_000}, name="database")) == {}


def test_rates_of_a_clock_that_nobody_knows_are_not_compared() -> None:
    busy = [capture({"sched_op": 10_000}) for _ in range(12)]
    assert unusual(*busy, capture({"sched_op": 10_000_000}, timed=False)) == {}
    ((one,),) = unusual(*busy, capture({}, runnable=0.4, timed=False)).values()
    assert one.measure == Measure("runstates", "runnable")


def test_what_more_than_a_quarter_have_is_usual() -> None:
    # Two releases, which call by other names and at another rate; and one sick capture of each.
    older = [capture({"sched_op": 10_000 + 100 * (number % 9)}) for number in range(27)]
    newer = [capture({"sched_op": 50_000 + 100 * (number % 9), "vcpu_op": 8_000}) for number in range(24)]
    sick = [capture({"sched_op": 10_000}, runnable=0.4), capture({"sched_op": 50_000, "event_channel_op": 900_000})]
    found = unusual(*older, *newer, *sick)
    assert sorted(found) == [51, 52]
    assert [one.measure.name for one in found[51]] == ["runnable"]
    assert [one.measure.name for one in found[52]] == ["event_channel_op"]


def test_domains_of_two_hypervisors_are_no_peers() -> None:
    xen = [capture({"sched_op": 10_000}) for _ in range(12)]
    kvm = [capture({}, runnable=0.4, source="kvm") for _ in range(3)]
    assert unusual(*xen, *kvm) == {}
    (one,) = unusual(*xen, *kvm, capture({"sched_op": 10_000}, runnable=0.4)).values()
    assert [each.measure.name for each in one] == ["runnable"]


def test_waits_are_compared_by_how_many_times_as_long_they_are() -> None:
    draw = random.Random(1)  # noqa: S311 - nothing is kept secret by it
    busy = [capture({}, waits_s=1e-3 * draw.lognormvariate(0, 0.3)) for _ in range(49)]
    # By seconds, it would be fifteen times as far off as three quarters of them at most.
    assert unusual(*busy, capture({}, waits_s=6e-3)) == {}
    found = unusual(*busy, capture({}, waits_s=1.0), capture({}, waits_s=1e-6))
    assert {number: [one.measure for one in of] for number, of in found.items()} == {
        number: [Measure("latencies", "wake_to_run")] for number in (49, 50)
    }
