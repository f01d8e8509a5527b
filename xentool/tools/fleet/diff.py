"""What differs between two groups of captures."""

from collections.abc import Sequence

from traces.analyses.fleet.between import CAPTURES_MIN, Side, between
from traces.analyses.fleet.digest import CAPTURE, Digest
from traces.exporters.fleet import Failed
from traces.exporters.fleet_diff import Differences
from xentool.errors import XentoolError
from xentool.tools.fleet.reading import Sink, read
from xentool.tools.fleet.run import Way


class _Group(Sink):
    def __init__(self) -> None:
        super().__init__()
        self.side = Side()

    def take(self, one: Digest) -> None:
        super().take(one)
        self.side.add(one)


def differences(before: Sequence[str], after: Sequence[str], way: Way) -> Differences:
    """Compare the captures of two groups of paths, patterns and URLs; see ``reading.read``.

    :raises XentoolError: one has too few captures
    """
    one, other = _Group(), _Group()
    took = read([(before, one), (after, other)], way)
    captures = one.side.there[CAPTURE], other.side.there[CAPTURE]
    failed = tuple(Failed(*each) for group in (one, other) for each in sorted(group.failed))
    if min(captures) < CAPTURES_MIN and not took.interrupted:
        why = f"; {failed[0].url}: {failed[0].error}" if failed else ""
        raise XentoolError(
            f"A has {captures[0]:,} and B {captures[1]:,} captures that can be read, and {CAPTURES_MIN} are needed of "
            f"each to tell how much they differ among themselves{why}"
        )
    domains, few = between(one.side, other.side)
    return Differences(captures, domains, few, failed, took)
