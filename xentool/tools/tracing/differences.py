"""What differs between two trace files."""

from dataclasses import dataclass
from pathlib import Path

from traces.analyses import slices
from traces.analyses.compare import Samples, compare, sampled
from traces.answers import Report
from traces.exporters.differences import Differences
from traces.plain import replace
from traces.reader import Reader, read
from xentool.errors import XentoolError
from xentool.tools.tracing import reports, sidecar
from xentool.tools.tracing.reports import AS_IT_IS, Reading


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
        report = reports.report(source, str(path), reading, capture=sidecar.read(path))
        wanted = slices.wanted(report)
        # Of a hostile trace the rest is large, and goes before it is read again.
        domains = tuple(replace(one, vcpus=(), contention={}) for one in report.domains)
        report = replace(report, domains=domains, grants=(), notifications=(), irqs=())
        source.seek(0)
        found = slices.read(read(source, Reader(report.shifts)), wanted)
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
    changes = compare(before.samples, after.samples, named)
    return Differences(str(before.path), str(after.path), changes, unmatched, assumed)


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
