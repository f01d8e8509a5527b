"""What a page consists of, ready for its template: text, numbers and safe markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from traces.exporters.html.lexicon import Entry
from traces.exporters.html.tables import Table
from traces.exporters.sections import Found
from traces.exporters.sources import Words


@dataclass(frozen=True)
class Fact:
    """A fact of the heading; ``alarm`` draws the eye."""

    name: str
    value: str
    remark: str = ""
    alarm: bool = False


@dataclass(frozen=True)
class Rule:
    """What one rule of the findings found: first some and then the rest; ``missing`` had no room.

    ``word`` is the id of what explains it.
    """

    name: str
    word: str
    shown: Sequence[Found]
    folded: Sequence[Found]
    missing: int


@dataclass(frozen=True)
class Row:
    """A row of the timeline: shares of states, or of domains."""

    name: str
    chart: Markup
    remark: str
    data: Mapping[str, int]


@dataclass(frozen=True)
class TimelineGroup:
    """Rows of the timeline that belong together."""

    name: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Legend:
    """A style and what it means; ``word`` is the id of what explains that."""

    style: str
    name: str
    count: float | None = None
    word: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart with its title, a remark, and its legend or its quantiles."""

    title: str
    remark: str
    chart: Markup
    wide: bool = True
    legend: Sequence[Legend] = ()
    facts: Sequence[Fact] = ()


@dataclass(frozen=True)
class Domain:
    """All about one domain."""

    domid: int
    name: str
    remark: str
    note: str
    rates: Sequence[Figure]
    latencies: Sequence[Figure]
    tables: Sequence[Table]


@dataclass(frozen=True)
class Page:
    """Everything."""

    title: str
    words: Words
    facts: Sequence[Fact]
    findings: Sequence[Rule]
    timeline: Sequence[TimelineGroup]
    states: Sequence[Legend]
    occupants: Sequence[Legend]
    axis: Markup
    domains: Sequence[Domain]
    graphs: Sequence[Figure]
    tables: Sequence[Table]
    damage: Table | None
    missing: Sequence[str]
    not_recorded: Sequence[str]
    lexicon: Sequence[Entry]
