"""The slowest waits and exits against every single one, sorted in Python; and what is told around them."""

import io

import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.choices import HZ, report
from tests.traces.every import every, handling, waits
from traces.account import IDLE_DOMID
from traces.analyses import slowest
from traces.choice.where import EVERYTHING, Where
from traces.exporters.around import NEAR
from traces.exporters.slow import describe
from traces.reader import Reader, read

MOST = 25


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("least_s", [0.0, 200e-6])
def test_they_are_the_longest_of_all(name: str, least_s: float) -> None:
    data = capture(name)
    states, exits = every(data)
    woken = sorted((cycles for who in states if who[0] != IDLE_DOMID for cycles in waits(states[who])), reverse=True)
    took = sorted((cycles for of in handling(exits, states).values() for cycles in of), reverse=True)
    found = slowest.find(read(io.BytesIO(data), Reader()), report(data, EVERYTHING), MOST, least_s)
    for what, cycles in (("wake_to_run", woken), ("exits", took)):
        slow = [one for one in cycles if one >= least_s * HZ]
        assert [one.cycles for one in found[what].slow] == slow[:MOST]
        assert found[what].count == len(slow)
    assert len(found["wake_to_run"].slow) == MOST


def test_a_choice_chooses_them_too() -> None:
    data = capture("xen-4.20-pvh")
    whole = slowest.find(read(io.BytesIO(data), Reader()), report(data, EVERYTHING), 1_000_000)
    where = Where(pcpus=frozenset({1}), begin=0.2, end=0.5)
    part = slowest.find(read(io.BytesIO(data), Reader()), report(data, where), 1_000_000)
    first, last = where.cycles(HZ)
    assert last is not None
    for what, belongs in (("wake_to_run", "end"), ("exits", "begin")):
        chosen = [one for one in whole[what].slow if one.pcpu == 1 and first <= getattr(one, belongs) < last]
        assert part[what].slow == chosen
        assert chosen
    vcpu = next(v for d in report(data, where).domains if d.mode == "hvm" for v in d.vcpus)
    assert vcpu.latencies["exits"].count == part["exits"].count


def test_what_ran_there_meanwhile_and_the_records_around() -> None:
    data = capture("xen-4.17-pv2")
    of = report(data, EVERYTHING)
    (slow, *_) = slowest.find(read(io.BytesIO(data), Reader()), of, 1)["wake_to_run"].slow
    (one,) = describe(read(io.BytesIO(data), Reader()), of, [slow])
    # While it waited somebody else ran there, nearly all of the time.
    assert (slow.domid, slow.vcpu) not in one.meanwhile
    assert 0.98 * slow.cycles < one.meanwhile.total() <= slow.cycles
    assert len(one.records) == 4 * NEAR
    assert {record.fields["pcpu"] for record in one.records} == {slow.pcpu}
    times = [record.fields["ns"] for record in one.records]
    assert times == sorted(times)
    at = round(slow.end * 1e9 / HZ)
    ran = [record.fields for record in one.records if record.fields["ns"] == at]
    assert ("running", slow.domid, slow.vcpu) in [
        (fields.get("new"), fields.get("target_domid"), fields.get("target_vcpu")) for fields in ran
    ]
    assert all(record.line.split()[0] == f"{record.fields['ns'] / 1e9:.9f}" for record in one.records)
