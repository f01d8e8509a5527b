"""Many captures as text, as sections of a page, and as the document ``xentool.fleet/1``."""

from collections.abc import Iterator, Sequence
from typing import Any

from traces.analyses.compare import CHANCE
from traces.analyses.fleet.groups import Group, Totals, Wait
from traces.analyses.fleet.peers import LOST, PEERS_MIN, SKIPPED, Unusual
from traces.analyses.fleet.took import Took
from traces.counting.latencies import Distribution
from traces.exporters import cells, words
from traces.exporters.cells import LONG, NOTHING, RATE, ROWS_MAX, SECONDS, SHARE, WORDS, Cell, Column, Section
from traces.exporters.document import quantiles
from traces.exporters.drawn import Prints, Text
from traces.exporters.text import draw
from traces.foreign import printable
from traces.plain import frozen
from traces.plural import plural

SCHEMA = "xentool.fleet/1"
#: Reasons that are told of one capture.
_WHY_MAX = 3
_STATES = ("running", "runnable", "blocked")
_WAIT = "wake_to_run"
#: Who is told of by which kind of trace.
_SOURCES = {"xentrace": "Xen", "kvm": "KVM"}


@frozen
class Outlier:
    """A capture that stands out, and by which measures, the least likely first."""

    file: str
    unusual: tuple[Unusual, ...]


@frozen
class Failed:
    """What could not be read, or not as a whole."""

    url: str
    error: str


@frozen
class Fleet:
    """The answer on many captures.

    :param by: what groups have in common
    :param captures: each as ``document`` tells it, read once
    :param others: files in folders that are no captures
    :param kept: captures of which an earlier run's answer was taken
    :param untimed: captures whose clock nobody knows
    """

    by: str
    totals: Totals
    groups: tuple[Group, ...]
    captures: Iterator[dict[str, Any]]
    outliers: tuple[Outlier, ...]
    slowest: tuple[Wait, ...]
    failed: tuple[Failed, ...]
    others: int
    kept: int
    untimed: int
    took: Took


def document(found: Fleet) -> dict[str, Any]:
    """Make the document; ``captures`` in it is read as it is written."""
    totals = found.totals
    return {
        "schema": SCHEMA,
        "totals": {
            "captures": totals.captures,
            "sources": dict(totals.sources),
            "failed": len(found.failed),
            "bytes": totals.bytes,
            "records": totals.records,
            "lost_records": totals.lost,
            "skipped_bytes": totals.skipped,
            "seconds": totals.seconds,
        },
        "by": found.by,
        "groups": [_group(one) for one in found.groups],
        "captures": found.captures,
        "outliers": [
            {"file": one.file, "why": why(one), "measures": [_unusual(each) for each in one.unusual]}
            for one in found.outliers
        ],
        "slowest": [{"file": one.file, **_slow(one)} for one in found.slowest],
        "failed": failures(found.failed),
        "others": found.others,
        "kept": found.kept,
        **spent(found.took),
    }


def failures(failed: Sequence[Failed]) -> list[dict[str, str]]:
    """Tell what could not be read, as documents of fleets have it."""
    return [{"url": one.url, "error": one.error} for one in failed]


def write_failed(failed: Sequence[Failed], console: Prints) -> None:
    """Write what could not be read, and how much of that is left out."""
    for one in failed[:ROWS_MAX]:
        console.print(Text(f"{printable(one.url)}: {printable(one.error)}", "yellow"))
    if left := len(failed[ROWS_MAX:]):
        console.print(Text(f"and {plural(left, 'capture')} more (--json)", "dim"))


def spent(took: Took) -> dict[str, Any]:
    """Tell what a run took, and whether it came to its end, as documents of fleets have it."""
    return {
        "interrupted": took.interrupted,
        "seconds": {"start": took.start_s, "work": took.work_s},
        "workers": took.workers,
        "memory": {"client": took.memory[0], "worker": took.memory[1]},
    }


def _group(one: Group) -> dict[str, Any]:
    part = one.part
    return {
        "name": one.name,
        "source": one.source,
        "captures": one.captures,
        "seconds": one.seconds,
        "hypercalls": sum(part.hypercalls.values()),
        "exits": sum(part.exits.values()),
        "pages_mapped": part.granted,
        "runstates": {name: s / part.vcpu_seconds for name, s in part.runstates.items()} if part.vcpu_seconds else {},
        "waits": {name: {"count": took.count, **quantiles(took)} for name, took in part.waits.items()},
    }


def _unusual(one: Unusual) -> dict[str, Any]:
    kind, name = one.measure
    return {
        "domain": one.domain or None,
        "kind": kind,
        "name": name,
        "value": one.value,
        "usual": one.usual,
        "p": one.p,
    }


def _slow(one: Wait) -> dict[str, Any]:
    of = one.of
    return {
        "domain": of.domain,
        "vcpu": of.vcpu,
        "pcpu": of.pcpu,
        "begin_s": of.begin_s,
        "seconds": of.seconds,
        "offset": of.offset,
    }


def why(one: Outlier) -> str:
    """Say in words why a capture stands out."""
    told = [_why(each) for each in one.unusual[:_WHY_MAX]]
    more = len(one.unusual) - len(told)
    return "; ".join([*told, *([f"and {plural(more, 'measure')} more"] if more else [])])


def _why(one: Unusual) -> str:
    kind, name = one.measure
    whose = f"{printable(one.domain)}: " if one.domain else ""
    name = printable(name)
    if one.measure == LOST:
        return f"{_share(one.value)} of its records were lost, elsewhere {_share(one.usual)}"
    if one.measure == SKIPPED:
        return f"{_share(one.value)} of its bytes cannot be decoded, elsewhere {_share(one.usual)}"
    if kind == "runstates":
        return f"{whose}{name} for {_share(one.value)} of the time, elsewhere {_share(one.usual)}"
    if kind == "latencies":
        took = words.LATENCIES.get(name, name)
        return f"{whose}{took} p99 {words.duration(one.value)}, elsewhere {words.duration(one.usual)}"
    return f"{whose}{name} {one.value:,.0f} per s, elsewhere {one.usual:,.0f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def sections(found: Fleet) -> list[Section]:
    """Give the tables: groups, captures that stand out, slowest waits, what failed."""
    made = [_groups(found)]
    if found.outliers:
        rows = [(Cell(printable(one.file)), Cell(why(one))) for one in found.outliers[:ROWS_MAX]]
        left = len(found.outliers) - len(rows)
        made.append(Section("Captures that stand out", [Column("why", LONG)], rows, left))
    if found.slowest:
        made.append(_slowest(found.slowest))
    if found.failed:
        failed = [(Cell(printable(one.url)), Cell(printable(one.error))) for one in found.failed[:ROWS_MAX]]
        left = len(found.failed) - len(failed)
        made.append(Section("Failed, or damaged", [Column("error", LONG)], failed, left))
    return made


def _groups(found: Fleet) -> Section:
    mixed = len(found.totals.sources) > 1
    columns = [
        *([Column("of", WORDS, rank=0)] if mixed else []),
        Column("captures", rank=0),
        Column("time", SECONDS, rank=6),
        Column("hypercalls/s", RATE, rank=3),
        Column("exits/s", RATE, rank=4),
        *(Column(name, SHARE, rank=rank) for name, rank in zip(_STATES, (2, 1, 7), strict=True)),
        *(Column(f"wake {name}", SECONDS, rank=rank) for name, rank in (("p50", 8), ("p99", 5), ("max", 9))),
    ]
    shown = cells.busiest(found.groups, lambda one: one.seconds, ROWS_MAX)
    rows = [
        (
            Cell(printable(one.name)),
            *([Cell(source(one.source))] if mixed else []),
            cells.count(one.captures),
            cells.seconds(one.seconds),
            *(cells.rate(sum(of.values()), one.seconds) for of in (one.part.hypercalls, one.part.exits)),
            *(_state(one, name) for name in _STATES),
            *_wait(one.part.waits.get(_WAIT)),
        )
        for one in shown
    ]
    return Section(f"By {found.by}", columns, rows, len(found.groups) - len(rows))


def source(name: str) -> str:
    """Say whom a kind of trace tells of."""
    return _SOURCES.get(name, printable(name))


def _state(one: Group, name: str) -> Cell:
    part = one.part
    return cells.share(part.runstates.get(name, 0.0) / part.vcpu_seconds) if part.vcpu_seconds else NOTHING


def _wait(took: Distribution | None) -> tuple[Cell, Cell, Cell]:
    if took is None or not took.count:
        return NOTHING, NOTHING, NOTHING
    return cells.duration(took.quantile(0.5)), cells.duration(took.quantile(0.99)), cells.duration(took.longest)


def _slowest(of: Sequence[Wait]) -> Section:
    columns = [
        Column("domain", WORDS, rank=1),
        Column("vCPU", rank=4),
        Column("pCPU", rank=5),
        Column("waited", SECONDS, rank=0),
        Column("from", SECONDS, rank=2),
        Column("byte", rank=3),
    ]
    rows = [
        (
            Cell(printable(one.file)),
            Cell(printable(one.of.domain)),
            cells.count(one.of.vcpu),
            cells.count(one.of.pcpu),
            cells.duration(one.of.seconds),
            Cell(f"{one.of.begin_s:.6f} s", one.of.begin_s),
            NOTHING if one.of.offset is None else Cell(str(one.of.offset), one.of.offset),
        )
        for one in of
    ]
    return Section("Slowest waits for a pCPU", columns, rows)


def heading(found: Fleet) -> str:
    """Say what it is about."""
    totals = found.totals
    lost = f"{totals.lost:,} lost" if totals.lost else "none lost"
    parts = [
        plural(totals.captures, "capture"),
        f"{totals.bytes / 1e6:,.1f} MB",
        f"{plural(totals.records, 'record')} ({lost})",
        f"{totals.seconds:,.1f} s",
    ]
    return ", ".join(parts)


def notes(found: Fleet) -> list[str]:
    """Say how it is to be read, and what it took."""
    told = [
        f"A capture stands out where a measure is far from the median of all that have a domain of that name (at least "
        f"{PEERS_MIN}); about {CHANCE:.0%} of what is told may be chance."
    ]
    if not found.outliers:
        told = ["No capture stands out."] if found.totals.captures >= PEERS_MIN else []
    if len(found.totals.sources) > 1:
        each = " and ".join(f"{count:,} of {source(name)}" for name, count in found.totals.sources.most_common())
        told.append(f"{each}: what one counts is not added to what the other does, nor compared with it.")
    if found.untimed:
        told.append(f"{plural(found.untimed, 'capture')} with a clock of unknown rate: of these only shares compare.")
    if found.others:
        told.append(f"{plural(found.others, 'file')} in these folders are something else.")
    if found.kept:
        told.append(f"{plural(found.kept, 'answer')} of an earlier run.")
    took = found.took
    if not took.workers:
        # All answers were there.
        return told
    client, worker = (size / 1e6 for size in took.memory)
    told.append(
        f"{plural(took.workers, 'worker')}, started in {took.start_s:.1f} s, worked {took.work_s:.1f} s; at most "
        f"{client:,.0f} MB here, {worker:,.0f} MB a worker."
    )
    return told


def write(found: Fleet, console: Prints) -> None:
    """Write the text."""
    console.print(Text(heading(found)))
    if found.took.interrupted:
        console.print(Text("Interrupted: this is about what was read until then.", "yellow"))
    for section in sections(found):
        draw(section, console)
    console.print()
    for note in notes(found):
        console.print(Text(note, "dim"))
