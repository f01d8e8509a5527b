"""A recording kept as a trace.dat: what comes lies beside it as it is, until all of it is there to be put in order.

A trace.dat has each processor's pages in one piece, and a host sends them as they are made. After a kill -9 the file
``NAME.part`` is what had come, which is read as a trace.dat is.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from traces.kvm import ordered
from traces.kvm.live import Live
from xentool.errors import XentoolError

SUFFIX = ".part"


class Kept:
    """A file in the making, as a context manager: an older one of its name stays as it is until this is left.

    :param live: reads what comes, too
    """

    def __init__(self, path: Path, live: Live) -> None:
        self.path, self._live = path, live
        #: Bytes of the file; known in the end.
        self.size = 0
        self._part = path.with_name(path.name + SUFFIX)

    def __enter__(self) -> Self:
        with self._told(self._part):
            # Unbuffered, so that after a kill it holds what had come.
            self._file = self._part.open("wb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whatever ended it, what came is a trace.
        with self._told(self.path):
            self._file.close()
            if self._live.head is not None:
                with self._part.open("rb") as came, self.path.open("wb") as file:
                    ordered.convert(came, file)
                self.size = self.path.stat().st_size
            self._part.unlink()

    def write(self, chunk: bytes) -> None:
        """Take in what came.

        :raises XentoolError: the disk is full, or the like
        """
        with self._told(self._part):
            self._file.write(chunk)

    @contextlib.contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise XentoolError(f"cannot write {path}: {error.strerror}") from error
