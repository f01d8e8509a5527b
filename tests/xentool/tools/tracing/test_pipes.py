"""A pipe that Ctrl-C ends: what was taken from it by then is given, and who waits for more is woken."""

import os
import signal
import threading
from collections.abc import Iterator
from io import BufferedReader, FileIO
from typing import Any

import pytest

from xentool.tools.tracing.pipes import interruptible


class Interrupting(FileIO):
    """Is interrupted when it has taken what was there."""

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any buffer
        read = super().readinto(buffer)
        os.kill(os.getpid(), signal.SIGINT)
        return read


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def test_what_was_taken_when_it_came_is_given(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"x" * 1000)
    with BufferedReader(Interrupting(reading)) as source, interruptible(source) as piped:  # type: ignore[arg-type] # see Interrupting
        assert piped.read(4096) == b"x" * 1000
        assert piped.interrupted
        assert piped.read(4096) == b""


def test_who_waits_is_woken(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"x")
    timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
    with os.fdopen(reading, "rb") as source, interruptible(source) as piped:
        assert piped.read(10) == b"x"
        timer.start()
        assert piped.read(10) == b""
        assert piped.interrupted
    timer.join()
