"""A recording counted while it is made, held to the count of all of it in a file."""

import pytest

from tests.traces.kvm.streams import END, PID, head, rounds, stats
from tests.traces.kvm.traces import LIFE, OTHER, RUNS, VCPU, Told, counted, entry, exit_, page, sixth, switch
from traces.analyses import kvm
from traces.answers import DomainReport
from traces.errors import TraceError
from traces.kvm.live import Live
from traces.plain import replace


def _lives(seed: int) -> list[list[Told]]:
    # Two vCPUs on three processors, of which one has nothing to do.
    one, other = [], []
    for turn in range(40):
        at = 1000 * turn + 10 * seed
        one += [replace_ts(told, told.ts + at) for told in LIFE[:13]]
        other += [
            switch(at + 1003, OTHER, RUNS, VCPU + 1),
            entry(at + 1006, VCPU + 1, 1),
            exit_(at + 1406, VCPU + 1, 0x7B, 1),
            Told(at + 1407, VCPU + 1, "kvm_pio", {"rw": 1, "port": 0x1F0 + turn % 3}),
        ]
    return [sorted(one, key=lambda told: told.ts), sorted(other, key=lambda told: told.ts), []]


def _listed(live: Live) -> list[tuple[int, int]]:
    # Times, and threads.
    found = []
    for table in live.tables({}):
        found += list(zip(table.tsc.tolist(), table.pid.tolist(), strict=True))
    return found


def replace_ts(told: Told, ts: int) -> Told:
    return told._replace(ts=ts)


@pytest.mark.parametrize("seed", range(12))
def test_the_report_is_that_of_the_file(seed: int) -> None:
    lives = _lives(seed)
    live = Live(listed=True)
    live.feed(head(3))
    listed = []
    counts = []
    for sent in rounds(lives, seed):
        live.feed(sent)
        listed += _listed(live)
        counts.append(live.counts.records)
    live.feed(stats(0) + stats(1) + stats(2) + END)
    assert (live.finish(), live.ended) == ([], True)
    listed += _listed(live)
    every = sorted((told for of in lives for told in of), key=lambda told: told.ts)
    assert listed == [(one.ts, one.pid) for one in every]
    # It is counted as it comes, and a round later at most.
    assert counts[len(counts) // 2] > 0.2 * len(every)
    trace, whole, _lost = counted(sixth([[page([one]) for one in of] for of in lives]))
    trace.processes = live.trace.processes
    trace.kernel = live.trace.kernel
    expected = kvm.report(whole, trace)
    found = kvm.report(live.counts, live.trace)
    assert next((one.domid, one.name, len(one.vcpus)) for one in found.domains) == (PID, "web", 2)
    # But for where in the pages things lie.
    assert found.domains == tuple(
        _with_offsets_of(one, of) for one, of in zip(expected.domains, found.domains, strict=True)
    )
    assert (found.span_s, found.account.records) == (expected.span_s, expected.account.records)


def _with_offsets_of(one: DomainReport, of: DomainReport) -> DomainReport:
    vcpus = zip(one.vcpus, of.vcpus, strict=True)
    return replace(one, vcpus=tuple(replace(vcpu, first_offsets=other.first_offsets) for vcpu, other in vcpus))


def test_a_record_waits_until_none_before_it_can_come() -> None:
    late, early = entry(2000, VCPU), entry(1000, VCPU + 1)
    live = Live(listed=True)
    first, second = rounds([[late], []], 0)[-1], rounds([[], [early]], 0)[-1]
    live.feed(head(2) + first)
    # The other processor was asked before this one, and may have made something since.
    assert (live.counts.records, _listed(live)) == (0, [])
    live.feed(second)
    assert [ts for ts, _pid in _listed(live)] == [1000, 2000]


def test_what_a_processor_still_owes_is_waited_for() -> None:
    live = Live(listed=True)
    owing = b"".join(
        (
            head(2),
            rounds([[entry(3000, VCPU)], []], 0)[-1],
            # It has two, and one of them came.
            rounds([[], [entry(1000, VCPU + 1)]], 0)[-1].replace(b"cpu 1 1", b"cpu 1 2"),
        )
    )
    live.feed(owing)
    assert [ts for ts, _pid in _listed(live)] == [1000]
    live.feed(rounds([[], [entry(1001, VCPU + 1)]], 0)[-1])
    assert [ts for ts, _pid in _listed(live)] == [1001, 3000]


def test_losses_are_the_kernels() -> None:
    live = Live()
    live.feed(head(2) + b"".join(rounds([LIFE, []], 3)) + stats(0, overrun=5, dropped=2) + stats(1, overrun=1) + END)
    live.finish()
    account = kvm.report(live.counts, live.trace).account
    assert account.lost_records == 8
    assert [(one.code, one.count) for one in account.diagnostics] == [("lost_records", 8)]


def test_what_is_cut_off_is_told() -> None:
    live = Live()
    live.feed((head(1) + b"".join(rounds([LIFE], 3)))[:-100])
    (damage,) = live.finish()
    assert (damage.code, live.ended) == ("truncated", False)
    assert live.counts.records == len(LIFE)


def test_a_kernel_without_kvm_is_refused() -> None:
    with pytest.raises(TraceError, match="no events of KVM"):
        Live().feed(head(1).replace(b"name: kvm_exit", b"name: kvm_exot"))
