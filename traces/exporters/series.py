"""What domains did in each interval of a trace, as a table a domain and as a part of a report's document."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from rich.console import Console
from rich.text import Text

from traces.analyses.elapsed import nanoseconds
from traces.analyses.series import DomainSeries, Series
from traces.answers import Report
from traces.exporters.cells import DOMAINS_MAX, busiest
from traces.exporters.sections import records
from traces.exporters.text import STATE_STYLES
from traces.exporters.words import run_state, time, who
from traces.plural import plural

#: What the columns of counts are called, shorter than in the document: a table has to fit.
_TITLES = {
    "hypercalls": "hypercalls",
    "multicall_subcalls": "subcalls",
    "exits": "VM exits",
    "interrupts": "interrupts",
    "grant_maps": "maps",
    "grant_unmaps": "unmaps",
    "notifications": "notifies",
}
#: Digits of a second that times are told with at most.
_DIGITS_MAX = 9
#: Blanks between columns where there is room, and where there is not.
_WIDE, _NARROW = 3, 2
#: Of a table: its heading and its cells.
_Column: TypeAlias = tuple[Text, list[str]]


def document(series: Series, report: Report) -> list[dict[str, Any]]:
    """Give the document: times in ns since the first record; of run states the seconds of all vCPUs, and the share."""
    at = nanoseconds(series.edges, report.clock.hz).tolist()
    widths = np.diff(series.edges).tolist()
    columns = [_column(domain, widths, report.clock.hz) for domain in series.domains]
    return (
        [
            {"begin_ns": begin, "end_ns": end, "domains": list(domains)}
            for begin, end, domains in zip(at[:-1], at[1:], zip(*columns, strict=True), strict=True)
        ]
        if columns
        else []
    )


def _column(domain: DomainSeries, widths: Sequence[int], hz: float) -> list[dict[str, Any]]:
    counts = {name: of.tolist() if of is not None else None for name, of in domain.counts.items()}
    states = {name: of.tolist() for name, of in (domain.runstates or {}).items()}
    return [
        {
            "domid": domain.domid,
            "runstates": {
                name: {"seconds": of[index] / hz, "share": _share(of[index], width, domain.vcpus)}
                for name, of in states.items()
            }
            if states
            else None,
            **{name: of[index] if of is not None else None for name, of in counts.items()},
        }
        for index, width in enumerate(widths)
    ]


def _share(cycles: int, width: int, vcpus: int) -> float:
    return cycles / (width * vcpus) if width else 0.0


def write(series: Series, report: Report, console: Console) -> None:
    """Write a table a domain, with the columns that tell anything of it."""
    told = {domain.domid for domain in report.told}
    found = [domain for domain in series.domains if domain.domid in told]
    counts = {domain.domid: records(domain) for domain in report.domains}
    for domain in busiest(found, lambda one: counts[one.domid], DOMAINS_MAX):
        _write(domain, series, report, console)
    if len(found) > DOMAINS_MAX:
        console.print(Text(f"\nand {plural(len(found) - DOMAINS_MAX, 'domain')} more (--json, --domain)", "dim"))


def _write(domain: DomainSeries, series: Series, report: Report, console: Console) -> None:
    hz, widths, states = report.clock.hz, np.diff(series.edges).tolist(), domain.runstates or {}
    columns = [
        (
            Text(run_state(name, report), STATE_STYLES[name]),
            [f"{_share(one, width, domain.vcpus):.1%}" for one, width in zip(of.tolist(), widths, strict=True)],
        )
        for name, of in states.items()
        if of.any()
    ]
    columns += [
        (Text(_TITLES[name], "dim"), [f"{one:,}" for one in of.tolist()])
        for name, of in domain.counts.items()
        if of is not None and of.any()
    ]
    if not columns:
        return
    digits = len(_told(series.seconds).partition(".")[2])
    begins = Text("from s", "dim"), [time(f"{begin / hz:.{digits}f}") for begin in series.edges[:-1].tolist()]
    whole = _width([begins, *columns], _WIDE) <= console.width
    for part in [columns] if whole else _parts(begins, columns, console.width):
        console.print()
        console.print(Text(f"{who(domain.domid, report)}, every {time(_told(series.seconds))} s", "bold cyan"))
        _print([begins, *part], _WIDE if whole else _NARROW, console)


def _print(columns: Sequence[_Column], gap: int, console: Console) -> None:
    # Not by rich's tables, which take a second for a thousand rows.
    widths = [_width([column], gap) for column in columns]
    headings = (Text(" " * (width - len(of))) + of for width, (of, _) in zip(widths, columns, strict=True))
    console.print(Text(" " * gap).join(headings))
    console.print("─" * _width(columns, gap))
    cells = ([cell.rjust(width) for cell in of] for width, (_, of) in zip(widths, columns, strict=True))
    console.out("\n".join((" " * gap).join(row) for row in zip(*cells, strict=True)), highlight=False)


def _parts(begins: _Column, columns: Sequence[_Column], width: int) -> list[list[_Column]]:
    # As many columns beside each other as fit, and the rest in further tables.
    parts: list[list[_Column]] = [[]]
    for column in columns:
        if parts[-1] and _width([begins, *parts[-1], column], _NARROW) > width:
            parts.append([])
        parts[-1].append(column)
    return parts


def _width(columns: Sequence[_Column], gap: int) -> int:
    return sum(max(len(heading), *map(len, cells)) + gap for heading, cells in columns) - gap


def _told(seconds: float) -> str:
    # With as many digits as it has.
    return f"{seconds:.{_DIGITS_MAX}f}".rstrip("0").rstrip(".")
