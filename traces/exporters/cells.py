"""What a report's sections consist of: tables of cells that say what they mean, and not how they are drawn.

Law: a cell's text is fit to be shown. Names from elsewhere came through ``foreign``, and times have their mark.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from traces.counting.latencies import QUANTILES, Distribution
from traces.exporters import words

#: What the numbers of a column are. Of words there are short ones, such that may need several lines, and of these such
#: that are the same in each report.
COUNT, RATE, SECONDS, SHARE = "count", "per second", "seconds", "share"
WORDS, LONG, MEANING = "words", "long words", "meaning"


#: Rows of a table, and domains: a hostile trace has more than anybody reads, or waits for.
ROWS_MAX, DOMAINS_MAX = 64, 32

_T = TypeVar("_T")


class Column(NamedTuple):
    """A column after the first, which names the rows."""

    name: str
    unit: str = COUNT
    #: Tells the share of what the column before it tells, and may stand in one with it.
    joined: bool = False
    #: May be drawn as bars besides: shares as they are, all else in proportion to the largest.
    bar: bool = False
    #: The higher, the sooner it is left out where there is no room; None goes by its place, the first last.
    rank: int | None = None


class Cell(NamedTuple):
    """What a cell says, and the number behind it, if it is one: in seconds, a second, or as a share of 1."""

    text: str
    value: float | None = None


class Section(NamedTuple):
    """A table, of which each row begins with its name; ``left`` rows more had no room.

    ``of`` says which kinds of names those are, as ``explained.KINDS`` has them; the first that knows a name counts.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    left: int = 0
    note: str = ""
    of: Sequence[str] = ()


#: How long something took, as a distribution: for ``distributed``.
#: How soon each is left out.
_RANKS = {"p50": 2, "p90": 5, "p99": 4, "p99.9": 6}
DISTRIBUTION = (
    Column("count"),
    *(Column(name, SECONDS, rank=_RANKS[name]) for name in QUANTILES),
    Column("max", SECONDS, rank=3),
)

PER_S = Column("per s", RATE)

NOTHING = Cell("")


def busiest(found: Sequence[_T], key: Callable[[_T], float], most: int) -> list[_T]:
    """Choose those with the highest keys, in the order that they have."""
    if len(found) <= most:
        return list(found)
    chosen = sorted(range(len(found)), key=lambda at: -key(found[at]))[:most]
    return [found[at] for at in sorted(chosen)]


def count(value: int) -> Cell:
    """Tell how many."""
    return Cell(f"{value:,}", value)


def rate(value: int, span_s: float) -> Cell:
    """Tell how often a second; a dash where no time passed."""
    return Cell(words.rate(value, span_s), value / span_s if span_s else None)


def share(value: float) -> Cell:
    """Tell which part."""
    return Cell(f"{value:.1%}", value)


def seconds(value: float) -> Cell:
    """Tell a time that others are added to."""
    return Cell(words.seconds(value), value)


def duration(value: float) -> Cell:
    """Tell how long something took."""
    return Cell(words.duration(value), value)


def distributed(took: Distribution) -> tuple[Cell, ...]:
    """Tell the cells of ``DISTRIBUTION``."""
    times = *(took.quantile(part) for part in QUANTILES.values()), took.longest
    return count(took.count), *map(duration, times)
