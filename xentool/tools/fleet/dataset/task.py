"""What a worker does with one capture for a dataset; see ``fleet.task`` on what becomes of exceptions."""

from collections.abc import Sequence
from io import BufferedReader
from typing import BinaryIO, cast

from traces.answers import Report
from traces.errors import TraceError
from traces.plain import frozen
from xentool.errors import PeerError
from xentool.tools.fleet import captures
from xentool.tools.fleet.captures import Capture
from xentool.tools.fleet.dataset import names
from xentool.tools.fleet.dataset.store import store
from xentool.tools.fleet.places import Place, told
from xentool.tools.tracing import exports, kvm, reports
from xentool.tools.tracing.reports import AS_IT_IS

_WRITER = "traces.exporters.dataset.writer"


@frozen
class Written:
    """A capture's file in a dataset: its path there, its rows and bytes, and what of the capture is damaged."""

    path: str
    records: int
    bytes: int
    damage: str | None


@frozen
class Converted:
    """What came of a capture: a file, or why there is none; ``other`` of what is known to be no capture.

    ``memory`` is the most bytes that the worker's process had so far.
    """

    written: Written | None
    error: str | None
    other: bool
    memory: int


def convert(place: Place, instead: Sequence[str], to: str, limit_s: float) -> Converted:
    """Write a capture's file.

    :param instead: paths of files that it takes the place of
    :param to: the dataset
    :param limit_s: for which another machine may send nothing
    """
    found, error, other = None, None, False
    try:
        found = _convert(place, instead, to, limit_s)
        other = found is None
    except BaseException as failure:  # noqa: BLE001 - SystemExit and KeyboardInterrupt would end the worker
        error = told(failure)
    return Converted(found, error, other, captures.memory())


def _convert(place: Place, instead: Sequence[str], to: str, limit_s: float) -> Written | None:
    with captures.opened(place, limit_s) as capture:
        if capture is None:
            return None
        with store(to, limit_s).part() as (file, put):
            report, rows = _written(capture, place, file)
            damage = captures.damage(report, place.url)
            recorded = report.recorded.text() if report.recorded else None
            day = recorded[:10] if recorded else None
            folder = names.partitions(capture.host, day, place)
            path = f"{folder}/{names.file(place, damaged=damage is not None)}"
            size = file.tell()
            put(path, instead)
    return Written(path, rows, size, damage)


def _written(capture: Capture, place: Place, file: BinaryIO) -> tuple[Report, int]:
    # Read twice: first for what names its records.
    source, name = capture.source, names.source(place)
    writer = exports.load(_WRITER)
    if kvm.is_trace(source):
        trace = cast(BufferedReader, source)
        known = kvm.read(trace, place.url, AS_IT_IS, whole=True)
        return known.report, writer.write_kvm(kvm.tables(trace, known), known.named, file, name)
    start = source.tell()
    report = reports.report(source, place.url, capture=capture.beside, whole=True, lanes=1)
    source.seek(start)
    try:
        return report, writer.write(exports.Again(source, report.account.bytes), report, file, name)
    except TraceError as error:
        raise PeerError(f"it has changed while it was read: it {error}") from error
