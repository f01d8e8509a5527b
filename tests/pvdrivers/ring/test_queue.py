"""What becomes of any device's queue: it ends by itself alone if it must, and gives everything back, the last first."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from errno import ENODEV

import pytest

from pvdrivers.abi.blkif import X86_64
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back.stats import Stats
from pvdrivers.errors import BadRing, MachineError
from pvdrivers.ring import Front
from pvdrivers.ring.owned import own
from pvdrivers.ring.queue import ThreadedQueue
from pvdrivers.ring.waiting import Waiting


class Line:
    """A channel, readable all the time, which fails in one way."""

    port = 7

    def __init__(self, failing: str) -> None:
        self._failing = failing
        self._fd = os.eventfd(1, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._fd

    def _do(self, name: str) -> None:
        if name == self._failing:
            raise OSError(ENODEV, os.strerror(ENODEV))

    def notify(self) -> None:
        self._do("notify")

    def take(self) -> bool:
        self._do("take")
        return True

    def wait(self, timeout: float | None = None) -> bool:
        raise NotImplementedError

    def unmask(self) -> None:
        self._do("unmask")

    def close(self) -> None:
        os.close(self._fd)


class Sender(ThreadedQueue):
    """Sends a message, and sleeps.

    :param doing: what it does in each turn besides
    """

    def __init__(self, failing: str = "", doing: Callable[[], object] = lambda: None) -> None:
        self.gone: list[str] = []
        self.doing = doing
        line = Line(failing)
        ring = Front(memoryview(bytearray(PAGE_SIZE)), X86_64.ring)
        owned = ExitStack()
        own(owned, line, "close")
        own(owned, ring, "release")
        own(owned, self, "first")
        own(owned, self, "last")
        super().__init__(Waiting((ring, line), counts=Stats()), owned)
        self.stop = self._waiting.stop

    def first(self) -> None:
        self.gone.append("first")

    def last(self) -> None:
        self.gone.append("last")
        # As all that is given back to a transport that is gone.
        raise MachineError

    def _before(self) -> None:
        self._waiting.send(bytes(X86_64.request.size))

    def _turn(self) -> bool:
        self.doing()
        return False


@pytest.mark.parametrize("failing", ["notify", "take", "unmask"])
def test_a_channel_that_is_gone_is_named(failing: str) -> None:
    queue = Sender(failing)
    queue.run()
    assert isinstance(queue.error, MachineError)
    assert str(queue.error) == "event channel 7: No such device"
    assert queue.gone == ["last", "first"]


def test_what_ends_it_is_kept_and_all_is_given_back_once() -> None:
    wrong = BadRing("index 9")

    def fail() -> None:
        raise wrong

    queue = Sender(doing=fail)
    queue.run()
    assert queue.error is wrong
    queue.close()
    assert queue.gone == ["last", "first"]


def test_a_mistake_is_nobodys_to_keep_and_all_is_given_back() -> None:
    queue = Sender(doing=lambda: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        queue.run()
    assert queue.error is None
    assert queue.gone == ["last", "first"]


def test_who_is_told_to_end_has_no_error() -> None:
    queue = Sender(doing=lambda: queue.stop(drain=False))
    queue.run()
    assert queue.error is None
    assert queue.gone == ["last", "first"]
