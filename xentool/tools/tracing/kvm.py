"""Traces of KVM, that Linux recorded: trace.dat of trace-cmd, perf.data of perf kvm. Reports on them, their records.

A recording that was killed is read too, as what its host had sent.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from traces.account import SEVERITIES, Diagnostic
from traces.choice.where import Kinds
from traces.errors import TraceError
from traces.kvm import MAGIC, PERF_MAGIC, STREAM_MAGIC
from traces.plain import frozen, replace
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import packed

if TYPE_CHECKING:
    import zstandard

    from traces.answers import Report
    from traces.choice.where import Where
    from traces.exporters.around import Written
    from traces.exporters.kvm.groups import Trace
    from traces.kvm.decode.tracedat import TraceDat, Unpack
    from traces.kvm.devices import Devices
    from traces.kvm.table import RecordTable
    from traces.worker import Worker
    from xentool.tools.tracing.reports import Reading
    from xentool.tools.tracing.spool import Spooled

_Source = TypeVar("_Source")
#: What is told of records of a perf.data that are none.
_SHORT = "short_record"
#: Of the file beside a trace that says which device is where, see ``traces.kvm.devices``; and how much of it is read.
DEVICES, _MAP_MAX = ".devices", 1 << 20
#: A file with fewer bytes of pages is read by one thread.
_SMALL = 4 << 20
#: What unpacking may keep in mind.
_MEMORY = 1 << 27


def is_trace(source: object) -> bool:
    """Tell whether a source is a file that is a trace of KVM, and stands at its beginning."""
    return isinstance(source, BufferedReader) and source.seekable() and source.peek(len(MAGIC)).startswith(MAGIC)


def comes(source: object) -> bool:
    """Tell whether what comes out of a pipe, or out of what is packed, is a trace of KVM."""
    return isinstance(source, packed.Unpacked | packed.Led) and source.peek().startswith((MAGIC, *_CONVERTED))


@contextmanager
def settled(source: _Source, name: str) -> "Iterator[_Source | Spooled]":
    """Give a source; of KVM what is packed, a perf.data or what a host sent as a trace.dat in a file without a name.

    Parts of it lie anywhere, which only a file can be asked for.

    :param name: of the file, for messages
    :raises PeerError: it is such a file and cannot be read
    :raises XentoolError: there is no room for it
    """
    if not comes(source) and _converter(source) is None:
        yield source
        return
    from xentool.tools.tracing.spool import Readable, empty, spooled  # noqa: PLC0415 - few traces are of KVM

    with ExitStack() as stack:
        file = stack.enter_context(spooled(cast(Readable, source), name)) if comes(source) else source
        convert = _converter(file)
        if convert is None:
            yield cast("Spooled", file)
            return
        made = stack.enter_context(empty())
        damage = getattr(file, "damage", None)
        try:
            found = convert(cast(BinaryIO, file), made.raw)
        except TraceError as error:
            raise PeerError(f"{name} {error}") from error
        except OSError as error:
            raise XentoolError(f"cannot read {name} by a temporary file: {error.strerror}") from error
        made.seek(0)
        made.damage = damage or found
        yield made


def _of_perf(file: BinaryIO, out: Any) -> Diagnostic | None:  # noqa: ANN401 - a raw file, that construct reads as any other
    from traces.kvm.decode import perfdata  # noqa: PLC0415 - few traces are of perf

    skipped = perfdata.convert(file, out)
    return Diagnostic(_SHORT, SEVERITIES[_SHORT], skipped, 0) if skipped else None


def _of_stream(file: BinaryIO, out: Any) -> Diagnostic | None:  # noqa: ANN401 - see above
    from traces.kvm import ordered  # noqa: PLC0415 - few recordings are killed

    return ordered.convert(file, out)


#: What is no trace.dat and becomes one, by how it begins: by what; that gives what could not be read.
_CONVERTED = {PERF_MAGIC: _of_perf, STREAM_MAGIC: _of_stream}


def _converter(source: object) -> Callable[[BinaryIO, Any], Diagnostic | None] | None:
    if not (isinstance(source, BufferedReader) and source.seekable()):
        return None
    begins = source.peek(max(map(len, _CONVERTED)))
    return next((convert for magic, convert in _CONVERTED.items() if begins.startswith(magic)), None)


@frozen
class Known:
    """A trace that was read once.

    :param trace: what it says of itself
    :param report: on what is chosen of it
    :param start: when its first record was made, in ticks
    :param vcpus: (machine, vCPU) of threads that are one
    """

    trace: "TraceDat"
    report: "Report"
    start: int
    vcpus: dict[int, tuple[int, int]]
    seen: frozenset[int]

    @property
    def named(self) -> "Trace":
        """What names its records."""
        from traces.exporters.kvm.groups import Trace  # noqa: PLC0415 - brings numpy

        return Trace(self.report, self.trace.layouts, self.trace.comms, self.seen)


def report(source: BufferedReader, name: str, reading: "Reading") -> "Report":
    """Read a trace to its end and report on what is chosen of it.

    :param name: of the file, for messages
    :raises PeerError: it is none that can be read
    :raises XentoolError: reading it fails, it has no such domain, or that cannot be chosen
    """
    return read(source, name, reading).report


def read(
    source: BufferedReader,
    name: str,
    reading: "Reading",
    *,
    whole: bool = False,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Known:
    """Read a trace to its end.

    :param whole: count whatever is chosen, or not: what must be known to name single records
    :param progress: is told how many bytes of pages were read so far
    :raises PeerError: it is none that can be read
    :raises XentoolError: reading it fails, it has no such domain, or that cannot be chosen
    """
    from traces.analyses import kvm, select  # noqa: PLC0415 - few traces are of KVM
    from traces.kvm import counted  # noqa: PLC0415 - see above
    from traces.kvm.decode import tracedat  # noqa: PLC0415 - see above
    from xentool.tools.tracing import reports  # noqa: PLC0415 - it knows of this module

    chosen = reading.chosen
    _check(chosen.where, name, whole=whole)
    damages: list[Diagnostic] = []

    def lost(code: str, offset: int) -> None:
        damages.append(Diagnostic(code, SEVERITIES[code], 1, offset))

    try:
        trace = tracedat.read(cast(BinaryIO, source), _zstd())
        counts = counted.of(trace)
        if chosen.where.timed and not whole:
            counts.window(*chosen.where.cycles(kvm.clock_of(trace, reading.hz).hz))
        with _reader(trace) as ahead:
            counts.run(_pieces(source, trace, lost, progress, ahead))
    except TraceError as error:
        raise PeerError(f"{name} {error}") from error
    except OSError as error:
        raise XentoolError(f"cannot read {name}: {error.strerror}") from error
    found = packed.told(kvm.report(counts, trace, damages, hz=reading.hz, devices=_devices(name)), source)
    if chosen.names:
        called = dict(chosen.names)
        domains = tuple(replace(one, name=called.get(one.domid, one.name)) for one in found.domains)
        found = replace(found, domains=domains, names={**found.names, **called})
    domid = None if chosen.domain is None else reports.domid_of(found, chosen.domain)
    return Known(
        trace,
        select.of(found, replace(chosen.where, domid=domid)),
        counts.first,
        kvm.vcpus(counts, trace),
        kvm.seen(counts),
    )


def tables(
    source: BufferedReader, known: Known, progress: Callable[[int], None] = lambda _bytes: None
) -> "Iterator[RecordTable]":
    """Read a trace again, for its records in order of time; what could not be read was told by the first reading."""
    from traces.kvm import table  # noqa: PLC0415 - brings numpy

    trace = known.trace
    told = table.Told({one.name: one for one in trace.layouts.values()}, known.vcpus)
    pieces = _pieces(source, trace, lambda _code, _at: None, progress)
    return table.read([(one.cpu, one.page_size) for one in trace.streams], pieces, told)


def again(source: BufferedReader, known: Known) -> "tuple[Callable[[], Iterator[RecordTable]], Written]":
    """Give what reads a trace once more, and what writes its records as ``around`` wants them."""
    from traces.exporters.kvm import lines  # noqa: PLC0415 - brings numpy

    return lambda: tables(source, known), lines.forms(known.named)


def _reader(trace: "TraceDat") -> "AbstractContextManager[Worker | None]":
    # Reads while others count; a small file is read sooner than a thread begins.
    if sum(one.size for one in trace.streams) < _SMALL:
        return nullcontext()
    from traces.worker import Worker  # noqa: PLC0415 - see above

    return Worker()


def _ahead(pages: Iterator[bytes], worker: "Worker") -> Iterator[bytes]:
    # The worker finds the next piece while this one is looked at.
    asked = worker.submit(next, pages, None)
    while (piece := asked.result()) is not None:
        asked = worker.submit(next, pages, None)
        yield piece


def _pieces(
    source: BufferedReader,
    trace: "TraceDat",
    lost: Callable[[str, int], None],
    progress: Callable[[int], None],
    worker: "Worker | None" = None,
) -> list[Iterator[bytes]]:
    from traces.kvm.decode import tracedat  # noqa: PLC0415 - see above

    unpack = _zstd()
    piece = tracedat.piece_size(len(trace.streams))
    done = 0

    def counted(pages: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal done
        for data in pages:
            done += len(data)
            progress(done)
            yield data

    every = [tracedat.pages(cast(Any, source), one, unpack, piece, lost) for one in trace.streams]
    return [counted(pages if worker is None else _ahead(pages, worker)) for pages in every]


def _devices(name: str) -> "Devices":
    # By a map beside the trace, should there be one.
    from traces.kvm.devices import Devices, parsed  # noqa: PLC0415 - few traces are of KVM

    path = Path(f"{packed.without_suffix(name)}{DEVICES}")
    try:
        with path.open("rb") as file:
            text = file.read(_MAP_MAX)
    except (OSError, ValueError):
        return Devices()
    return Devices(parsed(text.decode("utf8", "replace")))


def _check(where: "Where", name: str, *, whole: bool) -> None:
    if where.kinds != Kinds():
        raise XentoolError(f"{name} is a trace of KVM, and -e names what Xen records: leave it out")
    if where.pcpus and not whole:
        raise XentoolError(
            f"{name} is a trace of KVM, whose run states are not told by pCPU: leave out --pcpu, which dump takes"
        )


def _zstd() -> "Unpack":
    # Loading it takes a tenth of a small file's report, and many are not packed.
    unpacker: zstandard.ZstdDecompressor | None = None

    def unpack(data: bytes, size: int) -> bytes:
        nonlocal unpacker
        try:
            import zstandard  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            from xentool import extras  # noqa: PLC0415 - see above

            raise XentoolError(extras.missing("zstandard", "a trace.dat that is packed by zstd")) from None
        unpacker = unpacker or zstandard.ZstdDecompressor(max_window_size=_MEMORY)
        try:
            # So much is made room for, whatever it turns out to be.
            if zstandard.frame_content_size(data) > size:
                raise ValueError("it unpacks to more than was said")
            made = unpacker.decompress(data, max_output_size=size)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
        if len(made) != size:
            raise ValueError("it unpacks to another size than was said")
        return made

    return unpack
