"""A comparison made by hand."""

from traces.analyses.phases.comparison import Comparison, TechniqueCounts
from traces.analyses.phases.per_request import PerRequest, WorkCounts


def sure(mean: float) -> PerRequest:
    return PerRequest(mean, 0.0, (mean, mean))


def made(*, emulated: bool = True) -> Comparison:
    pv = WorkCounts(
        work="disk-write",
        requests=200,
        figures={"doorbells": sure(1.0), "hypercalls": PerRequest(12.5, 0.25, (12.4, 12.6)), "grant_maps": sure(1.0)},
        kinds={"hypercalls": {"iret": 8.0, "event_channel_op": 1.0}},
        shares={"guest": 0.25, "backend": 0.5},
        seconds=sure(0.001),
    )
    ide = WorkCounts(
        work="disk-write",
        requests=200,
        figures={"doorbells": sure(26.0), "exits": PerRequest(40.0, None, (40.0,))},
        kinds={"doorbells": {"out 0x1f7": 1.0}},
        shares={"guest": 0.125, "device_model": 0.375},
        seconds=sure(0.002),
    )
    return Comparison(
        emulated=emulated,
        works={"disk-write": "4 KiB written"},
        techniques=(
            TechniqueCounts("xen-pv", "Xen, direct paging", "Xen 4.17", "blkback", (pv,)),
            TechniqueCounts("kvm-emulated", "KVM, IDE", "KVM", "QEMU", (ide,)),
        ),
        left_out={"xen-hvm": "it was not seen to start"},
    )
