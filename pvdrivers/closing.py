"""What is to be closed, as a context: closed when that is left, whatever happens in it."""

from types import TracebackType
from typing import Self


class Closing:
    """To be derived from, by what has a ``close``."""

    def close(self) -> None:
        """Give back what is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
