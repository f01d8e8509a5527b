"""A report on many captures."""

from collections.abc import Sequence
from typing import Any

from traces.analyses.fleet.digest import Digest
from traces.analyses.fleet.groups import Gathering
from traces.analyses.fleet.peers import Peers
from traces.analyses.fleet.took import Took
from traces.exporters.fleet import Failed, Fleet, Outlier
from xentool.tools.fleet.lines import Lines
from xentool.tools.fleet.reading import Sink, read
from xentool.tools.fleet.run import Way


class _Gathered(Sink):
    # What comes of captures, in any order.
    def __init__(self, by: str) -> None:
        super().__init__()
        self.gathering, self.peers, self.rows = Gathering(by), Peers(), Lines()
        self.untimed = 0

    def take(self, one: Digest) -> None:
        super().take(one)
        self.gathering.add(one)
        self.peers.add(len(self.rows), one)
        self.rows.add(_row(one))
        self.untimed += not one.timed

    def answer(self, by: str, took: Took) -> Fleet:
        unusual = self.peers.unusual().items()
        outliers = (Outlier(self.rows[number]["file"], tuple(of)) for number, of in unusual)
        return Fleet(
            by=by,
            totals=self.gathering.totals,
            groups=self.gathering.groups(),
            captures=iter(self.rows),
            outliers=tuple(outliers),
            slowest=self.gathering.slowest(),
            failed=tuple(Failed(*each) for each in sorted(self.failed)),
            others=self.others,
            kept=self.kept,
            untimed=self.untimed,
            took=took,
        )


def report(wanted: Sequence[str], by: str, way: Way) -> Fleet:
    """Report on the captures of paths, patterns and URLs; Ctrl-C gives what was read until then.

    :param by: what captures are grouped by, see ``groups``
    :raises XentoolError: there is no way to work: Dask is missing, or a scheduler does not answer
    """
    found = _Gathered(by)
    return found.answer(by, read([(wanted, found)], way))


def _row(one: Digest) -> dict[str, Any]:
    return {
        "file": one.file,
        "host": one.host,
        "day": one.day,
        "source": one.source,
        "version": one.version,
        "records": one.records,
        "lost_records": one.lost,
        "bytes": one.bytes,
        "seconds": one.seconds,
        "domains": list(one.domains),
        "damage": one.damage,
    }
