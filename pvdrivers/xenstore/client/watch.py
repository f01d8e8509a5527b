"""Watches: what has changed, for a thread or for asyncio."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from pvdrivers.closing import Closing
from pvdrivers.xenstore.client.errors import ConnectionLost, TimedOut, XenStoreError

#: Paths that may wait to be taken. Whoever fills a store faster than a watcher looks makes it look at everything.
PENDING_MAX = 10_000


class Watch(Closing):
    """Tells the paths at and under one path that have changed: the path itself at once, so that nothing is missed.

    A path that waits already is not told twice. When more than ``PENDING_MAX`` wait, they are forgotten and the watched
    path is told instead: look at all of it. So it is after a new connection, when the old one was lost.

    Made by `Client.watch`. An iterator, an asynchronous one as well, and a context manager that ends the watch.
    """

    def __init__(
        self,
        path: str,
        resume: Callable[[], object],
        end: Callable[["Watch"], object],
        told: Callable[[], object] = lambda: None,
    ) -> None:
        self.path = path
        self._told = told
        self._resume = resume
        self._end = end
        self._pending: deque[str] = deque()
        self._known: set[str] = set()
        self._changed = threading.Condition()
        self._wake: Callable[[], object] = lambda: None
        self._lost = False
        self._closed = False

    def put(self, path: str) -> None:
        """Take note of a change; from the connection's thread."""
        with self._changed:
            if path not in self._known:
                if len(self._pending) >= PENDING_MAX:
                    self._pending.clear()
                    self._known.clear()
                    path = self.path
                self._known.add(path)
                self._pending.append(path)
            self._changed.notify_all()
            self._wake()
        self._told()

    def lose(self) -> None:
        """Take note that the connection is lost; from its thread."""
        with self._changed:
            self._lost = True
            self._changed.notify_all()
            self._wake()
        self._told()

    def close(self) -> None:
        """End the watch."""
        self._closed = True
        self.lose()
        self._end(self)

    def next(self, timeout: float | None = None) -> str:
        """Give the next path that has changed.

        :param timeout: seconds; None to wait for ever
        :raises TimedOut: nothing has changed
        :raises NoStore: the connection was lost, and there is no other to be had
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._changed:
                while not self._pending and not self._lost:
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        raise TimedOut(f"{self.path} did not change within {timeout:g} s")
                    self._changed.wait(left)
                if self._pending:
                    return self._take()
            self._reconnect()

    def drain(self) -> list[str]:
        """Give all paths that have changed, without waiting.

        :raises NoStore: the connection was lost, and there is no other to be had
        """
        with self._changed:
            lost, paths = self._lost, list(self._pending)
            self._pending.clear()
            self._known.clear()
        if lost:
            self._reconnect()
        return paths

    def _take(self) -> str:
        path = self._pending.popleft()
        self._known.discard(path)
        return path

    def _reconnect(self) -> None:
        if self._closed:
            raise ConnectionLost(f"the watch on {self.path} has ended")
        self._lost = False
        try:
            self._resume()
        except XenStoreError:
            self._lost = True  # so that whoever asks again tries again
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        return self.next()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """Give the next path that has changed, without keeping the loop waiting."""
        import asyncio  # noqa: PLC0415 - who comes here has it; the others start without, and a fifth sooner

        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        with self._changed:
            self._wake = lambda: loop.call_soon_threadsafe(ready.set)
        try:
            while True:
                with self._changed:
                    if self._pending:
                        return self._take()
                    if not self._lost:
                        ready.clear()
                if self._lost:
                    await asyncio.to_thread(self._reconnect)
                else:
                    await ready.wait()
        finally:
            with self._changed:
                self._wake = lambda: None
