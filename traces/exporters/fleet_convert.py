"""What became of captures that were to be converted, as text and as the document ``xentool.fleet.convert/1``."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from traces.analyses.fleet.took import Took
from traces.exporters.fleet import Failed, failures, spent, write_failed
from traces.foreign import printable
from traces.plain import frozen
from traces.plural import plural

SCHEMA = "xentool.fleet.convert/1"


@frozen
class Conversion:
    """What came of it.

    :param to: the dataset
    :param captures: those that were converted, each as ``document`` tells it, read once
    :param records: in their files; ``bytes`` of these
    :param kept: captures that were there, and have not changed since
    :param others: files in folders that are no captures
    """

    to: str
    captures: Iterator[dict[str, Any]]
    converted: int
    records: int
    bytes: int
    kept: int
    failed: tuple[Failed, ...]
    others: int
    took: Took


def document(found: Conversion) -> dict[str, Any]:
    """Make the document; ``captures`` in it is read as it is written."""
    return {
        "schema": SCHEMA,
        "to": found.to,
        "totals": {"captures": found.converted, "records": found.records, "bytes": found.bytes},
        "captures": found.captures,
        "kept": found.kept,
        "failed": failures(found.failed),
        "others": found.others,
        **spent(found.took),
    }


def write(found: Conversion, console: Console) -> None:
    """Write the text."""
    size = f"{plural(found.records, 'record')}, {found.bytes / 1e6:,.1f} MB"
    console.print(Text(f"{plural(found.converted, 'capture')} converted into {printable(found.to)}: {size}"))
    if found.kept:
        console.print(Text(f"{plural(found.kept, 'capture')} there already, and the same since."))
    if found.took.interrupted:
        console.print(Text("Interrupted: what is there is whole, and another run goes on.", "yellow"))
    write_failed(found.failed, console)
    if found.others:
        console.print(Text(f"{plural(found.others, 'file')} in these folders are something else.", "dim"))
