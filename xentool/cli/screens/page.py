"""A page of a terminal that is drawn again and again, and follows keys: of ``top`` and of every ``--watch``."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import StringIO
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from xentool import output
from xentool.cli.common.keyboard import Keyboard
from xentool.cli.screens.scrolled import Scrolled


class Drawn(NamedTuple):
    """What a page shows: lines that stay, lines that are scrolled (see `Scrolled.seen`), and what keys can do."""

    head: Sequence[Text]
    body: Sequence[Sequence[Text]]
    foot: Text


class Page:
    """A page, while this context lasts; its last state stays on the screen.

    :param draw: gives what there is to show, in so many columns
    :param press: takes a key that does not scroll or filter; says whether it means something
    :param keys: those keys, for `?`
    """

    def __init__(
        self,
        draw: Callable[[int], Drawn],
        press: Callable[[str], bool] = lambda _: False,
        keys: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._draw, self._press = draw, press
        self._scrolled = Scrolled(keys)
        self._console = output.stdout()
        self._shown = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as begun:
            begun.enter_context(output.drawing())
            self._keyboard = begun.enter_context(Keyboard())
            self._live = begun.enter_context(Live(console=self._console, screen=True, auto_refresh=False))
            self._shown = begun.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.close()
        if error is None or isinstance(error, KeyboardInterrupt):
            self._scrolled.leave()
            for line in self._seen(self._draw(self._console.width)._replace(foot=Text()))[:-1]:
                self._console.print(line)

    def wait(self, seconds: float) -> bool:
        """Show the page for so long, as keys will have it; False when it is to end."""
        self._show()
        until = time.monotonic() + seconds
        while (key := self._keyboard.pressed(until - time.monotonic())) is not None:
            if self._scrolled.press(key) or self._press(key):
                self._show()
            elif key in ("q", ""):
                return False
        return True

    def _show(self) -> None:
        self._live.update(Group(*self._seen(self._draw(self._console.width))), refresh=True)

    def _seen(self, drawn: Drawn) -> list[Text]:
        lines = self._scrolled.seen(drawn.head, drawn.body, self._console.height, drawn.foot)
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return lines


def lines(prints: Callable[[Console], None], width: int) -> list[Text]:
    """Give as lines what something prints on a terminal of so many columns."""
    written = StringIO()
    prints(output.on(written, width))
    return [Text.from_ansi(line) for line in written.getvalue().removesuffix("\n").split("\n")]
