"""One run of workers over many captures: how it is to be done, how it goes, and what it took."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from traces.analyses.fleet.took import Took
from traces.plain import frozen
from xentool.tools.fleet.captures import memory
from xentool.tools.fleet.engine import Engine, engine
from xentool.tools.fleet.places import Place, is_url
from xentool.tools.fleet.spread import Done, Spread

#: Of what one task reads, unless one capture has more: captures at most; and bytes at most, of much. To hand a task out
#: takes this process, its scheduler and a worker as long as to read some megabytes.
_TASK_CAPTURES, _TASK_BYTES, _TASK_BYTES_MAX = 16, 4 << 20, 64 << 20
#: Tasks for each worker at least, where there is that much: the last ones end at about the same time.
_TASKS_EACH = 8
#: Called with the bytes read so far and those to read in all.
Progress = Callable[[int, int], None]
_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


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


class Run:
    """A run, that Ctrl-C ends early."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._start_s, self._workers, self._most = 0.0, 0, 0
        self._began = time.monotonic()
        self._interrupted = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end what is within, and no more."""
        try:
            yield
        except KeyboardInterrupt:
            self._interrupted = True

    def over(
        self,
        work: Callable[[_Item], _Answer],
        items: Iterable[_Item],
        total: int,
        take: Callable[[Done[_Item, _Answer]], int],
        place: Callable[[_Item], Place],
    ) -> None:
        """Have workers do something with each item.

        :param total: bytes of all items' captures
        :param take: is given what came of an item, and gives the most bytes of memory that its worker had
        :param place: gives an item's capture
        :raises XentoolError: there is no way to work: Dask is missing, or a scheduler does not answer
        """
        way, done = self._way, 0
        with engine(way.scheduler, way.workers) as made:
            self._start_s, self._workers = made.start_s, made.workers
            way.begun(made)
            each = min(max(total // (made.workers * _TASKS_EACH), _TASK_BYTES), _TASK_BYTES_MAX)
            for one in Spread(made, work, items, weigh=lambda item: _weight(place(item), each)):
                self._most = max(self._most, take(one))
                done += place(one.item).size
                way.progress(done, total)

    def took(self) -> Took:
        """Say what it took until now."""
        work_s = time.monotonic() - self._began - self._start_s
        return Took(self._start_s, work_s, self._workers, (memory(), self._most), self._interrupted)


def _weight(place: Place, task_bytes: int) -> float:
    # A store takes its time, whatever it sends.
    return 1.0 if is_url(place.url) else max(place.size / task_bytes, 1 / _TASK_CAPTURES)
