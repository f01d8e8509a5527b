"""Captures of paths, patterns and URLs, read by workers: each becomes a digest, or a reason."""

from collections.abc import Iterator, Sequence
from functools import partial

from traces.analyses.fleet.digest import Digest
from traces.analyses.fleet.took import Took
from xentool.tools.fleet.kept import Kept
from xentool.tools.fleet.lines import Lines
from xentool.tools.fleet.places import Place, find
from xentool.tools.fleet.run import Run, Way
from xentool.tools.fleet.spread import Done, Failure
from xentool.tools.fleet.task import Looked, look


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


def read(groups: Sequence[tuple[Sequence[str], Sink]], way: Way) -> Took:
    """Read groups of captures; Ctrl-C ends it early.

    :param groups: of each what is read, and where its digests go
    :raises XentoolError: there is no way to work: Dask is missing, or a scheduler does not answer
    """
    kept, run = Kept(), Run(way)
    try:
        with run.interruptible():
            places = Lines()
            total = 0
            for number, (wanted, sink) in enumerate(groups):
                for place in find(wanted, way.limit_s):
                    if not isinstance(place, Place):
                        sink.fail(*place)
                    elif answer := kept.get(place):
                        sink.kept += 1
                        sink.take(answer)
                    else:
                        places.add((number, place.fields))
                        total += place.size
            if places:
                run.over(
                    partial(_look, limit_s=way.limit_s),
                    _items(places),
                    total,
                    lambda one: _take(groups[one.item[0]][1], kept, one),
                    lambda item: item[1],
                )
    finally:
        kept.close()
    return run.took()


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
