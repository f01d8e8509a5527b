"""A file without a name, for what must be read from anywhere, and comes from a pipe or packed."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from traces.account import Diagnostic
from xentool.errors import XentoolError

#: Bytes that are copied at once.
_PIECE = 1 << 20


class Readable(Protocol):
    """What is copied."""

    def read(self, size: int, /) -> bytes:
        """Give some bytes, none at the end."""
        ...


class Spooled(io.BufferedReader):
    """The file; ``damage`` is what was wrong with how it was packed."""

    damage: Diagnostic | None = None


@contextmanager
def empty() -> Iterator[Spooled]:
    """Give one that holds nothing yet: it is written by its ``raw``."""
    with tempfile.TemporaryFile(buffering=0) as file:
        yield Spooled(file)


@contextmanager
def spooled(source: Readable, name: str) -> Iterator[Spooled]:
    """Copy all of a source; it takes at most half of what is free where temporary files are.

    :param name: of the source, for messages
    :raises XentoolError: it cannot be read or copied, or it is larger
    """
    room = shutil.disk_usage(tempfile.gettempdir()).free // 2
    with tempfile.TemporaryFile(buffering=0) as file:
        try:
            size = 0
            while data := source.read(_PIECE):
                size += len(data)
                if size > room:
                    raise XentoolError(
                        f"{name} takes more than half of what is free in {tempfile.gettempdir()}: unpack it elsewhere"
                    )
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
            file.seek(0)
        except OSError as error:
            raise XentoolError(f"cannot read {name} by a temporary file: {error.strerror}") from error
        found = Spooled(file)
        found.damage = getattr(source, "damage", None)
        yield found
