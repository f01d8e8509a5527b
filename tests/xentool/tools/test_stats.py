"""Rates between two samples."""

from dataclasses import replace

from xentool.tools.domains.stats import Block, Domain, Net, Rates, Sample, rates

BEFORE = Domain(
    1,
    "domU",
    "blocked",
    vcpus=2,
    memory_bytes=4096,
    cpu_seconds=10.0,
    blocks=(Block("xvda", 10, 1000, 20, 2000),),
    nets=(Net("vif0", 100, 1, 0, 0, 200, 2, 0, 0),),
)
NOW = replace(
    BEFORE,
    cpu_seconds=13.0,
    blocks=(Block("xvda", 14, 5000, 20, 2000),),
    nets=(Net("vif0", 300, 3, 0, 0, 200, 2, 0, 0),),
)


def between(before: Domain, now: Domain, span: float = 2.0) -> Rates:
    return rates(Sample(100.0, (before,)), Sample(100.0 + span, (now,))).domains[0]


def test_rates_are_per_second() -> None:
    found = between(BEFORE, NOW)
    assert found.cpu_percent == 150
    assert (found.reads_per_s, found.read_bytes_per_s, found.writes_per_s, found.written_bytes_per_s) == (2, 2000, 0, 0)
    assert (found.received_packets_per_s, found.received_bytes_per_s) == (1, 100)
    assert (found.sent_packets_per_s, found.sent_bytes_per_s) == (0, 0)


def test_devices_add_up_and_one_without_counters_makes_the_sum_unknown() -> None:
    two = replace(BEFORE, blocks=(*BEFORE.blocks, Block("xvdb", 0, 0, 0, 0)))
    assert between(two, replace(NOW, blocks=(*NOW.blocks, Block("xvdb", 6, 600, 0, 0)))).read_bytes_per_s == 2300
    found = between(two, replace(NOW, blocks=(*NOW.blocks, Block("xvdb"))))
    assert (found.read_bytes_per_s, found.received_bytes_per_s) == (None, 100)


def test_a_device_attached_meanwhile_counts_and_one_detached_does_not() -> None:
    more = replace(NOW, blocks=(*NOW.blocks, Block("xvdb", 1, 100, 0, 0)))
    assert between(BEFORE, more).read_bytes_per_s == 2050
    assert between(more, more).read_bytes_per_s == 0
    assert between(more, NOW).read_bytes_per_s == 0


def test_what_is_not_known_is_none() -> None:
    bare = Domain(1, "domU", "running")
    found = between(bare, bare)
    assert (found.cpu_percent, found.reads_per_s, found.received_bytes_per_s) == (None, None, None)
    assert between(BEFORE, NOW, span=0.0).cpu_percent is None
    assert between(NOW, BEFORE).read_bytes_per_s is None  # the counter began anew


def test_a_domid_given_anew_is_another_domain() -> None:
    assert between(replace(BEFORE, name="old"), NOW).cpu_percent is None


def test_hypercalls_are_known_where_a_trace_runs() -> None:
    before, now = (replace(NOW, domid=domid, name=str(domid)) for domid in (1, 2))
    first = Sample(100.0, (before, now), {1: 10}, 3)
    found = rates(first, Sample(102.0, (before, now), {1: 16, 2: 5, 32768: 1}, 8))
    assert [each.hypercalls_per_s for each in found.domains] == [3, 2.5]
    assert found.lost_records == 5
    untraced = rates(Sample(100.0, (before,)), Sample(102.0, (before,), {1: 16}, 0))
    assert (untraced.domains[0].hypercalls_per_s, untraced.lost_records) == (None, None)


def test_domains_that_are_off_have_no_rates() -> None:
    off = Domain(None, "off", "off")
    assert rates(Sample(0, (off,)), Sample(1, (off,))).domains == ()
