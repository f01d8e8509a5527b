"""A dataset in a folder. What is unfinished has no name; where that cannot be, one in a hidden folder beside it."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from traces.exporters.dataset import PARTITIONS
from xentool.errors import XentoolError
from xentool.tools import outputs
from xentool.tools.fleet.dataset.names import SUFFIX


class Folder:
    """See ``store.Store``."""

    def __init__(self, root: str) -> None:
        self._root = Path(os.path.abspath(root))  # noqa: PTH100 - links stay what they are
        self._aside = self._root.with_name(f".{self._root.name}.xentool-parts")

    @contextmanager
    def held(self) -> Iterator[None]:
        """See ``store.Store``."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._refused(error) from error
        try:
            self._lock(descriptor)
            with os.scandir(descriptor) as found:
                strange = next((one.name for one in found if not one.name.startswith(f"{PARTITIONS[0]}=")), None)
            if strange is not None:
                raise XentoolError(f"{self._root} is no dataset: it has {strange!r}; give a folder of its own")
            self._sweep()
            try:
                yield
            finally:
                with outputs.undisturbed():
                    self._sweep()
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                raise XentoolError(f"another run writes to {self._root}; wait for its end") from error
            # A file system without locks.

    def _sweep(self) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._aside)

    def holds(self, url: str) -> bool:
        """See ``store.Store``."""
        return Path(os.path.abspath(url)).is_relative_to(self._root)  # noqa: PTH100 - see above

    def paths(self) -> Iterator[str]:
        """See ``store.Store``."""
        pattern = "/".join((*(f"{key}=*" for key in PARTITIONS), f"*{SUFFIX}"))
        return (str(one.relative_to(self._root)) for one in self._root.glob(pattern))

    @contextmanager
    def part(self) -> Iterator[tuple[BinaryIO, Callable[[str, Sequence[str]], None]]]:
        """See ``store.Store``."""
        try:
            with outputs.unplaced(self._root, self._aside) as (file, place):

                def put(path: str, instead: Sequence[str]) -> None:
                    # For a moment it is not there; both at once would be counted twice.
                    for one in instead:
                        self.remove(one)
                    target = self._root / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    place(target)

                yield file, put
        except OSError as error:
            raise self._refused(error) from error

    def remove(self, path: str) -> None:
        """See ``store.Store``."""
        file = self._root / path
        file.unlink(missing_ok=True)
        with suppress(OSError):
            # Those that are empty now.
            for folder in list(file.relative_to(self._root).parents)[:-1]:
                (self._root / folder).rmdir()

    def _refused(self, error: OSError) -> XentoolError:
        return XentoolError(f"cannot write to {self._root}: {error.strerror or error}")
