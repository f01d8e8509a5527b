"""A perf.data as the trace.dat that it becomes: held to perf and trace-cmd, and to what was put in it."""

import io
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import missing
from tests.traces.kvm.perfmade import KIND, PROCESS, ROUND, comm, lost, perf_sample, perfdata, sample
from tests.traces.kvm.perfs import reasons
from tests.traces.kvm.traces import LIFE, VCPU, counted, entry, exit_, known
from traces.analyses.kvm import report
from traces.answers import Report
from traces.errors import TraceError
from traces.kvm.decode.perfdata import convert
from traces.kvm.formats.perf import Has

#: Where pages begin, behind room for a head.
HOLE = 68 << 20


def _converted(data: bytes) -> tuple[bytes, int]:
    out = io.BytesIO()
    skipped = convert(io.BytesIO(data), out)
    return out.getvalue(), skipped


def _report(data: bytes) -> Report:
    trace, counts, wrong = counted(_converted(data)[0])
    assert wrong == []
    return report(counts, trace)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    path = tmp_path / "perf.data"
    path.write_bytes(perf_sample())
    return path


def test_reasons_and_times_are_those_of_perf(real: Path) -> None:
    theirs = reasons(real, "vmexit")
    assert len(theirs) == 6
    found = _report(perf_sample())
    (vcpu,) = next(domain for domain in found.domains if domain.mode == "kvm").vcpus
    # What no entry ends perf leaves out.
    assert {one.name: one.latency.count for one in vcpu.exits} == {name: count for name, (count, _) in theirs.items()}
    assert sum(one.count for one in vcpu.exits) == sum(count for count, _ in theirs.values()) + 1
    for one in vcpu.exits:
        assert one.seconds / one.latency.count * 1e6 == pytest.approx(theirs[one.name][1], abs=0.006)
    assert found.kernel == "Linux 6.1.0-57-amd64 x86_64"
    assert found.span_s == pytest.approx(3.47, abs=0.01)


def test_accesses_are_those_of_perf(real: Path) -> None:
    theirs = reasons(real, "mmio")
    (vcpu,) = next(domain for domain in _report(perf_sample()).domains if domain.mode == "kvm").vcpus
    assert {f"{one.address:#x}:W": one.writes for one in vcpu.io} == {
        name: count for name, (count, _) in theirs.items()
    }


def test_trace_cmd_reads_what_it_becomes(real: Path, tmp_path: Path) -> None:
    if shutil.which("trace-cmd") is None:
        missing.missing("trace-cmd is not installed")
    path = tmp_path / "made.dat"
    path.write_bytes(_converted(real.read_bytes())[0])
    told = subprocess.run(["trace-cmd", "report", "-t", "-i", str(path)], capture_output=True, check=True, text=True)
    lines = [line for line in told.stdout.splitlines() if not line.startswith("cpus=")]
    tables, _ = known(path.read_bytes())
    ours = [(pid, ts) for table in tables for pid, ts in zip(table.pid.tolist(), table.tsc.tolist(), strict=True)]
    found = [re.match(r"\s*.+-(\d+)\s+\[\d+\]\s+(\d+)\.(\d+):", line) for line in lines]
    assert [(int(one[1]), int(one[2] + one[3])) for one in found if one] == ours
    assert len(ours) == 4525


def _times(data: bytes) -> list[tuple[int, int]]:
    tables, _ = known(_converted(data)[0])
    return [one for table in tables for one in zip(table.tsc.tolist(), table.pcpu.tolist(), strict=True)]


def test_a_life_is_that_of_a_trace_dat() -> None:
    found = _report(perfdata([comm(VCPU, "CPU 0/KVM"), *map(sample, LIFE), ROUND]))
    (vcpu,) = next(domain for domain in found.domains if domain.mode == "kvm").vcpus
    assert {one.name: (one.count, round(one.seconds * 1e9)) for one in vcpu.exits} == {
        "npf": (1, 17),
        "exit_0x7b": (1, 3),
        "hlt": (2, 8),
    }
    assert {name: round(one.seconds * 1e9) for name, one in vcpu.runstates.items()} == {
        "running": 365,
        "runnable": 41,
        "blocked": 94,
        "lost": 0,
    }


def test_rings_of_threads_are_put_in_order_within_their_rounds() -> None:
    # What a round ends may be older than what the ring before it held, and not older than the last round's newest.
    records = [
        *(sample(entry(ts, VCPU), cpu=1) for ts in (30, 50)),
        *(sample(entry(ts, VCPU), cpu=1) for ts in (10, 40)),
        ROUND,
        *(sample(entry(ts, VCPU), cpu=0) for ts in (60, 45)),
        ROUND,
        sample(entry(55, VCPU), cpu=0),
    ]
    assert _times(perfdata(records)) == [(10, 1), (30, 1), (40, 1), (45, 0), (50, 1), (55, 0), (60, 0)]


def test_times_far_apart_and_pages_that_are_full() -> None:
    times = [0, 1, 1 << 27, 1 << 40, (1 << 62) + 5]
    assert [ts for ts, _ in _times(perfdata([sample(entry(ts, VCPU)) for ts in times]))] == times
    many = [10 * i for i in range(2000)]
    assert [ts for ts, _ in _times(perfdata([sample(entry(ts, VCPU)) for ts in many]))] == many


def test_a_machine_has_its_processes_number() -> None:
    threads = [sample(entry(10 + vcpu, VCPU + 7 * vcpu, vcpu=vcpu)) for vcpu in (1, 0)]
    found = _report(perfdata(threads))
    assert [(one.domid, one.mode, len(one.vcpus)) for one in found.domains if one.mode == "kvm"] == [
        (PROCESS, "kvm", 2)
    ]
    # QEMU's, of which the thread of its vCPU is another.
    assert [one.domid for one in _report(perf_sample()).domains if one.mode == "kvm"] == [1120]


def test_what_was_lost_is_counted() -> None:
    found = _report(perfdata([sample(entry(10, VCPU)), lost(41), sample(exit_(20, VCPU, 0x78)), ROUND, lost(1)]))
    assert (found.account.lost_records, found.account.records) == (42, 2)


def test_call_chains_are_passed_over() -> None:
    kind = KIND | Has.CALLCHAIN
    records = [sample(one, kind=kind, chain=range(index)) for index, one in enumerate(LIFE)]
    assert [ts for ts, _ in _times(perfdata(records, [kind]))] == [one.ts for one in LIFE]


def test_samples_that_are_none_are_counted() -> None:
    whole = sample(entry(10, VCPU))
    # A processor that there is not, bytes beyond the record, an event that was not asked for.
    cpu = bytearray(whole)
    cpu[8 + 8 * 4 : 8 + 8 * 4 + 4] = (9000).to_bytes(4, "little")
    long = bytearray(whole)
    long[8 + 8 * 6 : 8 + 8 * 6 + 4] = (60_000).to_bytes(4, "little")
    strange = bytearray(whole)
    strange[8 + 8 * 6 + 4 : 8 + 8 * 6 + 6] = (999).to_bytes(2, "little")
    data, skipped = _converted(perfdata([whole, bytes(cpu), bytes(long), bytes(strange)]))
    tables, _ = known(data)
    assert (sum(map(len, tables)), skipped) == (1, 3)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PERFILE2" + (16).to_bytes(8, "little") + bytes(200), "came through a pipe"),
        (b"PERFILE2" + bytes(20), "cut, or damaged, in its head"),
        (perfdata([sample(LIFE[0])], flags=[4]), "has no tracepoints"),
        (perfdata([sample(LIFE[0])], [KIND, KIND | Has.ADDR]), "not as perf kvm stat record makes them"),
        (perfdata([sample(LIFE[0])], [KIND | Has.READ]), "not as perf kvm stat record makes them"),
        (perfdata([sample(LIFE[0])], [KIND & ~Has.RAW]), "not as perf kvm stat record makes them"),
        (perfdata([b"\x51\0\0\0\0\0\x10\0" + bytes(8)]), "is compressed"),
    ],
)
def test_what_cannot_be_read(data: bytes, why: str) -> None:
    with pytest.raises(TraceError, match=why):
        _converted(data)


SMALL = perfdata([comm(VCPU, "CPU 0/KVM"), *map(sample, LIFE[:9]), ROUND, *(sample(one, cpu=1) for one in LIFE[9:])])


def _records(data: bytes, monkeypatch: pytest.MonkeyPatch) -> int | None:
    from traces.kvm.decode import perfdata as module  # noqa: PLC0415 - to make the hole small

    monkeypatch.setattr(module, "_BEGIN", 1 << 16)
    try:
        trace, counts, _ = counted(_converted(data)[0])
    except TraceError:
        return None
    return report(counts, trace).account.records


def test_cut_at_every_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [_records(SMALL[:size], monkeypatch) for size in range(8, len(SMALL))]
    # Formats lie at its end: until they are whole, nothing can be read; after that all is.
    assert set(found) == {None, len(LIFE)}
    assert found == sorted(found, key=lambda one: one is not None)


def test_mutations(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret depends on it
    kept = 0
    for _ in range(10_000):
        data = bytearray(SMALL)
        for _ in range(chance.choice([1, 1, 4, 30])):
            data[chance.randrange(8, len(data))] = chance.randrange(256)
        found = _records(bytes(data), monkeypatch)
        assert found is None or found <= len(LIFE)
        kept += found is not None
    assert kept > 1000  # the others are refused


def test_a_name_of_several_lines_names_no_other_thread() -> None:
    _, trace = known(_converted(perfdata([comm(77, "x\n500 root"), *map(sample, LIFE)]))[0])
    assert trace.comms == {77: "x 500 root"}
