"""Which lines of a page are seen on a terminal: how far it is scrolled, and by which word it is filtered.

Law: keys and lines in, lines out. What the lines are about, and the terminal, are others' business.
"""

from collections.abc import Sequence

from rich.text import Text

from traces.foreign import printable
from traces.plural import plural

#: What each key does, for `?`.
KEYS = (
    ("↑ ↓", "a line up, down"),
    ("PgUp PgDn", "a page up, down"),
    ("Home End", "to the first, to the last line"),
    ("/", "only lines that have a text in them; Enter ends it, Esc shows all"),
    ("q", "ends, and leaves what is seen on the screen"),
)
_BACKSPACE = "\x7f\x08"
_ENTER = "\r\n"
_LONGEST = 80


class Scrolled:
    """What keys have chosen.

    :param keys: further ones that whoever shows the page follows, for `?`
    """

    def __init__(self, keys: Sequence[tuple[str, str]] = ()) -> None:
        self._keys = (*keys, *KEYS)
        self._top = 0
        self._page = 1
        self._last = 0
        self._typing = False
        self._helps = False
        self.filter = ""

    def press(self, key: str) -> bool:
        """Take a key, "" for the terminal's end; say whether it was for this page."""
        if not key:
            return False
        if self._helps:
            self._helps = False
        elif self._typing:
            self._type(key)
        elif key in ("?", "/"):
            self._helps, self._typing = key == "?", key == "/"
        elif key == "escape":
            self.filter = ""
        else:
            return self._move(key)
        return True

    def _move(self, key: str) -> bool:
        moves = {"up": -1, "down": 1, "page up": -self._page, "page down": self._page}
        moves |= {"home": -self._top, "end": self._last - self._top}
        if key in moves:
            self._top = min(max(self._top + moves[key], 0), self._last)
        return key in moves

    def leave(self) -> None:
        """Show lines again, if keys are explained or a text is typed."""
        self._helps = self._typing = False

    def seen(self, head: Sequence[Text], body: Sequence[Sequence[Text]], height: int, foot: Text) -> list[Text]:
        """Give the lines for a terminal of so many: the head, a part of the body, and a foot that tells which part.

        :param body: lines, those together that are about the same thing, and are filtered together
        :param foot: what keys can do, which is said where nothing else has to be
        """
        if self._helps:
            return [Text.assemble((f"{key:<12}", "bold"), what) for key, what in self._keys][:height]
        wanted = self.filter.casefold()
        found = [
            line
            for together in body
            if not wanted or any(wanted in one.plain.casefold() for one in together)
            for line in together
        ]
        self._page = max(height - len(head) - 1, 1)
        self._last = max(len(found) - self._page, 0)
        self._top = min(self._top, self._last)
        part = found[self._top : self._top + self._page]
        return [*head, *part, self._told(len(found), len(part), foot)]

    def _told(self, found: int, part: int, foot: Text) -> Text:
        line = Text()
        if self._typing or self.filter:
            line.append(f"/{printable(self.filter)}", "bold").append("_ " if self._typing else "  ")
        if part < found:
            line.append(f"{self._top + 1} to {self._top + part} of {plural(found, 'line')}  ", "dim")
        return line.append_text(foot)

    def _type(self, key: str) -> None:
        if key in _ENTER:
            self._typing = False
        elif key == "escape":
            self._typing, self.filter = False, ""
        elif key in _BACKSPACE:
            self.filter = self.filter[:-1]
        elif len(key) == 1 and key.isprintable() and len(self.filter) < _LONGEST:
            self.filter += key
