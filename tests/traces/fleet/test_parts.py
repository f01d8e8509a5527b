"""What is kept of many captures, and added."""

import json

import pytest

from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, change, report, window
from traces.analyses.fleet.digest import Digest, digest, document, parsed
from traces.analyses.fleet.groups import GROUPS_MAX, OTHERS, Gathering
from traces.analyses.fleet.parts import NAMES_MAX, Part, merged
from traces.analyses.report import DomainInfo
from traces.counting.latencies import BUCKETS, COMMON_HZ, bounds, bucket, common, distribution


def of_waits(*waits: int) -> Digest:
    """Make a capture in which "web" waits for its pCPU so many ns, a millisecond apart."""
    body, at = b"", 1_000
    for wait in waits:
        body += change(at, 1, 0, BLOCKED, RUNNABLE) + change(at + wait, 1, 0, RUNNABLE, RUNNING)
        body += change(at + wait + 500, 1, 0, RUNNING, BLOCKED)
        at += wait + 1_000_000
    # The first is not known to have been blocked.
    begun = change(0, 1, 0, RUNNABLE, RUNNING) + change(500, 1, 0, RUNNING, BLOCKED)
    return digest(report(window(0, begun + body), infos={1: DomainInfo("web")}), "f", "xen1", None)


def test_each_range_is_found_by_what_lies_in_it() -> None:
    for at in range(BUCKETS):
        begin, end = bounds(at)
        assert bucket(begin) == bucket(end - 1) == at


def test_distributions_of_several_clocks_have_ranges_in_common() -> None:
    one = distribution({bucket(3_000): 10}, 3_100, 30_500, hz=3e9)
    other = distribution({bucket(2_000): 5}, 2_100, 10_200, hz=2e9)
    both = common([one, other])
    assert both.count == 15
    assert both.longest == pytest.approx(2_100 / 2e9)
    assert both.seconds == pytest.approx(30_500 / 3e9 + 10_200 / 2e9)
    # Each took a microsecond.
    assert [(round(begin * COMMON_HZ), count) for (begin, _), count in both.counts.items()] == [
        (bounds(bucket(1000))[0], 15)
    ]


def test_percentiles_come_of_all_waits_and_are_no_averages() -> None:
    # 99 short waits in one capture, one long in the other: the average of both medians is half of the long one.
    short, long = of_waits(*[1_000] * 99), of_waits(8_000_000)
    waits = merged([short.domains["web"], long.domains["web"]]).waits["wake_to_run"]
    assert waits.count == 100
    assert waits.quantile(0.5) == pytest.approx(1e-6, rel=0.25)
    assert waits.quantile(0.98) == pytest.approx(1e-6, rel=0.25)
    assert waits.longest == pytest.approx(8e-3)


def test_sums_are_those_of_all() -> None:
    one, other = of_waits(1_000, 2_000).domains["web"], of_waits(4_000).domains["web"]
    both = merged([one, other])
    assert both.captures == 2
    assert both.seconds == pytest.approx(one.seconds + other.seconds)
    assert both.runstates["runnable"] == pytest.approx(7e-6)
    assert both.vcpu_seconds == pytest.approx(both.seconds)


def test_a_digest_is_the_same_after_it_was_written_down() -> None:
    one = of_waits(1_000, 70_000, 12_345_678)
    assert parsed(json.loads(json.dumps(document(one)))) == one
    assert one.slow[0].seconds == pytest.approx(12_345_678e-9)
    assert one.slow[0].offset is not None


@pytest.mark.parametrize(
    "wrong", [{}, {"domains": 3, "slow": []}, {"domains": {"web": {"waits": {"x": 1}}}, "slow": []}]
)
def test_what_is_no_digest_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        parsed(wrong)


def test_names_beyond_the_most_are_one() -> None:
    many = Part(hypercalls={f"call {number}": 2 + (number == 7) for number in range(NAMES_MAX + 50)})
    kept = merged([many]).hypercalls
    assert len(kept) == NAMES_MAX
    assert sum(kept.values()) == 2 * (NAMES_MAX + 50) + 1
    assert kept["call 7"] == 3
    # And stay one, however often they are added.
    assert sum(merged([merged([many]), many]).hypercalls.values()) == 2 * sum(kept.values())


def test_groups_beyond_the_most_are_one() -> None:
    gathering = Gathering("file")
    one = of_waits(1_000)
    for number in range(GROUPS_MAX + 3):
        gathering.add(Digest(f"{number}", *[getattr(one, name) for name in Digest.__match_args__[1:]]))
    groups = {group.name: group.captures for group in gathering.groups()}
    assert len(groups) == GROUPS_MAX + 1
    assert groups[OTHERS] == 3
    assert gathering.totals.captures == GROUPS_MAX + 3


def test_what_two_hypervisors_count_is_not_added() -> None:
    gathering = Gathering("host")
    for source, exits in (("xentrace", 0), ("kvm", 700), ("kvm", 300)):
        part = Part(1, 1.0, 0.0, {}, {}, {"hlt": exits} if exits else {})
        gathering.add(Digest("f", "h", None, source, None, True, 10, 5, 0, 0, 1.0, None, {"web": part}, ()))
    groups = [(one.name, one.source, one.captures, dict(one.part.exits)) for one in gathering.groups()]
    assert groups == [("h", "kvm", 2, {"hlt": 1_000}), ("h", "xentrace", 1, {})]
    assert gathering.totals.sources == {"xentrace": 1, "kvm": 2}
    assert gathering.totals.captures == 3
