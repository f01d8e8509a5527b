"""Choices of records, and reports on them."""

import io

from traces import scan as scans
from traces.analyses import select, series
from traces.analyses.report import report as report_of
from traces.analyses.series import Series
from traces.answers import Report
from traces.choice.where import Where, kinds
from traces.reader import Reader, read

HZ = 1e9
CAPTURES = ["xen-4.17-pv2", "xen-4.20-pvh"]


def report(data: bytes, where: Where, *, lanes: int = 2) -> Report:
    whole = scans.read(io.BytesIO(data), lanes=lanes)
    scan = scans.read(
        io.BytesIO(data), lanes=lanes, pcpus=where.pcpus, stretches=scans.in_runs(whole.runs, *where.cycles(HZ))
    )
    return select.of(report_of(scan, hz=HZ), where)


WHERES = [
    Where(pcpus=frozenset({1})),
    Where(begin=0.2, end=0.31),
    Where(end=0.05),
    Where(begin=0.1, pcpus=frozenset({0}), kinds=kinds("hypercall,pv_page_fault")),
    Where(kinds=kinds("mmu_update,sched_wake,mem_page_grant_map")),
    Where(kinds=kinds("!iret,!sched")),
    Where(vcpus=frozenset({1}), kinds=kinds("!exit,!event_channel_op")),
    Where(domid=0, vcpus=frozenset({0}), begin=0.15),
]


def intervals(data: bytes, found: Report, seconds: float) -> Series:
    return series.read(read(io.BytesIO(data), Reader()), found, series.edges(found, seconds), seconds)
