"""What differs between two trace files."""

from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast

from traces.analyses import slices
from traces.analyses.compare import Samples, compare, sampled
from traces.answers import Report
from traces.exporters.differences import Differences
from traces.plain import replace
from xentool.errors import XentoolError
from xentool.tools.tracing import kvm, reports, sidecar
from xentool.tools.tracing.reports import AS_IT_IS, Reading
from xentool.tools.tracing.slowest import Again, of_xen

#: Between a trace of Xen and one of KVM.
NOT_COMPARED = ("exits", "grants", "hypercalls")


@dataclass(frozen=True)
class Trace:
    """A trace file: its report, without what its vCPUs did, and what of it is compared."""

    path: Path
    report: Report
    samples: Samples


def trace(path: Path, reading: Reading = AS_IT_IS) -> Trace:
    """Read a trace file.

    :raises XentoolError: it can't be read, or is too short to be cut into slices
    :raises PeerError: it is no xentrace
    """
    with reports.opened(path) as source:
        if kvm.is_trace(source):
            known = kvm.read(cast(BufferedReader, source), str(path), reading)
            report, again = known.report, cast(Again, kvm.again(cast(BufferedReader, source), known)[0])
        else:
            report = reports.report(source, str(path), reading, capture=sidecar.read(path))
            again = of_xen(source, 0, report)
        wanted = slices.wanted(report)
        # Of a hostile trace the rest is large, and goes before it is read again.
        domains = tuple(replace(one, vcpus=(), contention={}) for one in report.domains)
        report = replace(report, domains=domains, grants=(), notifications=(), irqs=())
        found = slices.read(again(), wanted)
    if found is None:
        least = slices.COUNT_MIN * slices.SECONDS_MIN
        raise XentoolError(f"{path} is too short to compare: {report.span_s:.2f} s, and {least} s are needed")
    return Trace(path, report, sampled(found))


def differences(before: Trace, after: Trace, domain: str | None = None) -> Differences:
    """Compare two traces.

    :param domain: only this one, by its number or name; ``ONE:OTHER`` where it is called otherwise in the second
    :raises XentoolError: there is no such domain
    """
    ones, others = _domids(before.report), _domids(after.report)
    if domain is None:
        pairs = _pairs(before.report, after.report)
    else:
        one, _, other = domain.partition(":")
        pairs = [(reports.domid_of(before.report, one), reports.domid_of(after.report, other or one))]
        ones = others = []
    named = [(one, other, before.report.names.get(one) or after.report.names.get(other)) for one, other in pairs]
    unmatched = (
        _without(ones, {one for one, _ in pairs}),
        _without(others, {other for _, other in pairs}),
    )
    assumed = before.report.clock.assumed, after.report.clock.assumed
    one_kind = before.report.source == after.report.source
    of = [trace.samples if one_kind else _common(trace.samples) for trace in (before, after)]
    changes = compare(of[0], of[1], named)
    return Differences(str(before.path), str(after.path), changes, unmatched, assumed, () if one_kind else NOT_COMPARED)


def _common(samples: Samples) -> Samples:
    # What Xen's traces and KVM's have in common: each has hypercalls and VM exits of its own.
    return {
        domid: {
            measure: sample
            for measure, sample in of.items()
            if measure.kind not in NOT_COMPARED and (measure.kind != "latencies" or measure.name in slices.WAITS)
        }
        for domid, of in samples.items()
    }


def _without(domids: list[int], matched: set[int]) -> list[int]:
    return [domid for domid in domids if domid not in matched]


def _domids(report: Report) -> list[int]:
    return [one.domid for one in report.told]


def _pairs(before: Report, after: Report) -> list[tuple[int, int]]:
    # By name where both tell names, since a domain gets another number at each start; else by number.
    by_name = {name: domid for domid, name in after.names.items()}
    there = set(_domids(after))
    pairs = []
    for domid in _domids(before):
        other = by_name.get(before.names[domid]) if by_name and domid in before.names else domid
        if other in there:
            pairs.append((domid, other))
    return pairs
