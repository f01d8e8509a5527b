"""A report's sections as text for people: as wide as the terminal, in colours where it has some."""

from collections.abc import Sequence

from traces.answers import Report
from traces.exporters.cells import LONG, MEANING, ROWS_MAX, Cell, Column, Section
from traces.exporters.drawn import Indented, Prints, Table, Text
from traces.exporters.sections import Found, Heading, ToldDomain, tell
from traces.plural import plural

_INDENT = 2
#: Of the names of run states, where these head columns.
STATE_STYLES = {"running": "green", "runnable": "yellow", "blocked": "blue", "offline": "dim", "lost": "red"}


def write(report: Report, console: Prints) -> None:
    """Write the report: the capture, each domain, what passed between domains, what is doubtful, findings."""
    told = tell(report)
    console.print(_heading(told.heading))
    for domain in told.domains:
        _write_domain(domain, console)
    if told.domains_left:
        console.print()
        console.print(Text(f"and {plural(told.domains_left, 'domain')} more (--json, --domain)", "dim"))
    for section in told.host:
        draw(section, console)
    _write_doubts(told.heading, told.damage, console)
    _write_findings(told.findings, console)


def _heading(of: Heading) -> Text:
    version = f"Xen {of.xen_version}" if of.xen_version else of.kernel
    parts = (
        "" if of.timed else of.span,
        plural(of.records, "record"),
        of.size,
        plural(of.pcpus, "pCPU"),
        f"clock {of.clock} ({of.clock_source})" if of.clock else "",
        version,
    )
    text = Text(", ".join(part for part in parts if part))
    if of.lost:
        text.append(f"; {plural(of.lost, 'record')} lost", "bold red")
        text.append(f" ({of.lost_share})")
    else:
        text.append("; none lost")
    if of.tracer:
        text.append(f"; the tracer took {of.tracer} of one of dom0's CPUs")
    if of.recorded:
        text.append(f"\nRecorded {of.recorded}", "dim")
    elif of.not_recorded:
        text.append(f"\n{of.not_recorded}", "dim")
    if of.only:
        text.append("\nOnly ").append(of.only, "bold")
        text.append(f": {of.span}" if of.timed else "")
    if of.doubtful:
        text.append("\nDoubtful: ", "bold red").append(of.skew)
    elif of.skew:
        text.append(f"\n{of.skew}", "dim")
    if of.no_run_states:
        text.append("\nRun states were not recorded", "yellow")
        text.append(f" (`xentool record` does, or 0x21000 in -e of xentrace){of.no_run_states}")
    return text


def _write_domain(domain: ToldDomain, console: Prints) -> None:
    console.print()
    console.print(Text(domain.title, "bold").append(f"  ({domain.remark})", "not bold dim"))
    if domain.note:
        console.print(_indented(Text(domain.note, "dim")))
    for section in domain.sections:
        draw(section, console, _INDENT)


def draw(section: Section, console: Prints, indent: int = 0, *, tight: bool = False) -> None:
    """Draw a section, after an empty line.

    :param tight: with less room between columns
    """
    table = Table(tight=tight)
    # Where there is no room, names go on in the next line, and numbers stay whole.
    table.add_column(Text(section.title, "bold cyan"), wraps=True)
    for column in section.columns:
        if not column.joined:
            heading = Text(column.name, STATE_STYLES.get(column.name, "dim"))
            long = column.unit in (LONG, MEANING)
            style = "dim" if column.unit == MEANING else ""
            table.add_column(heading, right=not long, wraps=long, style=style, rank=column.rank)
    for name, *cells in section.rows:
        table.add_row(Text(name.text), *(Text(text) for text in _joined(cells, section.columns)))
    if section.left:
        table.add_row(Text(f"and {section.left:,} more (--json)", "dim"))
    console.print()
    console.print(_indented(table, indent))
    if section.note:
        console.print(_indented(Text(section.note, "dim"), indent + _INDENT))


def _joined(cells: Sequence[Cell], columns: Sequence[Column]) -> list[str]:
    # A share below 100 % is as wide as one of 100 %, so that what it is joined to stands in line.
    texts: list[str] = []
    for cell, column in zip(cells, columns, strict=True):
        if column.joined:
            texts[-1] += f" {cell.text:>5}"
        else:
            texts.append(cell.text)
    return texts


def _indented(what: Table | Text, by: int = _INDENT) -> Indented:
    return Indented(what, by)


def _write_doubts(heading: Heading, damage: Section | None, console: Prints) -> None:
    if heading.exit_doubt:
        console.print()
        console.print(f"Whose VM exits these are is in doubt. {heading.exit_doubt}", style="yellow")
    if damage:
        draw(damage, console)
    if heading.skipped:
        told = f"{plural(heading.skipped, 'byte')} ({heading.skipped_share}) could not be decoded."
        console.print(told, style="red")


def _write_findings(found: Sequence[Found], console: Prints) -> None:
    if not found:
        return
    console.print()
    console.print(Text("Findings", "bold cyan"))
    for one in found[:ROWS_MAX]:
        where = f" ({one.where})" if one.where else ""
        console.print(_indented(Text().append(one.rule, "yellow").append(f": {one.text}").append(where, "dim")))
    if len(found) > ROWS_MAX:
        console.print(_indented(Text(f"and {len(found) - ROWS_MAX:,} more (--json)", "dim")))
