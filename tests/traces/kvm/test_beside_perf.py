"""A machine that `xentool record` and `perf kvm stat record` recorded at once: exits as perf counts them."""

import io
import lzma
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.traces.kvm.perfs import reasons
from tests.traces.kvm.traces import FOLDER, counted, known, pieces, unpack
from traces.analyses.kvm import report
from traces.answers import VcpuReport
from traces.kvm.counted import of
from traces.kvm.decode import perfdata, tracedat

NAME = "linux-6.1-beside-perf"


class Exit(NamedTuple):
    """A VM exit: of which thread, where, why and at what instruction of the guest's."""

    pid: int
    pcpu: int
    reason: int
    rip: int


def _kept(ending: str) -> bytes:
    return lzma.decompress((FOLDER / f"{NAME}{ending}.xz").read_bytes())


def _exits(data: bytes) -> tuple[list[Exit], list[int]]:
    # And when each was, in ticks.
    exits: list[Exit] = []
    ticks: list[int] = []
    for table in known(data)[0]:
        rows, fields = table.of_event("kvm_exit", "exit_reason", "guest_rip")
        reason, rip = fields
        pid, pcpu = table.pid[rows].tolist(), table.pcpu[rows].tolist()
        exits += map(Exit, pid, pcpu, reason.tolist(), rip.tolist())
        ticks += table.tsc[rows].tolist()
    return exits, ticks


def _vcpu(data: bytes, begin: int, end: int) -> VcpuReport:
    # What it did between two ticks since the first record.
    file = io.BytesIO(data)
    trace = tracedat.read(file, unpack)
    counts = of(trace)
    counts.window(begin, end)
    counts.run(pieces(file, trace, []))
    (machine,) = (domain for domain in report(counts, trace).domains if domain.mode == "kvm")
    assert machine.name == "web"
    (vcpu,) = machine.vcpus
    return vcpu


def test_a_live_recording_has_the_exits_that_perf_counts(tmp_path: Path) -> None:
    theirs = io.BytesIO()
    assert perfdata.convert(io.BytesIO(_kept(".perf.data")), theirs) == 0
    ours = _kept(".dat")
    sought, _ = _exits(theirs.getvalue())
    found, ticks = _exits(ours)
    # All that perf recorded, one after the other, once: no clock is needed to find it.
    (start,) = [at for at in range(len(found) - len(sought) + 1) if found[at : at + len(sought)] == sought]
    assert len(sought) == 3056

    path = tmp_path / "perf.data"
    path.write_bytes(_kept(".perf.data"))
    told = reasons(path, "vmexit")
    first = counted(ours)[1].first
    last = start + len(sought) - 1
    vcpu = _vcpu(ours, ticks[start] - first, ticks[last] + 1 - first)
    assert sum(one.count for one in vcpu.exits) == len(sought)
    # The last exit has no entry before its recording ends, which perf leaves out.
    assert {one.name: one.latency.count for one in vcpu.exits} == {name: count for name, (count, _mean) in told.items()}
    # Perf does not tell apart where the thread was until the entry. In us, for each writes while the other's time runs.
    for one in vcpu.exits:
        all_ = one.seconds + (one.user_seconds or 0) + one.descheduled_seconds
        assert all_ / one.latency.count * 1e6 == pytest.approx(told[one.name][1], abs=50)
