"""Traces made by hand: records, the windows that pCPUs write, and what a report on them says."""

import struct

from traces.analyses.report import DomainInfo
from traces.analyses.report import report as report_of
from traces.answers import Report, VcpuReport
from traces.scan import Scan
from traces.xen.formats import events as xentrace

RUNNING, RUNNABLE, BLOCKED = range(3)
VMEXIT, VMENTRY = 0x81103, xentrace.HVM_VMENTRY
HZ = 1e9

WINDOW = struct.Struct("<III")
CPU_CHANGE_HEADER = 2 << 28 | xentrace.CPU_CHANGE


def window(cpu: int, body: bytes) -> bytes:
    return WINDOW.pack(CPU_CHANGE_HEADER, cpu, len(body)) + body


def record(event: int, tsc: int | None, *words: int) -> bytes:
    header = event | len(words) << xentrace.EXTRA_SHIFT | (xentrace.CYCLES_FLAG if tsc is not None else 0)
    stamp = b"" if tsc is None else struct.pack("<Q", tsc)
    return struct.pack("<I", header) + stamp + struct.pack(f"<{len(words)}I", *words)


def change(tsc: int, domid: int, vcpu: int, old: int, new: int) -> bytes:
    return record(xentrace.RUNSTATE_CHANGE | old << 8 | new << 4, tsc, domid << 16 | vcpu)


def report(*windows: bytes, infos: dict[int, DomainInfo] | None = None) -> Report:
    scan = Scan()
    scan.feed(b"".join(windows))
    scan.finish()
    return report_of(scan, hz=HZ, infos=infos)


def vcpu(found: Report, domid: int, number: int) -> VcpuReport:
    return next(v for d in found.domains if d.domid == domid for v in d.vcpus if v.vcpu == number)


def cycles(of: VcpuReport) -> dict[str, tuple[int, int, int]]:
    return {
        name: (state.count, round(state.seconds * HZ), round(state.clipped_seconds * HZ))
        for name, state in of.runstates.items()
    }
