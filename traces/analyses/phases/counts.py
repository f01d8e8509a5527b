"""What is counted in one phase of a trace, the same of whichever hypervisor."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

from traces.analyses.phases.marks import Phase
from traces.plain import frozen

#: What is counted, by name: what it is, in words.
FIGURES: Mapping[str, str] = {
    "doorbells": "the guest's calls for a device: accesses to its ports and memory, or event channel hypercalls",
    "completions": "interrupts of devices that the guest is given, or event channel hypercalls by which dom0 wakes it",
    "exits": "VM exits of the guest",
    "hypercalls": "hypercalls of the guest, those in multicalls too",
    "device_model": "times that the guest's vCPU waits for its device model, a process on its host",
    "grant_maps": "pages of the guest that dom0 maps",
    "grant_unmaps": "pages of the guest that dom0 unmaps",
    "grant_copies": "copies that dom0 has the hypervisor make",
    "page_tables": "hypercalls, exits and faults in the hypervisor for the sake of the guest's page tables",
}
#: Where a phase's time goes, as shares of it: what the guest's vCPUs do, and apart from it what the backend does.
SHARES: Mapping[str, str] = {
    "guest": "the guest runs",
    "hypervisor": "the hypervisor runs for it",
    "device_model": "its device model runs, for which it waits",
    "waiting": "it could run, and others do",
    "blocked": "it has nothing to do, or waits for a device",
    "backend": "dom0's vCPUs, or the other threads of its machine, run",
}


@frozen
class PhaseCounts:
    """A phase: how much was asked for, how long it took, and what was seen meanwhile.

    ``figures`` are those of `FIGURES` of which the trace can tell; ``kinds`` says of which kinds they are, by figure
    and name; ``shares`` are those of `SHARES` that the trace tells of.
    """

    work: str
    requests: int
    seconds: float
    figures: Mapping[str, int]
    kinds: Mapping[str, Mapping[str, int]]
    shares: Mapping[str, float]


class Tally:
    """Counts by figure and kind, and the time that somebody spent in what: all since the trace's beginning."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._ticks: Counter[str] = Counter()
        self._now: dict[Hashable, tuple[str, int]] = {}

    def count(self, figure: str, kind: str = "", times: int = 1) -> None:
        """Count something; a figure that has no kinds has the kind ``""``."""
        self.counts[figure, kind] += times

    def move(self, who: Hashable, doing: str, now: int) -> None:
        """Take note that somebody does something from now on, in ticks."""
        self._spend(who, now)
        self._now[who] = doing, now

    def doing(self, who: Hashable) -> str | None:
        """Say what somebody does; None if nothing is known."""
        found = self._now.get(who)
        return found[0] if found else None

    def _spend(self, who: Hashable, now: int) -> None:
        if who in self._now:
            doing, since = self._now[who]
            # A time stamp from the past takes no time.
            self._ticks[doing] += max(now - since, 0)
            self._now[who] = doing, max(now, since)

    def taken(self, now: int) -> "Taken":
        """Give what there is up to now."""
        for who in self._now:
            self._spend(who, now)
        return Taken(Counter(self.counts), Counter(self._ticks))


@frozen
class Taken:
    """A tally at one moment."""

    counts: Counter[tuple[str, str]]
    ticks: Counter[str]


def between(phase: Phase, before: Taken, after: Taken, told: Iterable[str], *, hz: float, vcpus: int) -> PhaseCounts:
    """Make a phase's counts of those up to its beginning and up to its end.

    :param told: the figures that the trace can tell of
    :param hz: ticks a second
    :param vcpus: of the guest, whose time is taken together
    """
    counts = after.counts - before.counts
    ticks = after.ticks - before.ticks
    kinds: dict[str, dict[str, int]] = {figure: {} for figure in told}
    for (figure, kind), times in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        kinds[figure][kind] = times
    window = max(phase.end - phase.begin, 1)
    return PhaseCounts(
        work=phase.work,
        requests=phase.requests,
        seconds=(phase.end - phase.begin) / hz,
        figures={figure: sum(of.values()) for figure, of in kinds.items()},
        kinds={figure: of for figure, of in kinds.items() if of and "" not in of},
        shares={name: ticks[name] / window / max(vcpus, 1) for name in SHARES if after.ticks[name]},
    )
