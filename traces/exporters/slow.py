"""The slowest waits and VM exits with what surrounds them, as text and as part of a report's document.

Each has who ran on its pCPU meanwhile, and the records of that pCPU around its beginning and its end.
"""

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from traces.account import IDLE_DOMID
from traces.analyses.elapsed import UNTIMED, Elapsed, nanoseconds
from traces.analyses.slowest import Meanwhile, Slow, Slowest
from traces.answers import Report
from traces.exporters import dump, jsonl
from traces.exporters.details import Naming, naming
from traces.exporters.words import duration, seconds, who
from traces.table import EventTable
from traces.xen.formats.exits import reason_of

#: Records before and after the beginning, and the end.
NEAR = 3
#: Of those who ran meanwhile, in text.
_MEANWHILE_MAX = 20
_TITLES = {"wake_to_run": "waits from waking until running", "exits": "VM exits"}
_INDENT, _DEEPER = (0, 0, 0, 2), (0, 0, 0, 6)


@dataclass(frozen=True)
class Record:
    """A record in both forms: a line of ``dump`` and an object of ``jsonl``."""

    line: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Described:
    """A slow one: who (domid, vcpu) ran on its pCPU meanwhile, for how many cycles, and records around it."""

    slow: Slow
    meanwhile: Counter[tuple[int, int]]
    records: list[Record]


def describe(tables: Iterable[EventTable], report: Report, slow: list[Slow]) -> list[Described]:
    """Read a trace again to describe some slow ones.

    :param report: on the same trace: its clock, and the names of its exits
    """
    elapsed, meanwhile, names = Elapsed(), Meanwhile(slow), naming(report)
    anchors = [(one.pcpu, at, _Around()) for one in slow for at in (one.begin, one.end)]
    for table in tables:
        cycles = elapsed.of(table)
        meanwhile.feed(table, cycles, elapsed)
        rows_of = {
            pcpu: np.flatnonzero((table.pcpu == pcpu) & (cycles != UNTIMED)) for pcpu in {one.pcpu for one in slow}
        }
        cycles_of = {pcpu: cycles[rows] for pcpu, rows in rows_of.items()}
        for pcpu, at, around in anchors:
            around.feed(table, rows_of[pcpu], cycles_of[pcpu], at, report.clock.hz, names)
    meanwhile.finish()
    found = []
    for index, one in enumerate(slow):
        ends = [anchors[2 * index + end][2].records() for end in (0, 1)]
        # Around what is short, both ends have records in common.
        records = {record.fields["byte_offset"]: record for of in ends for record in of}
        found.append(Described(one, meanwhile.ran[index], list(records.values())))
    return found


class _Around:
    # The records just before a point of time and from it on, on one pCPU.
    def __init__(self) -> None:
        self._before: deque[Record] = deque(maxlen=NEAR)
        self._after: list[Record] = []

    def feed(
        self,
        table: EventTable,
        rows: NDArray[np.intp],
        cycles: NDArray[np.int64],
        at: int,
        hz: float,
        names: Naming,
    ) -> None:
        middle = int(np.searchsorted(cycles, at))
        before, after = slice(max(middle - NEAR, 0), middle), slice(middle, middle + NEAR - len(self._after))
        self._before.extend(_records(table.take(rows[before]), cycles[before], hz, names))
        self._after.extend(_records(table.take(rows[after]), cycles[after], hz, names))

    def records(self) -> list[Record]:
        return [*self._before, *self._after]


def _records(table: EventTable, cycles: NDArray[np.int64], hz: float, names: Naming) -> Iterator[Record]:
    if len(table):
        ns = nanoseconds(cycles, hz)
        texts = zip(dump.lines(table, ns, names), jsonl.lines(table, ns, names), strict=True)
        yield from (Record(line.rstrip("\n"), json.loads(fields)) for line, fields in texts)


def document(found: Mapping[str, Slowest], described: Mapping[str, list[Described]], report: Report) -> dict[str, Any]:
    """Give what ``json`` writes; times in seconds, of begin and end since the first record."""
    return {
        what: {"count": found[what].count, "slowest": [_document(one, report) for one in of]}
        for what, of in described.items()
    }


def _document(one: Described, report: Report) -> dict[str, Any]:
    slow, hz = one.slow, report.clock.hz
    exits = {} if slow.exit is None else {"reason": reason_of(slow.exit), "name": report.exits.name(slow.exit)}
    return {
        "domid": slow.domid,
        "vcpu": slow.vcpu,
        "pcpu": slow.pcpu,
        **exits,
        "seconds": slow.cycles / hz,
        "begin_s": slow.begin / hz,
        "end_s": slow.end / hz,
        "meanwhile": [
            {"domid": domid, "vcpu": vcpu, "seconds": cycles / hz}
            for (domid, vcpu), cycles in one.meanwhile.most_common()
        ],
        "records": [record.fields for record in one.records],
    }


def write(
    found: Mapping[str, Slowest], described: Mapping[str, list[Described]], report: Report, console: Console
) -> None:
    """Write them for people, the slowest first."""
    for what, of in described.items():
        if of:
            console.print()
            console.print(Text(f"Slowest of {found[what].count:,} {_TITLES[what]}", "bold cyan"))
            for one in of:
                _write(one, report, console)


def _write(one: Described, report: Report, console: Console) -> None:
    slow, hz = one.slow, report.clock.hz
    line = Text(f"{duration(slow.cycles / hz):>8}", "bold")
    line.append(f"  {who(slow.domid, report)} v{slow.vcpu} on pCPU {slow.pcpu}", "not bold")
    line.append(f" {report.exits.name(slow.exit)}" if slow.exit is not None else "", "magenta not bold")
    line.append(f" from {seconds(slow.begin / hz, 9)}", "not bold")
    console.print(Padding(line, _INDENT, expand=False))
    ran = [
        f"{'idle' if domid == IDLE_DOMID else f'{who(domid, report)} v{vcpu}'} {duration(cycles / hz)}"
        for (domid, vcpu), cycles in one.meanwhile.most_common(_MEANWHILE_MAX)
    ]
    if len(one.meanwhile) > _MEANWHILE_MAX:
        ran.append(f"{len(one.meanwhile) - _MEANWHILE_MAX:,} more")
    # In an exit, that it was the vCPU itself goes without saying.
    if ran and set(one.meanwhile) != {(slow.domid, slow.vcpu)}:
        console.print(Padding(Text(f"there meanwhile: {', '.join(ran)}"), _DEEPER, expand=False))
    for record in one.records:
        at = record.fields["ns"] / 1e9
        inside = slow.begin / hz <= at + 5e-10 and at - 5e-10 <= slow.end / hz
        text = Text(record.line, "" if inside else "dim", no_wrap=True, overflow="ellipsis")
        console.print(Padding(text, _DEEPER, expand=False))
