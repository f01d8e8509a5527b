"""Where a dataset lies: a folder, or objects of S3."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from xentool.errors import XentoolError
from xentool.tools.fleet.dataset.folder import Folder
from xentool.tools.fleet.patient import S3
from xentool.tools.fleet.places import is_url

#: Gives a whole file its path below the dataset, after those that it takes the place of have gone.
Put = Callable[[str, Sequence[str]], None]


class Store(Protocol):
    """What a dataset needs of where it lies. All may raise XentoolError, or what their libraries raise."""

    def held(self) -> AbstractContextManager[None]:
        """Be the only one that writes there, if that can be; what was left unfinished has gone, before and after."""
        ...

    def holds(self, url: str) -> bool:
        """Say whether a file lies in the dataset."""
        ...

    def paths(self) -> Iterator[str]:
        """Give the paths of all files, below the dataset."""
        ...

    def part(self) -> AbstractContextManager[tuple[BinaryIO, Put]]:
        """Give a file to write that nobody sees, and what puts it into the dataset."""
        ...

    def remove(self, path: str) -> None:
        """Take a file away."""
        ...


def store(to: str, limit_s: float) -> Store:
    """Give the store of a folder or URL.

    :param limit_s: for which S3 may send nothing
    :raises XentoolError: it is neither
    """
    if not is_url(to):
        return Folder(to.removeprefix("file://"))
    if to.startswith(S3):
        from xentool.tools.fleet.dataset.bucket import Bucket  # noqa: PLC0415 - an extra

        return Bucket(to, limit_s)
    raise XentoolError(f"{to}: a dataset is written to a folder or to s3://BUCKET/NAME")
