"""Work on any number of items by Dask's workers, and what comes of each: an answer, or why there is none.

Law: every wait has a limit, and no item is lost: what cannot be done is told. A worker that dies takes its item with it
a few times; then the item is tried once more when nothing else runs, so that no neighbour is blamed for it.
"""

import queue
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar
from uuid import uuid4

from traces.plain import frozen
from xentool.tools.fleet.engine import Engine, count
from xentool.tools.fleet.extra import needed
from xentool.tools.fleet.places import told

#: Items under way for each worker: one that runs, and one that is next.
_AHEAD = 2
#: Seconds after which it is looked whether there still are a scheduler and workers; without workers for so long, or
#: without a scheduler, the rest is given up.
_LOOK_S, _GONE_S = 5.0, 120.0
#: Seconds to fetch an answer, which is small.
_FETCH_S = 600.0
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


class _Gone(Exception):
    """Nobody is left to work."""


class Spread(Generic[_Item, _Answer]):
    """Hands items out, a few at a time; iterate over it.

    :param work: a function of a module, that takes an item
    :param limit_s: without workers for so long the rest is given up
    """

    def __init__(
        self, engine: Engine, work: Callable[[_Item], _Answer], items: Iterable[_Item], *, limit_s: float = _GONE_S
    ) -> None:
        self._client, self._work, self._items = engine.client, work, iter(items)
        self._most = engine.workers * _AHEAD
        self._limit = limit_s
        self._killed: Any = needed("distributed").KilledWorker
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running: dict[str, tuple[Any, _Item]] = {}
        #: Those that lost their workers, to be tried alone.
        self._again: list[_Item] = []
        self._gone_since: float | None = None

    def __iter__(self) -> Iterator[Done[_Item, _Answer]]:
        try:
            yield from self._every(self._most, self._items, alone=False)
            yield from self._every(1, iter(self._again), alone=True)
        except _Gone as gone:
            left = [item for _, item in self._running.values()]
            self._running.clear()
            tried = {id(item) for item in left}
            left += [item for item in self._again if id(item) not in tried]
            for item in left:
                yield Done(item, Failure(str(gone)))
            for item in self._items:
                yield Done(item, Failure(str(gone)))

    def _every(self, most: int, items: Iterator[_Item], *, alone: bool) -> Iterator[Done[_Item, _Answer]]:
        for item in islice(items, most):
            self._start(item)
        while self._running:
            future = self._next()
            _, item = self._running.pop(future.key)
            answer = self._answer(future)
            future.release()
            for following in islice(items, 1):
                self._start(following)
            if answer is None and not alone:
                self._again.append(item)
                continue
            if alone:
                self._again = [one for one in self._again if one is not item]
            yield Done(item, Failure("its worker died each time it was tried") if answer is None else answer)

    def _start(self, item: _Item) -> None:
        # Under a key of its own: a file may have changed, and no answer of before is asked for.
        try:
            future = self._client.submit(self._work, item, key=f"xentool-{uuid4().hex}", pure=False)
        except Exception as error:
            self._running[uuid4().hex] = None, item
            raise _Gone(f"the scheduler was lost: {told(error)}") from error
        self._running[future.key] = future, item
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

    def _answer(self, future: Any) -> _Answer | Failure | None:  # noqa: ANN401 - Dask's
        # None where its worker died.
        if future.status in ("cancelled", "lost"):
            if self._client.status != "running":
                return Failure("the scheduler was lost")
            return None
        try:
            answer: _Answer = future.result(timeout=_FETCH_S)
        except self._killed:
            return None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is one item's
            return Failure(told(error))
        return answer
