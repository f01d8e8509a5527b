"""A recording written as a trace.dat, held to our reader and to trace-cmd."""

import io
import re
import shutil
import subprocess
from pathlib import Path

from tests import missing
from tests.traces.kvm.streams import PID, THREADS, head
from tests.traces.kvm.traces import LIFE, PAGE, page, unpack
from traces.kvm.decode import tracedat
from traces.kvm.decode.tracedat import Process
from traces.kvm.encode import opening
from traces.kvm.stream import Head, Reader
from traces.kvm.table import Told, read

CPUS = 3
DATA = {0: page(LIFE[:5]) + page(LIFE[5:9]), 2: page(LIFE[9:])}
STATS = "CPU: 0\nentries: 0\noverrun: 4\n"


def _written() -> bytes:
    begin = next(Reader().feed(head(CPUS)))
    assert isinstance(begin, Head)
    start = opening(
        begin, Process(PID, "web", frozenset(THREADS)), THREADS, [STATS], {cpu: len(of) for cpu, of in DATA.items()}
    )
    out = bytearray(start.data)
    for cpu, data in DATA.items():
        assert start.places[cpu] == len(out)
        out += data
    return bytes(out)


def test_it_is_read_as_it_was_written() -> None:
    data = _written()
    trace = tracedat.read(io.BytesIO(data), unpack)
    assert (trace.version, trace.clock, trace.kernel, trace.diagnostics) == (6, "mono", "Linux h 6.1 x86_64", [])
    assert (trace.comms, trace.stats) == (THREADS, [STATS])
    assert trace.processes == [Process(PID, "web", frozenset(THREADS))]
    assert {one.cpu: data[one.offset : one.offset + one.size] for one in trace.streams} == DATA
    assert all(one.offset % PAGE == 0 for one in trace.streams)


def test_without_a_name() -> None:
    begin = next(Reader().feed(head(1)))
    assert isinstance(begin, Head)
    data = opening(begin, Process(7, None, frozenset()), {}, [], {}).data
    assert tracedat.read(io.BytesIO(data), unpack).processes == [Process(7, None, frozenset())]


def test_trace_cmd_reads_the_same_records(tmp_path: Path) -> None:
    if shutil.which("trace-cmd") is None:
        missing.missing("trace-cmd is not installed")
    path = tmp_path / "made.dat"
    path.write_bytes(_written())
    told = subprocess.run(["trace-cmd", "report", "-t", "-i", str(path)], capture_output=True, check=True, text=True)
    theirs = re.findall(r"^\s*(.+)-(\d+)\s+\[(\d+)\]\s+(\d+)\.(\d+): (\w+):", told.stdout, re.MULTILINE)
    trace = tracedat.read(io.BytesIO(path.read_bytes()), unpack)
    ours = [
        record
        for table in read([(cpu, PAGE) for cpu in DATA], [iter([of]) for of in DATA.values()], Told({}, {}))
        for record in zip(*(one.tolist() for one in (table.pid, table.pcpu, table.tsc, table.event)), strict=True)
    ]
    assert [(int(pid), int(cpu), int(s + ns), name) for _comm, pid, cpu, s, ns, name in theirs] == [
        (pid, cpu, ts, trace.layouts[event].name) for pid, cpu, ts, event in ours
    ]
    assert len(theirs) == len(LIFE)
    assert {(int(pid), comm) for comm, pid, *_ in theirs if int(pid) == 500} == {(500, "CPU 0/KVM")}
