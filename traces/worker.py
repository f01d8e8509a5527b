"""A thread that does one thing after the other: as much as lanes and exports need of ``concurrent.futures``.

Importing that took longer than reading a small trace.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

_T = TypeVar("_T")


class Answer(Generic[_T]):
    """What a worker will have found."""

    def __init__(self, do: Callable[[], _T]) -> None:
        self._do = do
        self._error: BaseException | None = None
        self._pending = Lock()
        self._pending.acquire()

    def find(self) -> None:
        """Do it, for the worker's thread."""
        try:
            self._found = self._do()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever asks
            self._error = error
        self._pending.release()

    def result(self) -> _T:
        """Wait for it; what was raised is raised here."""
        with self._pending:
            if self._error is not None:
                raise self._error
            return self._found


class Worker:
    """The thread, as a context manager that waits until all is done.

    It begins with what is asked first. Were it begun on entering, Ctrl-C meanwhile would leave it to wait for ever.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Answer[Any] | None] = SimpleQueue()
        self._thread = Thread(target=self._work)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asked.put(None)
        # One that does not live has done nothing, or was interrupted while it began, and does nothing.
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, do: Callable[..., _T], *about: object) -> Answer[_T]:
        """Have something done after all else that was asked."""
        if self._thread.ident is None:
            self._thread.start()
        answer = Answer(lambda: do(*about))
        self._asked.put(answer)
        return answer

    def _work(self) -> None:
        while (answer := self._asked.get()) is not None:
            answer.find()
