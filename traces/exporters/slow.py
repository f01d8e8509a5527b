"""The slowest waits and VM exits with what surrounds them, as text and as part of a report's document.

Each has who ran on its pCPU meanwhile, and the records of that pCPU around its beginning and its end.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from traces.account import IDLE_DOMID
from traces.analyses.elapsed import Elapsed
from traces.analyses.sights import Table
from traces.analyses.slowest import Meanwhile, Slow, Slowest
from traces.answers import Report
from traces.exporters import dump, jsonl
from traces.exporters.around import Around, Record, Written
from traces.exporters.details import Naming, naming
from traces.exporters.words import duration, seconds, who
from traces.foreign import printable
from traces.xen.formats.exits import reason_of

#: Of those who ran meanwhile, in text.
_MEANWHILE_MAX = 20
_TITLES = {"wake_to_run": "waits from waking until running", "exits": "VM exits"}
_INDENT, _DEEPER = (0, 0, 0, 2), (0, 0, 0, 6)


@dataclass(frozen=True)
class Described:
    """A slow one: who (domid, vcpu) ran on its pCPU meanwhile, for how many cycles, and records around it."""

    slow: Slow
    meanwhile: Counter[tuple[int, int]]
    records: list[Record]


def describe(
    tables: Iterable[Table], report: Report, slow: list[Slow], written: Written | None = None
) -> list[Described]:
    """Read a trace again to describe some slow ones.

    :param report: on the same trace: its clock, and the names of its exits
    :param written: gives records in both forms, see ``around``; those of Xen's without it
    """
    elapsed, meanwhile = Elapsed(), Meanwhile(slow, report.source)
    around = Around(
        ((one.pcpu, at) for one in slow for at in (one.begin, one.end)),
        report.clock.hz,
        written or _written(naming(report)),
    )
    for table in tables:
        for piece in table.pieces():
            cycles = elapsed.of(piece)
            meanwhile.feed(piece, cycles, elapsed)
            around.feed(piece, cycles)
    meanwhile.finish()
    found = []
    for one, ran in zip(slow, meanwhile.ran, strict=True):
        # Around what is short, both ends have records in common.
        records = {
            record.fields["byte_offset"]: record
            for at in (one.begin, one.end)
            for record in around.records(one.pcpu, at)
        }
        found.append(Described(one, ran, list(records.values())))
    return found


def _written(of: Naming) -> Written:
    return lambda table, ns: zip(dump.lines(table, ns, of), jsonl.lines(table, ns, of), strict=True)


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
    line.append(f" {printable(report.exits.name(slow.exit))}" if slow.exit is not None else "", "magenta not bold")
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
        text = Text(record.line, "" if inside else "dim", overflow="fold")
        console.print(Padding(text, _DEEPER, expand=False))
