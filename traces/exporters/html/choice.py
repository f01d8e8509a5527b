"""What of a report a page draws: all of it, unless that is more than a browser shows and a person reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from traces.account import IDLE_DOMID
from traces.answers import DomainReport, Report
from traces.exporters import sections

#: A page that draws more than this says so; the report itself has all.
VCPUS_MAX, PCPUS_MAX = 64, 128


@dataclass(frozen=True)
class Choice:
    """What of a report a page draws: the busiest domains, in order of their numbers, and the first of their vCPUs."""

    domains: Sequence[DomainReport]
    vcpus: Sequence[tuple[int, int]]
    pcpus: Sequence[int]
    missing: Sequence[str]


def choose(report: Report) -> Choice:
    """Choose what to draw."""
    domains = sections.domains(report)
    timed = {one.domid: [vcpu for vcpu in one.vcpus if vcpu.runstates] for one in domains}
    vcpus = [(domid, vcpu.vcpu) for domid, of in timed.items() for vcpu in of[:VCPUS_MAX]]
    whole_host = any(one.domid == IDLE_DOMID for one in report.domains)
    pcpus = report.account.pcpus[:PCPUS_MAX] if whole_host else []
    missing = []
    if any(len(of) > VCPUS_MAX for of in timed.values()):
        missing.append(f"only the first {VCPUS_MAX} vCPUs of a domain in the timeline")
    if whole_host and len(report.account.pcpus) > PCPUS_MAX:
        missing.append(f"only the first {PCPUS_MAX} of {len(report.account.pcpus):,} pCPUs")
    return Choice(domains, vcpus, pcpus, missing)
