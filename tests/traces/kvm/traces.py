"""Traces of KVM for the tests: a real one, and those made here, record by record."""

import io
import lzma
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from traces.analyses import kvm
from traces.choice.where import Where
from traces.exporters.kvm.groups import Trace
from traces.kvm.counted import Counted, of
from traces.kvm.decode import tracedat
from traces.kvm.decode.tracedat import TraceDat
from traces.kvm.formats import containers
from traces.kvm.table import RecordTable, read
from traces.kvm.table import Told as TableTold
from traces.plain import replace

FOLDER = Path(__file__).parents[2] / "captures" / "kvm"
PAGE = 4096
_COMMON = """
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
"""
HEADER_PAGE = b"""	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:1;
"""


class Event(NamedTuple):
    """An event as a kernel may lay it out: its number, its fields as (type, name, size), and its print format."""

    number: int
    fields: Sequence[tuple[str, str, int]]
    print_format: str = '""'


#: Not as any kernel has them: offsets must come from the formats.
EVENTS = {
    "kvm_entry": Event(11, [("unsigned long", "rip", 8), ("unsigned int", "vcpu_id", 4)]),
    "kvm_exit": Event(
        12,
        [("u32", "isa", 4), ("unsigned int", "vcpu_id", 4), ("unsigned int", "exit_reason", 4)],
        '"%s", (REC->isa == 1) ? __print_symbolic(REC->exit_reason & 0xffff, { 12, "HLT" }, { 48, "EPT_VIOLATION" }) : '
        '__print_symbolic(REC->exit_reason, { 0x078, "hlt" }, { 0x400, "npf" })',
    ),
    "kvm_userspace_exit": Event(
        13,
        [("__u32", "reason", 4), ("int", "errno", 4)],
        '"reason %s", __print_symbolic(REC->reason, { 2, "KVM_EXIT_" "IO" }, { 6, "KVM_EXIT_" "MMIO" })',
    ),
    "kvm_pio": Event(14, [("unsigned int", "rw", 4), ("unsigned int", "port", 4)]),
    "kvm_mmio": Event(15, [("u32", "type", 4), ("u32", "len", 4), ("u64", "gpa", 8), ("u64", "val", 8)]),
    "kvm_inj_virq": Event(16, [("unsigned int", "vector", 4)]),
    "sched_switch": Event(17, [("pid_t", "prev_pid", 4), ("pid_t", "next_pid", 4), ("long", "prev_state", 8)]),
    "sched_wakeup": Event(18, [("pid_t", "pid", 4)]),
    "kvm_fast_mmio": Event(19, [("u64", "gpa", 8)]),
    "kvm_msr": Event(20, [("unsigned", "write", 4), ("u32", "ecx", 4), ("u64", "data", 8)]),
}


def _le(size: int, number: int) -> bytes:
    return number.to_bytes(size, "little")


def format_file(name: str, event: Event) -> bytes:
    """Give what a kernel's format file says of an event."""
    text, at = f"name: {name}\nID: {event.number}\nformat:{_COMMON}\n", 8
    for kind, field, size in event.fields:
        signed = int(kind in ("int", "pid_t", "long"))
        text += f"\tfield:{kind} {field};\toffset:{at};\tsize:{size};\tsigned:{signed};\n"
        at += size
    return f"{text}\nprint fmt: {event.print_format}\n".encode()


class Told(NamedTuple):
    """A record to be made: when, the thread that ran, which event, and its fields."""

    ts: int
    pid: int
    event: str
    fields: Mapping[str, int] = MappingProxyType({})


def record(told: Told) -> bytes:
    """Give an event's own bytes."""
    event = EVENTS[told.event]
    data = _le(2, event.number) + bytes(2) + _le(4, told.pid)
    for _, field, size in event.fields:
        data += told.fields.get(field, 0).to_bytes(size, "little")
    return data + bytes(-len(data) % 4)


def page(records: Sequence[Told], lost: int = 0, size: int = PAGE) -> bytes:
    """Give one page of a ring buffer, whose time is its first record's."""
    first = last = records[0].ts if records else 0
    body = b""
    for one in records:
        delta, last = one.ts - last, one.ts
        if delta >> 27:
            body += _le(4, (delta & (1 << 27) - 1) << 5 | 30) + _le(4, delta >> 27)
            delta = 0
        data = record(one)
        body += _le(4, delta << 5 | len(data) // 4) + data
    missed = (1 << 31 | 1 << 30) if lost else 0
    told = _le(8, lost) if lost else b""
    return (_le(8, first) + _le(8, len(body) | missed) + body + told).ljust(size, b"\0")


def described(formats: Sequence[str] = ()) -> bytes:
    """Give what says how pages and events are laid out; see ``sixth``."""
    told = [format_file(name, event) for name, event in EVENTS.items()] + [one.encode() for one in formats]
    return bytes(
        containers.HEADER_INFO.build({"page": HEADER_PAGE, "event": b""})
        + containers.FTRACE_EVENTS.build([])
        + containers.EVENT_FORMATS.build([{"system": "kvm", "events": told}])
    )


def sixth(
    pages: Sequence[Sequence[bytes]], comms: str = "", clock: str = "global", formats: Sequence[str] = ()
) -> bytes:
    """Make a trace.dat of version 6 of each processor's pages.

    :param formats: of events besides ``EVENTS``; one that has a number of theirs is instead of it
    """
    out: bytes = containers.HEAD.build({"version": "6", "big_endian": 0, "long_size": 8, "page_size": PAGE})
    out += described(formats)
    out += containers.LEFT_OUT.build(b"") * 2 + containers.CMDLINES.build(comms.encode()) + _le(4, len(pages))
    out += containers.OPTIONS_WORD
    out += containers.OPTION.build({"id": containers.Option.TRACECLOCK, "data": f"local [{clock}]".encode()})
    out += _le(2, containers.Option.DONE) + containers.FLYRECORD
    at = len(out) + 16 * len(pages)
    at += -at % PAGE
    places, body = b"", b""
    for of_cpu in pages:
        data = b"".join(of_cpu)
        places += containers.PLACE.build({"offset": at + len(body), "size": len(data)})
        body += data
    return (out + places).ljust(at, b"\0") + body


VCPU, OTHER = 500, 77
RUNS, SLEEPS = 0, 1


def switch(ts: int, one: int, state: int, other: int) -> Told:
    return Told(ts, one, "sched_switch", {"prev_pid": one, "prev_state": state, "next_pid": other})


def exit_(ts: int, pid: int, reason: int, vcpu: int = 0, isa: int = 2) -> Told:
    return Told(ts, pid, "kvm_exit", {"isa": isa, "vcpu_id": vcpu, "exit_reason": reason})


def entry(ts: int, pid: int, vcpu: int = 0) -> Told:
    return Told(ts, pid, "kvm_entry", {"vcpu_id": vcpu})


#: One processor: a vCPU that is preempted within an exit, goes to its process, halts and is woken.
LIFE = [
    switch(1000, OTHER, SLEEPS, VCPU),
    entry(1010, VCPU),  # 10 in the kernel
    exit_(1110, VCPU, 0x400),  # 100 in the guest
    Told(1115, VCPU, "kvm_mmio", {"type": 2, "gpa": 0xFEB00000, "len": 4}),
    switch(1120, VCPU, RUNS, OTHER),  # 10 in the kernel
    switch(1150, OTHER, RUNS, VCPU),  # 30 preempted
    entry(1157, VCPU),  # 7 in the kernel
    exit_(1207, VCPU, 0x7B),  # 50 in the guest, for a reason that has no name
    Told(1208, VCPU, "kvm_pio", {"rw": 1, "port": 0x3F8}),
    Told(1210, VCPU, "kvm_userspace_exit", {"reason": 2}),  # 3 in the kernel
    entry(1250, VCPU),  # 40 in its process
    Told(1250, VCPU, "kvm_inj_virq", {"vector": 236}),
    exit_(1300, VCPU, 0x78),  # 50 in the guest
    switch(1306, VCPU, SLEEPS, OTHER),  # 6 in the kernel
    Told(1400, OTHER, "sched_wakeup", {"pid": VCPU}),  # 94 blocked
    switch(1411, OTHER, RUNS, VCPU),  # 11 runnable
    entry(1413, VCPU),  # 2 in the kernel
    exit_(1500, VCPU, 0x78),  # 87 in the guest; nothing ends this one
]


@cache
def sample() -> bytes:
    """Give a real one: Linux 6.1 with one machine, version 7, packed by zstd."""
    return lzma.decompress((FOLDER / "linux-6.1-virtio.dat.xz").read_bytes())


def unpack(data: bytes, size: int) -> bytes:
    import zstandard  # noqa: PLC0415 - of the few tests that need it

    try:
        return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=size))
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def pieces(file: BinaryIO, trace: TraceDat, lost: list[tuple[str, int]]) -> list[Iterator[bytes]]:
    return [
        tracedat.pages(file, one, unpack, 2 * PAGE, lambda code, at: lost.append((code, at))) for one in trace.streams
    ]


def counted(data: bytes) -> tuple[TraceDat, Counted, list[tuple[str, int]]]:
    """Count a trace: what it says of itself, what it holds, and what could not be read."""
    file = io.BytesIO(data)
    trace = tracedat.read(file, unpack)
    counts = of(trace)
    lost: list[tuple[str, int]] = []
    counts.run(pieces(file, trace, lost))
    return trace, counts, lost


def known(data: bytes, where: Where | None = None) -> tuple[Iterator[RecordTable], Trace]:
    """Read a trace twice: its records in tables, and what names them."""
    trace, counts, _ = counted(data)
    report = replace(kvm.report(counts, trace), where=where or Where())
    threads = counts.threads
    vcpus = {
        threads[index].pid: (machine.pid, threads[index].vcpu or 0)
        for machine in kvm.machines(threads, trace.guests)
        for index in machine.threads
    }
    told = TableTold({one.name: one for one in trace.layouts.values()}, vcpus)
    streams = [(one.cpu, one.page_size) for one in trace.streams]
    tables = read(streams, pieces(io.BytesIO(data), trace, []), told)
    return tables, Trace(report, trace.layouts, trace.comms, kvm.seen(counts))
