"""What the names on a page mean: each that it shows is explained once, and by the script beside the name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from traces.answers import Report
from traces.explained import Explanation, about
from traces.explained.names import KINDS


@dataclass(frozen=True)
class Entry:
    """An explanation as the page has it, under an id of its own."""

    ident: str
    kind: str
    name: str
    why: str
    when: str
    look: Markup


class Lexicon:
    """Collects what a page has to explain, as it is put together. It is bounded by the names that have a text."""

    def __init__(self, report: Report) -> None:
        # Of exits that both call alike, those of the processor that made the trace.
        self._first = "SVM exit" if report.exits.vendor == "amd" else "VMX exit"
        self._found: dict[tuple[str, str], tuple[str, Explanation]] = {}

    def word(self, kinds: Sequence[str], shown: str) -> str:
        """Give the id of what explains a name, as the page shows it; nothing for one that has no text.

        :param kinds: which it may be
        """
        for kind in sorted(kinds, key=lambda kind: kind != self._first):
            for name in _names(shown):
                if (found := about(kind, name)) is not None:
                    return self._found.setdefault((kind, name), (f"w{len(self._found)}", found))[0]
        return ""

    def entries(self) -> list[Entry]:
        """Give all that was asked for, kind by kind."""
        order = list(KINDS)
        found = sorted(self._found.values(), key=lambda one: (order.index(one[1].kind), one[1].name.lower()))
        return [Entry(ident, of.kind, of.name, of.why, of.when, _coded(of.look)) for ident, of in found]


def _names(shown: str) -> Iterator[str]:
    yield shown
    # With remarks, as in `EPT_VIOLATION (bus lock)`; behind a number, as in `0x6e0 TSC_DEADLINE`; in words.
    yield shown.partition(" (")[0]
    yield shown.partition(" ")[2]
    yield shown.replace(" ", "_")


def _coded(text: str) -> Markup:
    # Commands stand between backticks.
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))
