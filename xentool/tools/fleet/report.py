"""A report on many captures."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from traces.analyses.fleet.digest import Digest
from traces.analyses.fleet.groups import Gathering
from traces.analyses.fleet.peers import Peers
from traces.exporters.fleet import Failed, Fleet, Outlier
from xentool.tools.fleet.engine import Engine, engine
from xentool.tools.fleet.kept import Kept
from xentool.tools.fleet.lines import Lines
from xentool.tools.fleet.patient import LIMIT_S
from xentool.tools.fleet.places import Place, find
from xentool.tools.fleet.spread import Done, Failure, Spread
from xentool.tools.fleet.task import Looked, look, memory

#: Called with the bytes read so far and those to read in all.
Progress = Callable[[int, int], None]


class _Gathered:
    """Takes what comes of captures, in any order."""

    def __init__(self, by: str) -> None:
        self.gathering, self.peers, self.rows = Gathering(by), Peers(), Lines()
        self.failed = Lines()
        self.others = self.kept = self.untimed = self.worker = 0

    def take(self, one: Digest) -> None:
        self.gathering.add(one)
        self.peers.add(len(self.rows), one)
        self.rows.add(_row(one))
        self.untimed += not one.timed
        if one.damage:
            self.fail(one.file, f"{one.damage}; what could be decoded counts")

    def fail(self, url: str, error: str) -> None:
        self.failed.add((url, error))

    def answer(self, by: str, **about: Any) -> Fleet:  # noqa: ANN401 - as the fields are
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
            **about,
        )


def report(
    wanted: Sequence[str],
    *,
    by: str,
    scheduler: str | None = None,
    workers: int | None = None,
    limit_s: float = LIMIT_S,
    progress: Progress = lambda _done, _total: None,
    begun: Callable[[Engine], None] = lambda _engine: None,
) -> Fleet:
    """Report on the captures of paths, patterns and URLs; Ctrl-C gives what was read until then.

    :param by: what captures are grouped by, see ``groups``
    :param scheduler: see ``engine``, like ``workers``
    :param limit_s: for which a store may send nothing
    :param begun: is told of the workers, when they are there
    :raises XentoolError: there is no way to work: Dask is missing, or a scheduler does not answer
    """
    found = _Gathered(by)
    kept = Kept()
    start_s, count, began = 0.0, 0, time.monotonic()
    interrupted = False
    try:
        places = Lines()
        total = done = 0
        for place in find(wanted, limit_s):
            if not isinstance(place, Place):
                found.fail(*place)
            elif answer := kept.get(place):
                found.kept += 1
                found.take(answer)
            else:
                places.add(_fields(place))
                total += place.size
        if places:
            began = time.monotonic()
            with engine(scheduler, workers) as made:
                start_s, count = made.start_s, made.workers
                begun(made)
                began = time.monotonic()
                for one in Spread(made, partial(look, limit_s=limit_s), (Place(**each) for each in places)):
                    _take(found, kept, one)
                    done += one.item.size
                    progress(done, total)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        kept.close()
    return found.answer(
        by,
        start_s=start_s,
        work_s=time.monotonic() - began,
        workers=count,
        memory=(memory(), found.worker),
        interrupted=interrupted,
    )


def _take(found: _Gathered, kept: Kept, one: Done[Place, Looked]) -> None:
    answer = one.answer
    if isinstance(answer, Failure):
        found.fail(one.item.url, answer.error)
        return
    found.worker = max(found.worker, answer.memory)
    if answer.digest:
        found.take(answer.digest)
        kept.put(one.item, answer.digest)
    elif answer.other:
        found.others += 1
    else:
        found.fail(one.item.url, answer.error or "nothing came of it")


def _fields(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in Place.__match_args__}


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
