"""Words for whoever recorded a trace: texts and pages ask here what to call things, by ``Report.source``."""

from traces.answers import Report
from traces.plain import frozen


@frozen
class Words:
    """What things are called.

    trace         what the trace is
    scheduler     who lets vCPUs wait
    in_hypervisor where a vCPU is between a VM exit and its entry
    nameless      what a domain is that has no name
    recorder      what is not recorded, of whom
    gaps          what a pCPU does that runs no vCPU
    noted         whether tools note when it was recorded
    """

    trace: str
    scheduler: str
    in_hypervisor: str
    nameless: str
    recorder: str
    gaps: str
    noted: bool


_XEN = Words("Xen trace", "Xen", "in Xen", "Domain", "Xen has no trace record", "idle", noted=True)
_KVM = Words(
    "KVM trace", "Linux", "in Linux", "QEMU thread", "KVM has no trace event", "other threads, or idle", noted=False
)


def words_of(source: str) -> Words:
    """Give the words for a source, as a report names it."""
    return _KVM if source == "kvm" else _XEN


def words(report: Report) -> Words:
    """Give the words for a report."""
    return words_of(report.source)
