"""Captures of paths, patterns and URLs, read by workers: each becomes a digest, or a reason."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from traces.analyses.fleet.digest import Digest
from traces.analyses.fleet.took import Took
from traces.plain import frozen
from xentool.tools.fleet.engine import Engine, engine
from xentool.tools.fleet.kept import Kept
from xentool.tools.fleet.lines import Lines
from xentool.tools.fleet.places import Place, find, is_url
from xentool.tools.fleet.spread import Done, Failure, Spread
from xentool.tools.fleet.task import Looked, look, memory

#: What one task reads at most, unless one capture has more: so much takes longer than handing it out does.
_TASK_CAPTURES, _TASK_BYTES = 16, 4 << 20
#: Called with the bytes read so far and those to read in all.
Progress = Callable[[int, int], None]


class Sink:
    """Where digests of one group of captures go, in any order; what failed, or is damaged, is listed."""

    def __init__(self) -> None:
        #: (URL, error) of each.
        self.failed = Lines()
        self.others = self.kept = 0

    def take(self, one: Digest) -> None:
        """Take a capture."""
        if one.damage:
            self.fail(one.file, f"{one.damage}; what could be decoded counts")

    def fail(self, url: str, error: str) -> None:
        """Take note of what could not be read, or not as a whole."""
        self.failed.add((url, error))


@frozen
class Way:
    """How captures are to be read, and who hears of it.

    :param scheduler: see ``engine``, like ``workers``
    :param limit_s: for which a store may send nothing
    :param begun: is told of the workers, when they are there
    """

    scheduler: str | None
    workers: int | None
    limit_s: float
    progress: Progress
    begun: Callable[[Engine], None]


def read(groups: Sequence[tuple[Sequence[str], Sink]], way: Way) -> Took:
    """Read groups of captures; Ctrl-C ends it early.

    :param groups: of each what is read, and where its digests go
    :raises XentoolError: there is no way to work: Dask is missing, or a scheduler does not answer
    """
    kept = Kept()
    start_s, count, most, began = 0.0, 0, 0, time.monotonic()
    interrupted = False
    try:
        places = Lines()
        total = done = 0
        for number, (wanted, sink) in enumerate(groups):
            for place in find(wanted, way.limit_s):
                if not isinstance(place, Place):
                    sink.fail(*place)
                elif answer := kept.get(place):
                    sink.kept += 1
                    sink.take(answer)
                else:
                    places.add((number, _fields(place)))
                    total += place.size
        if places:
            with engine(way.scheduler, way.workers) as made:
                start_s, count = made.start_s, made.workers
                way.begun(made)
                for one in Spread(made, partial(_look, limit_s=way.limit_s), _items(places), weigh=_weight):
                    number, place = one.item
                    most = max(most, _take(groups[number][1], kept, one))
                    done += place.size
                    way.progress(done, total)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        kept.close()
    return Took(start_s, time.monotonic() - began - start_s, count, (memory(), most), interrupted)


def _weight(item: tuple[int, Place]) -> float:
    # A store takes its time, whatever it sends.
    place = item[1]
    return 1.0 if is_url(place.url) else max(place.size / _TASK_BYTES, 1 / _TASK_CAPTURES)


def _look(item: tuple[int, Place], limit_s: float) -> Looked:
    return look(item[1], limit_s)


def _take(sink: Sink, kept: Kept, one: Done[tuple[int, Place], Looked]) -> int:
    # Gives how much memory the worker had.
    answer, (_, place) = one.answer, one.item
    if isinstance(answer, Failure):
        sink.fail(place.url, answer.error)
        return 0
    if answer.digest:
        sink.take(answer.digest)
        kept.put(place, answer.digest)
    elif answer.other:
        sink.others += 1
    else:
        sink.fail(place.url, answer.error or "nothing came of it")
    return answer.memory


def _items(places: Lines) -> Iterator[tuple[int, Place]]:
    return ((number, Place(**fields)) for number, fields in places)


def _fields(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in Place.__match_args__}
