"""What of a capture is kept among many others: some kilobytes, whatever it holds."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from traces.analyses.fleet.parts import TEXT_MAX, Part, merged, part
from traces.answers import Report
from traces.counting.latencies import BUCKETS, COMMON_HZ, Distribution, bounds, bucket
from traces.plain import frozen

#: Of how a digest is written down: another program's are not read.
VERSION = 1
#: Domains of a capture, and waits, that are kept: the busiest, the longest.
DOMAINS_MAX, SLOW_MAX = 64, 10


@frozen
class Slow:
    """The longest wait for a pCPU of one vCPU: seconds since the first record, and where the record that ended it is.

    ``offset`` is in bytes of the (unpacked) file; None where it is not known.
    """

    domain: str
    vcpu: int
    pcpu: int
    begin_s: float
    seconds: float
    offset: int | None


class Whose(NamedTuple):
    """Whom a measure is of: a domain by its name, among those of its hypervisor; see ``Digest.source``."""

    name: str
    source: str


#: Whom measures of a capture as such are of.
CAPTURE = Whose("", "")


@frozen
class Digest:
    """A capture among others. ``domains`` are by name, those of one name together; ``damage`` says what is wrong.

    ``day`` is that of its first record by its host's clock; ``version`` is of Xen, or of a kernel. ``timed`` is whether
    the rate of its clock is known: of others times are no seconds.
    """

    file: str
    host: str | None
    day: str | None
    source: str
    version: str | None
    timed: bool
    bytes: int
    records: int
    lost: int
    skipped: int
    seconds: float
    damage: str | None
    domains: Mapping[str, Part]
    slow: tuple[Slow, ...]


def digest(report: Report, file: str, host: str | None, damage: str | None) -> Digest:
    """Give what is kept of a capture.

    :param report: on all of it
    :param host: that recorded it
    :param damage: in words
    """
    account = report.account
    granted: Counter[int] = Counter()
    for pair in report.grants:
        granted[pair.granter] += pair.maps
    by_name: dict[str, list[Part]] = {}
    slow = []
    busiest = sorted(report.told, key=lambda one: -sum(sum(vcpu.events.values()) for vcpu in one.vcpus))
    for domain in busiest[:DOMAINS_MAX]:
        name = (domain.name or f"domid {domain.domid}")[:TEXT_MAX]
        by_name.setdefault(name, []).append(part(domain, report.span_s, granted[domain.domid]))
        slow += [
            Slow(name, vcpu.vcpu, wait.pcpu, wait.begin, wait.end - wait.begin, wait.offset)
            for vcpu in domain.vcpus
            if (wait := vcpu.longest_wait) is not None
        ]
    slow.sort(key=lambda one: -one.seconds)
    recorded = report.recorded.text() if report.recorded else None
    return Digest(
        file=file,
        host=host,
        day=recorded[:10] if recorded else None,
        source=report.source,
        version=report.xen_version or report.kernel,
        timed=not report.clock.assumed,
        bytes=account.bytes,
        records=account.records,
        lost=account.lost_records,
        skipped=account.skipped_bytes,
        seconds=report.span_s,
        damage=damage,
        # Domains of one name in one capture are one, which was there once.
        domains={name: _one(of) for name, of in by_name.items()},
        slow=tuple(slow[:SLOW_MAX]),
    )


def _one(of: list[Part]) -> Part:
    if len(of) == 1:
        return of[0]
    sums = merged(of)
    return Part(1, of[0].seconds, *[getattr(sums, name) for name in Part.__match_args__[2:]])


def document(one: Digest) -> dict[str, Any]:
    """Give a digest as what JSON can hold; see ``parsed``."""
    values: dict[str, Any] = {name: getattr(one, name) for name in Digest.__match_args__}
    values["domains"] = {name: _part_document(of) for name, of in one.domains.items()}
    values["slow"] = [[getattr(of, name) for name in Slow.__match_args__] for of in one.slow]
    return values


def parsed(values: dict[str, Any]) -> Digest:
    """Give the digest of such a document.

    :raises ValueError, TypeError, KeyError: it is none
    """
    domains = {name: _part_of(of) for name, of in values["domains"].items()}
    return Digest(**values | {"domains": domains, "slow": tuple(Slow(*of) for of in values["slow"])})


def _part_document(of: Part) -> dict[str, Any]:
    waits = {
        name: [
            [[bucket(round(begin * COMMON_HZ)), count] for (begin, _), count in took.counts.items()],
            took.longest,
            took.seconds,
        ]
        for name, took in of.waits.items()
    }
    return {**{name: getattr(of, name) for name in Part.__match_args__}, "waits": waits}


def _part_of(values: dict[str, Any]) -> Part:
    waits = {}
    for name, (counts, longest, seconds) in values["waits"].items():
        ranges = {}
        for at, count in counts:
            if not 0 <= at < BUCKETS:
                raise ValueError(f"{at} is no range")
            begin, end = bounds(at)
            ranges[begin / COMMON_HZ, end / COMMON_HZ] = count
        waits[name] = Distribution(ranges, longest, seconds, COMMON_HZ)
    return Part(**values | {"waits": waits})
