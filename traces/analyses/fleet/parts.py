"""What domains did, so that those of many captures can be added: sums, and distributions in ranges that all share.

Law: nothing here is a mean or a percentile. These are made of sums and of whole distributions when all is added.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from traces.answers import DomainReport
from traces.counting import latencies
from traces.counting.latencies import Distribution
from traces.plain import field, frozen

#: Names of one kind that are kept of one domain; a hostile capture has more. The others are added up as this.
NAMES_MAX, OTHERS = 200, "others"
#: Characters of a name that are kept.
TEXT_MAX = 200


@frozen
class Part:
    """What a domain did in so many captures.

    ``seconds`` is how long these took, ``vcpu_seconds`` that of each vCPU of which run states are known, and
    ``runstates`` the seconds of these by state. ``granted`` counts pages of its own that others mapped. ``waits`` has
    "wake_to_run", "preempted_to_run" and "exits", by nanoseconds (``latencies.common``).
    """

    captures: int = 0
    seconds: float = 0.0
    vcpu_seconds: float = 0.0
    runstates: Mapping[str, float] = field(default_factory=dict)
    hypercalls: Mapping[str, int] = field(default_factory=dict)
    exits: Mapping[str, int] = field(default_factory=dict)
    granted: int = 0
    waits: Mapping[str, Distribution] = field(default_factory=dict)


def part(domain: DomainReport, span_s: float, granted: int) -> Part:
    """Give what one domain did in one capture.

    :param span_s: seconds that the capture spans
    :param granted: pages of the domain's own that others mapped
    """
    states: defaultdict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    exits: Counter[str] = Counter()
    waits: dict[str, list[Distribution]] = {}
    for vcpu in domain.vcpus:
        for name, state in vcpu.runstates.items():
            states[name] += state.seconds
        for call in (*vcpu.hypercalls, *vcpu.multicall_subcalls):
            calls[call.name[:TEXT_MAX]] += call.count
        for one in vcpu.exits:
            exits[one.name[:TEXT_MAX]] += one.count
        for name, took in vcpu.latencies.items():
            waits.setdefault(name, []).append(took)
    return Part(
        captures=1,
        seconds=span_s,
        vcpu_seconds=span_s * sum(bool(vcpu.runstates) for vcpu in domain.vcpus),
        runstates=dict(states),
        hypercalls=_kept(calls),
        exits=_kept(exits),
        granted=granted,
        waits={name: latencies.common(of) for name, of in waits.items()},
    )


def merged(parts: Iterable[Part]) -> Part:
    """Add up what domains did, of one capture or of several."""
    captures = granted = 0
    seconds = vcpu_seconds = 0.0
    states: defaultdict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    exits: Counter[str] = Counter()
    waits: dict[str, list[Distribution]] = {}
    for one in parts:
        captures += one.captures
        granted += one.granted
        seconds += one.seconds
        vcpu_seconds += one.vcpu_seconds
        for name, of in one.runstates.items():
            states[name] += of
        calls.update(one.hypercalls)
        exits.update(one.exits)
        for name, took in one.waits.items():
            waits.setdefault(name, []).append(took)
    return Part(
        captures,
        seconds,
        vcpu_seconds,
        dict(states),
        _kept(calls),
        _kept(exits),
        granted,
        {name: latencies.merged(of) for name, of in waits.items()},
    )


def _kept(counts: Counter[str]) -> dict[str, int]:
    if len(counts) <= NAMES_MAX:
        return dict(counts)
    left = Counter({name: count for name, count in counts.items() if name != OTHERS})
    kept = dict(left.most_common(NAMES_MAX - 1))
    return {**kept, OTHERS: counts.total() - sum(kept.values())}
