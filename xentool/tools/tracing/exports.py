"""Exports of trace files: read twice, once to know the clock and who is in it, and once to write."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from traces.errors import TraceError
from xentool import extras
from xentool.errors import PeerError, XentoolError
from xentool.tools import outputs
from xentool.tools.tracing import kvm, packed, reports, sidecar
from xentool.tools.tracing.kvm import Known
from xentool.tools.tracing.packed import Unpacked
from xentool.tools.tracing.reports import AS_IT_IS, STANDARD, Reading, TraceFile

if TYPE_CHECKING:
    # What writes is loaded while the trace is read for its report.
    from traces.analyses.sights import Table
    from traces.answers import Report
    from traces.kvm.table import RecordTable

_CAPTURE_SUFFIXES = (".xentrace", ".zip")


@dataclass(frozen=True)
class Format:
    """A format to export to.

    :param module: what writes it
    :param suffix: of its files
    :param text: people can read it on a terminal
    :param streams: it can go into a pipe
    :param compiled: it is written from the trace's bytes, not from tables of records
    :param records: it has single records, and of a report only what names them
    """

    module: str
    suffix: str
    text: bool = False
    streams: bool = True
    compiled: bool = False
    records: bool = True
    #: What writes records of KVM; those that know no records write both.
    of_kvm: str = ""


_OF_KVM = "traces.exporters.kvm"
FORMATS = {
    "perfetto": Format("traces.exporters.perfetto.writer", ".perfetto-trace", records=False),
    "parquet": Format(
        "traces.exporters.parquet.writer", ".parquet", streams=False, compiled=True, of_kvm=f"{_OF_KVM}.parquet"
    ),
    "jsonl": Format("traces.exporters.jsonl", ".jsonl", text=True, of_kvm=f"{_OF_KVM}.lines"),
    "csv": Format("traces.exporters.csv", ".csv", text=True, of_kvm=f"{_OF_KVM}.csv"),
    "folded": Format("traces.exporters.folded", ".folded", text=True, records=False),
}

#: Called with the bytes read so far and those to read in all.
Progress = Callable[[int, int], None]
#: Writes a trace from its records, the report on what is wanted of it, and into what.
Writer = Callable[["Iterable[Table]", "Report", BinaryIO], None]
#: The same from its bytes.
CompiledWriter = Callable[["Again", "Report", BinaryIO], None]
#: Writes a trace of KVM from its records.
KvmWriter = Callable[["Iterator[RecordTable]", Known, BinaryIO], None]


class Again:
    """Reads up to ``size`` bytes of a file from where it stands, and tells how far it has come."""

    def __init__(self, source: TraceFile, size: int, progress: Callable[[int], None] = lambda _: None) -> None:
        self._source = source
        self._start = source.tell()
        self._size = size
        self._done = 0
        self._progress = progress

    def tell(self) -> int:
        """Say where it stands, counted from there."""
        return self._done

    def seek(self, offset: int) -> int:
        """Go back there, counted from where it stood."""
        self._source.seek(self._start + offset)
        self._done = offset
        return offset

    def read(self, size: int) -> bytes:
        """Give some bytes, none at the end."""
        data = self._source.read(min(size, self._size - self._done))
        self._tell(len(data))
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, but at the end; say with how many bytes."""
        read = self._source.readinto(buffer[: self._size - self._done])
        self._tell(read)
        return read

    def _tell(self, read: int) -> None:
        self._done += read
        self._progress(self._done)


def default_output(capture: Path, kind: Format) -> Path:
    """Name the file that an export of a capture goes to; stdin's to stdout."""
    if capture == STANDARD or not capture.name:
        # `/` and the working directory have no name for a suffix: whoever opens them says what they are.
        return capture
    name = packed.without_suffix(capture.name)
    stem = next((name.removesuffix(one) for one in _CAPTURE_SUFFIXES if name.endswith(one)), name)
    return capture.with_name(stem + kind.suffix)


def export(capture: Path, kind: Format, output: Path, reading: Reading = AS_IT_IS, *, progress: Progress) -> "Report":
    """Export what is chosen of a capture; both passes read what the first one found, should the file still grow.

    :param capture: `-` is stdin; what can't be read twice goes through a temporary file
    :param output: `-` is stdout; a file appears when it is complete, and not at all if it does not get so far
    :returns: the report of the first pass, whose account tells of damage
    :raises PeerError: it is no xentrace
    :raises XentoolError: a library is missing, the input can't be read, or the output is the input
    """

    def copy(source: Again, report: "Report", target: BinaryIO) -> None:
        write = load(kind.module).write
        (write if kind.compiled else _from_tables(write))(source, report, target)

    def ahead() -> None:
        load(kind.module)

    def of_kvm(tables: "Iterator[RecordTable]", known: Known, target: BinaryIO) -> None:
        write = load(kind.of_kvm or kind.module).write
        write(tables, known.named if kind.of_kvm else known.report, target)

    return _copied(
        capture, copy, output, reading, whole=kind.records, progress=progress, meanwhile=ahead, of_kvm=of_kvm
    )


def written(
    capture: Path,
    write: Writer,
    output: Path,
    reading: Reading,
    *,
    whole: bool = False,
    progress: Progress,
    of_kvm: "KvmWriter | None" = None,
) -> "Report":
    """Read a capture twice, for its report and for what is written; see ``export``.

    :param whole: of the report only what names single records is needed, see ``reports.report``
    :param of_kvm: writes KVM's, if ``write`` takes none of its tables
    """

    def plain(tables: "Iterator[RecordTable]", known: Known, target: BinaryIO) -> None:
        write(tables, known.report, target)

    return _copied(
        capture, _from_tables(write), output, reading, whole=whole, progress=progress, of_kvm=of_kvm or plain
    )


def _from_tables(write: Writer) -> CompiledWriter:
    from traces.reader import Reader, read  # noqa: PLC0415 - see above

    return lambda source, report, output: write(read(source, Reader(report.shifts)), report, output)


def _copied(
    capture: Path,
    write: CompiledWriter,
    output: Path,
    reading: Reading,
    *,
    whole: bool,
    progress: Progress,
    of_kvm: "KvmWriter",
    meanwhile: Callable[[], None] = lambda: None,
) -> "Report":
    with ExitStack() as stack:
        source = stack.enter_context(rereadable(capture))
        if output != STANDARD and _is(output, source.fileno()):
            raise XentoolError(f"{output} is the trace itself; give another output with -o")
        stack.enter_context(outputs.orderly_end())
        # Before anything is read: whether it can be written is not told after an hour.
        target = stack.enter_context(nullcontext(sys.stdout.buffer) if output == STANDARD else outputs.replaced(output))
        start = source.tell()
        if kvm.is_trace(source):
            return _of_kvm(cast(BufferedReader, source), str(capture), of_kvm, target, reading, whole, progress)
        size, done = _way(source, start)
        known = None if capture == STANDARD else sidecar.read(capture)
        report = reports.report(
            source,
            str(capture),
            reading,
            capture=known,
            whole=whole,
            progress=lambda read: progress(min(done(read), size), 2 * size),
            meanwhile=meanwhile,
        )
        source.seek(start)
        second = Again(source, report.account.bytes, lambda read: progress(size + done(read), 2 * size))
        try:
            write(second, report, target)
        except TraceError as error:
            raise PeerError(f"{capture} has changed while it was read: it {error}") from error
    return report


def _of_kvm(
    source: BufferedReader,
    name: str,
    write: "KvmWriter",
    target: BinaryIO,
    reading: Reading,
    whole: bool,
    progress: Progress,
) -> "Report":
    # Its pages may be packed: how many bytes there are is known when they were read once.
    size = os.fstat(source.fileno()).st_size
    known = kvm.read(source, name, reading, whole=whole, progress=lambda read: progress(min(read, size), 2 * size))
    read_again = kvm.tables(source, known, lambda read: progress(size + min(read, size), 2 * size))
    write(read_again, known, target)
    return known.report


def _way(source: TraceFile, start: int) -> tuple[int, Callable[[int], int]]:
    # How many bytes a reading takes, and of so many that were read, how many they are: of packed ones, the packed.
    size = os.fstat(source.fileno()).st_size - start
    return (size, lambda _read: source.packed) if isinstance(source, Unpacked) else (size, lambda read: read)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False  # writing it tells


def load(module: str) -> Any:  # noqa: ANN401 - an exporter, loaded late
    """Load an exporter.

    :raises XentoolError: a library that it needs is missing
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise XentoolError(extras.missing(error.name or module, "this format")) from error


@contextmanager
def rereadable(capture: Path) -> Iterator[TraceFile]:
    """Open a capture to read it more than once; what can't be goes through a temporary file, until Ctrl-C.

    :raises KeyboardInterrupt: after all, if there was one
    :raises XentoolError: it can't be read
    """
    with reports.opened(capture) as source:
        if source.seekable():
            yield source
            return
        from xentool.tools.tracing import pipes, spool  # noqa: PLC0415 - see above

        with ExitStack() as stack:
            with pipes.interruptible(cast(BufferedReader, source)) as piped:
                spooled = stack.enter_context(spool.spooled(piped, str(capture)))
            # Compressed as it came.
            yield stack.enter_context(kvm.settled(packed.file(spooled, str(capture)), str(capture)))
        if piped.interrupted:
            raise KeyboardInterrupt
