"""Reports on what Linux recorded of KVM: a trace.dat of trace-cmd."""

from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from traces.account import SEVERITIES, Diagnostic
from traces.errors import TraceError
from traces.kvm import MAGIC
from traces.plain import replace
from xentool.errors import PeerError, XentoolError

if TYPE_CHECKING:
    from traces.answers import Report
    from traces.kvm.decode.tracedat import TraceDat, Unpack

#: What unpacking may keep in mind.
_MEMORY = 1 << 27


def is_trace(source: object) -> bool:
    """Tell whether a source is a file that is a trace.dat, and stands at its beginning."""
    return isinstance(source, BufferedReader) and source.seekable() and source.peek(len(MAGIC)).startswith(MAGIC)


def is_file(path: Path) -> bool:
    """Tell whether a file is a trace.dat; one that cannot be read is none, and a pipe is left as it is."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def report(
    source: BufferedReader,
    name: str,
    *,
    hz: float | None = None,
    names: tuple[tuple[int, str], ...] = (),
) -> "Report":
    """Read a trace.dat to its end and report on it.

    :param name: of the file, for messages
    :param hz: the clock's rate, if the user knows it better
    :param names: what the user calls machines, by the number that their report has
    :raises PeerError: it is none that can be read
    :raises XentoolError: reading it fails
    """
    found, *_ = _read(source, name, hz)
    if not names:
        return found
    called = dict(names)
    domains = tuple(replace(one, name=called.get(one.domid, one.name)) for one in found.domains)
    return replace(found, domains=domains, names={**found.names, **called})


def _read(
    source: BufferedReader, name: str, hz: float | None = None
) -> "tuple[Report, TraceDat, int, dict[int, tuple[int, int]]]":
    # The report, what the file says of itself, when its first record was made, and which vCPUs threads are.
    from traces.analyses import kvm  # noqa: PLC0415 - few traces are of KVM
    from traces.kvm import counted  # noqa: PLC0415 - see above
    from traces.kvm.decode import tracedat  # noqa: PLC0415 - see above

    unpack = _zstd()
    damages: list[Diagnostic] = []

    def lost(code: str, offset: int) -> None:
        damages.append(Diagnostic(code, SEVERITIES[code], 1, offset))

    try:
        trace = tracedat.read(cast(BinaryIO, source), unpack)
        counts = counted.of(trace)
        piece = tracedat.piece_size(len(trace.streams))
        counts.run([tracedat.pages(source, one, unpack, piece, lost) for one in trace.streams])
    except TraceError as error:
        raise PeerError(f"{name} {error}") from error
    except OSError as error:
        raise XentoolError(f"cannot read {name}: {error.strerror}") from error
    threads = counts.threads
    of_vcpus = {
        threads[index].pid: (machine.pid, threads[index].vcpu or 0)
        for machine in kvm.machines(threads, trace.guests)
        for index in machine.threads
    }
    return kvm.report(counts, trace, damages, hz=hz), trace, counts.first, of_vcpus


def dump(
    source: BufferedReader, name: str, write: Callable[[str], object], *, as_json: bool, domain: str | None = None
) -> "Report":
    """Give the records of a trace.dat in order of time, a line each, after a first reading that tells who is in it.

    :param write: is given each line
    :param domain: only what its vCPUs did, by number or name
    :raises PeerError: it is none that can be read
    :raises XentoolError: reading it fails, or it has no such domain
    """
    from traces.exporters.kvm import Machines, Written  # noqa: PLC0415 - few traces are of KVM
    from traces.exporters.words import marked  # noqa: PLC0415 - see above
    from traces.kvm.decode import tracedat  # noqa: PLC0415 - see above
    from traces.kvm.records import in_order  # noqa: PLC0415 - see above
    from xentool.tools.tracing import reports  # noqa: PLC0415 - it knows of this module

    found, trace, start, vcpus = _read(source, name)
    only = None
    if domain is not None:
        domid = reports.domid_of(found, domain)
        only = {pid for pid, (of, _vcpu) in vcpus.items() if of == domid}
    unpack = _zstd()
    piece = tracedat.piece_size(len(trace.streams))
    # What could not be read was told by the first reading.
    pieces = [tracedat.pages(source, one, unpack, piece, lambda _code, _at: None) for one in trace.streams]
    every = in_order([(one.cpu, one.page_size, of) for one, of in zip(trace.streams, pieces, strict=True)])
    chosen = every if only is None else (one for one in every if one.pid in only)
    written = Written(trace.layouts, Machines(vcpus, trace.comms), found.clock.hz, start)
    with marked(found.clock):
        for line in written.objects(chosen) if as_json else written.text(chosen, len(found.account.pcpus)):
            write(line)
    return found


def _zstd() -> "Unpack | None":
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return None
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MEMORY)

    def unpack(data: bytes, size: int) -> bytes:
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
