"""What a long operation says while it runs; who calls it decides how that looks."""

from typing import Protocol


class Progress(Protocol):
    """Listens to a long operation."""

    def step(self, text: str) -> None:
        """Hear that a step begins."""
        ...

    def detail(self, text: str) -> None:
        """Hear how far the step is."""
        ...


class Silent:
    """Says nothing."""

    def step(self, text: str) -> None:
        """Ignore it."""

    def detail(self, text: str) -> None:
        """Ignore it."""


SILENT = Silent()
