"""File locks, so that one program at a time builds an image or starts a lab; the kernel frees them with the process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xentool.errors import XentoolError
from xentool.lab.progress import Progress


@contextmanager
def hold(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock, or fail at once.

    :param busy: the error message when another process holds it
    :raises XentoolError: another process holds it
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise XentoolError(busy) from None
        yield


@contextmanager
def wait_for(path: Path, progress: Progress, waiting: str) -> Iterator[None]:
    """Hold a lock, waiting for it and saying so."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.step(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
