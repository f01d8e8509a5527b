"""Work on any number of items by Dask's workers, and what comes of each: an answer, or why there is none.

Small items are handed out together, as one task: a task costs its scheduler and its client some milliseconds.

Law: every wait has a limit, and no item is lost: what cannot be done is told. The items of a worker that dies are tried
once more when all others are done, each alone, so that no neighbour is blamed for one.
"""

import queue
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar
from uuid import uuid4

from traces.plain import frozen
from xentool.tools.fleet.engine import Engine, count
from xentool.tools.fleet.extra import needed
from xentool.tools.fleet.places import told

#: Tasks under way for each worker: one that runs, and one that is next.
_AHEAD = 2
#: Seconds after which it is looked whether there still are a scheduler and workers; without workers for so long, or
#: without a scheduler, the rest is given up.
_LOOK_S, _GONE_S = 5.0, 120.0
#: Seconds to fetch an answer, which is small.
_FETCH_S = 600.0
_DIED = "its worker died each time it was tried"
_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@frozen
class Failure:
    """Why there is no answer."""

    error: str


@frozen
class Done(Generic[_Item, _Answer]):
    """An item, and what came of it."""

    item: _Item
    answer: _Answer | Failure


@frozen
class _Batch(Generic[_Item]):
    # What a worker is handed at once; a class, since Dask would look for its own things in a list.
    items: Sequence[_Item]


class _Gone(Exception):
    """Nobody is left to work."""


def _whole(_item: object) -> float:
    return 1.0


class Spread(Generic[_Item, _Answer]):
    """Hands items out, a few at a time; iterate over it.

    :param work: a function of a module, that takes an item
    :param weigh: how much of a task an item is: those of together at most 1 share one
    :param limit_s: without workers for so long the rest is given up
    """

    def __init__(
        self,
        engine: Engine,
        work: Callable[[_Item], _Answer],
        items: Iterable[_Item],
        *,
        weigh: Callable[[_Item], float] = _whole,
        limit_s: float = _GONE_S,
    ) -> None:
        self._client, self._work = engine.client, partial(_each, work)
        self._batches = _batches(items, weigh)
        self._most = engine.workers * _AHEAD
        self._limit = limit_s
        self._killed: Any = needed("distributed").KilledWorker
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running: dict[str, tuple[Any, _Batch[_Item]]] = {}
        #: Those that lost their workers, to be tried alone.
        self._again: list[_Item] = []
        self._gone_since: float | None = None

    def __iter__(self) -> Iterator[Done[_Item, _Answer]]:
        try:
            yield from self._every(self._most, self._batches, alone=False)
            yield from self._every(1, (_Batch([item]) for item in tuple(self._again)), alone=True)
        except _Gone as gone:
            left = [item for _, batch in self._running.values() for item in batch.items]
            self._running.clear()
            tried = {id(item) for item in left}
            left += [item for item in self._again if id(item) not in tried]
            for item in left:
                yield Done(item, Failure(str(gone)))
            for batch in self._batches:
                for item in batch.items:
                    yield Done(item, Failure(str(gone)))

    def _every(self, most: int, batches: Iterator[_Batch[_Item]], *, alone: bool) -> Iterator[Done[_Item, _Answer]]:
        for batch in islice(batches, most):
            self._start(batch)
        while self._running:
            future = self._next()
            _, batch = self._running.pop(future.key)
            answers = self._answers(future, len(batch.items))
            future.release()
            for following in islice(batches, 1):
                self._start(following)
            if answers is None and not alone:
                self._again += batch.items
                continue
            if alone:
                self._again = [one for one in self._again if one is not batch.items[0]]
            for item, answer in zip(batch.items, answers or [Failure(_DIED)], strict=True):
                yield Done(item, answer)

    def _start(self, batch: _Batch[_Item]) -> None:
        # Under a key of its own: a file may have changed, and no answer of before is asked for.
        try:
            future = self._client.submit(self._work, batch, key=f"xentool-{uuid4().hex}", pure=False)
        except Exception as error:
            self._running[uuid4().hex] = None, batch
            raise _Gone(f"the scheduler was lost: {told(error)}") from error
        self._running[future.key] = future, batch
        future.add_done_callback(self._ended.put)

    def _next(self) -> Any:  # noqa: ANN401 - Dask's
        while True:
            try:
                return self._ended.get(timeout=_LOOK_S)
            except queue.Empty:
                self._look()

    def _look(self) -> None:
        # Says that nobody is left, once it is sure.
        if self._client.status in ("closed", "closing"):
            raise _Gone("the scheduler was lost")
        try:
            there = self._client.status == "running" and count(self._client) > 0
        except (OSError, TimeoutError):
            there = False
        now = time.monotonic()
        if there:
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = now
        elif now - self._gone_since > self._limit:
            raise _Gone(f"there was no worker for {self._limit:g} s")

    def _answers(self, future: Any, count: int) -> Sequence[_Answer | Failure] | None:  # noqa: ANN401 - Dask's
        # None where their worker died.
        if future.status in ("cancelled", "lost"):
            if self._client.status != "running":
                return [Failure("the scheduler was lost")] * count
            return None
        try:
            answers: Sequence[_Answer | Failure] = future.result(timeout=_FETCH_S)
        except self._killed:
            return None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the others go on
            return [Failure(told(error))] * count
        return answers


def _batches(items: Iterable[_Item], weigh: Callable[[_Item], float]) -> Iterator[_Batch[_Item]]:
    batch: list[_Item] = []
    weight = 0.0
    for item in items:
        more = weigh(item)
        if batch and weight + more > 1:
            yield _Batch(batch)
            batch, weight = [], 0.0
        batch.append(item)
        weight += more
        if weight >= 1:
            # No further item is asked for before this one is under way.
            yield _Batch(batch)
            batch, weight = [], 0.0
    if batch:
        yield _Batch(batch)


def _each(work: Callable[[_Item], _Answer], batch: _Batch[_Item]) -> list[_Answer | Failure]:
    # Done by a worker.
    return [_tried(work, item) for item in batch.items]


def _tried(work: Callable[[_Item], _Answer], item: _Item) -> _Answer | Failure:
    try:
        return work(item)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is one item's
        return Failure(told(error))
