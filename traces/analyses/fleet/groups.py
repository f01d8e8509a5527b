"""Captures added up by what they have in common, however many there are.

Law: what one hypervisor counts is not added to what another does: a group is of captures of one source.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping

from traces.analyses.fleet.digest import Digest, Slow
from traces.analyses.fleet.parts import Part, merged
from traces.plain import field, frozen, mutable

#: Groups that are told, the others as one of this name; and waits.
GROUPS_MAX, OTHERS = 1_000, "others"
SLOWEST = 10
#: What stands for what nobody said.
UNKNOWN = "unknown"


def _folder(one: Digest) -> str | None:
    return one.file.rpartition("/")[0]


#: By what captures can be grouped, and how a capture tells it; by domain is another matter.
FIELDS: Mapping[str, Callable[[Digest], str | None]] = {
    "host": lambda one: one.host,
    "day": lambda one: one.day,
    "folder": _folder,
    "source": lambda one: one.source,
    "version": lambda one: one.version,
    "file": lambda one: one.file,
}
DOMAIN = "domain"


@mutable
class Totals:
    """Sums over captures; ``sources`` is how many there are of each."""

    captures: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    records: int = 0
    lost: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def add(self, one: Digest) -> None:
        """Add a capture."""
        self.captures += 1
        self.sources[one.source] += 1
        self.bytes += one.bytes
        self.records += one.records
        self.lost += one.lost
        self.skipped += one.skipped
        self.seconds += one.seconds


@frozen
class Group:
    """Captures that have something in common; ``part`` adds up all of their domains, or the one by which they go.

    ``source`` is that of all of them: those of another are a group of the same name.
    """

    name: str
    source: str
    captures: int
    seconds: float
    part: Part


@frozen
class Wait:
    """One of the slowest waits of the fleet, and in which file."""

    file: str
    of: Slow


@mutable
class _Sums:
    captures: int = 0
    seconds: float = 0.0
    part: Part = field(default_factory=Part)


class Gathering:
    """Takes captures one by one.

    :param by: one of ``FIELDS``, or ``DOMAIN``
    """

    def __init__(self, by: str) -> None:
        self._by = by
        self._groups: dict[tuple[str, str], _Sums] = {}
        self._slowest: list[tuple[float, int, Wait]] = []
        self._seen = 0
        self.totals = Totals()

    def add(self, one: Digest) -> None:
        """Add a capture."""
        self.totals.add(one)
        if self._by == DOMAIN:
            for name, part in one.domains.items():
                self._put(name, one, part)
        else:
            self._put(FIELDS[self._by](one) or UNKNOWN, one, merged(one.domains.values()))
        if one.timed:
            for slow in one.slow:
                self._seen += 1
                # Of two that are as long the first that came.
                heapq.heappush(self._slowest, (slow.seconds, -self._seen, Wait(one.file, slow)))
                if len(self._slowest) > SLOWEST:
                    heapq.heappop(self._slowest)

    def _put(self, name: str, one: Digest, part: Part) -> None:
        key = name, one.source
        if key not in self._groups and len(self._groups) >= GROUPS_MAX:
            key = OTHERS, one.source
        sums = self._groups.setdefault(key, _Sums())
        sums.captures += 1
        sums.seconds += one.seconds
        sums.part = merged((sums.part, part))

    def groups(self) -> tuple[Group, ...]:
        """Give the groups, by name."""
        return tuple(Group(*key, of.captures, of.seconds, of.part) for key, of in sorted(self._groups.items()))

    def slowest(self) -> tuple[Wait, ...]:
        """Give the longest waits, the longest first."""
        return tuple(wait for _, _, wait in sorted(self._slowest, key=lambda of: of[:2], reverse=True))
