"""Reports on trace files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from importlib import import_module
from io import BufferedReader, IOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from traces import scan as scans
from traces.account import DOUBTS, IDLE_DOMID, NO_SHIFTS, UNKNOWN_DOMID, Skew
from traces.choice import where as wheres
from traces.choice.where import Where
from traces.errors import TraceError
from traces.plain import frozen, replace
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import bundle, kvm, packed
from xentool.tools.tracing.sidecar import Sidecar

if TYPE_CHECKING:
    # Reading begins before what the answer is made with is loaded.
    from traces.answers import Report
    from traces.xen.formats.exits import Vendor

STANDARD = Path("-")
#: What the answer is made with.
_LATER = ("traces.analyses.report", "traces.analyses.select")
#: What leaves the file whole: xentrace itself tells about the records that it lost.
_NO_DAMAGE = DOUBTS | {"lost_records"}


class TraceFile(scans.Source, Protocol):
    """A trace file: as it is, or what is compressed in it. One that can seek can go back to where it began."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer, but at the end; say with how many bytes."""
        ...

    def read(self, size: int, /) -> bytes:
        """Give some bytes, none at the end."""
        ...

    def seekable(self) -> bool:
        """Say whether it can be read again."""
        ...

    def tell(self) -> int:
        """Say where it stands."""
        ...

    def seek(self, offset: int, /) -> int:
        """Go back there."""
        ...

    def fileno(self) -> int:
        """Give the descriptor of the file on disk."""
        ...


@contextmanager
def opened(path: Path) -> Iterator[TraceFile]:
    """Open a trace file, or a bundle's trace; `-` is stdin, which stays open. A pipe is as it is, see ``packed.pipe``.

    :raises PeerError: it is a directory, or known to be something else than a trace
    :raises XentoolError: it can't be read
    """
    with nullcontext(cast(BufferedReader, sys.stdin.buffer)) if path == STANDARD else _open(path) as file:
        if not file.seekable():
            yield file
            return
        with of_file(file, str(path)) as source:
            yield source


@contextmanager
def of_file(file: BufferedReader, name: str) -> Iterator[TraceFile]:
    """Give what a file that can seek holds, unpacked if need be.

    :param name: of the file, for messages
    :raises PeerError: it is known to be something else than a trace
    :raises XentoolError: it can't be read
    """
    with ExitStack() as stack:
        inner = stack.enter_context(bundle.unpacked(file, name)) if bundle.is_bundle(file) else file
        yield stack.enter_context(kvm.settled(packed.file(inner, name), name))


def _open(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except IsADirectoryError as error:
        raise PeerError(f"{path} is a directory; give the trace file in it") from error
    except OSError as error:
        raise XentoolError(f"cannot read {path}: {error.strerror}") from error


@frozen
class Chosen:
    """What of a trace the user wants: a domain by its number or name, and the rest of the choice.

    :param names: what the user calls domains, by number: of a trace that tells no names, or others
    """

    domain: str | None = None
    where: Where = wheres.EVERYTHING
    names: tuple[tuple[int, str], ...] = ()


EVERYTHING = Chosen()


class Reading(NamedTuple):
    """How the user wants a trace to be read: what of it, and what is known better than the trace tells.

    :param hz: the clock's rate
    :param xen_version: that made it
    :param vendor: whose VM exits they are
    """

    chosen: Chosen = EVERYTHING
    hz: float | None = None
    xen_version: str | None = None
    vendor: "Vendor | None" = None


AS_IT_IS = Reading()


def report(
    source: scans.Source,
    name: str,
    reading: Reading = AS_IT_IS,
    *,
    capture: Sidecar | None = None,
    whole: bool = False,
    lanes: int | None = None,
    progress: Callable[[int], None] = lambda _bytes: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> "Report":
    """Read a trace to its end and report on what is chosen of it.

    :param source: a ``TraceFile`` where a stretch of time is chosen: the clock must be known first
    :param name: of the source, for messages
    :param capture: what its host told, of which the user may know better
    :param whole: count whatever is chosen, or not: what must be known to name single records
    :param lanes: threads at most; None for as many as are of use here
    :param progress: is told how many bytes were read so far
    :param meanwhile: loads what is needed later besides, while threads read; not called where none does
    :raises PeerError: it is no xentrace
    :raises XentoolError: it can't be read, or has no such domain
    """
    chosen, hz, xen_version, vendor = reading
    host_hz = capture.hz if capture else None
    where = chosen.where
    skew: Skew | None = None
    whole_s: float | None = None

    def load() -> None:
        for module in _LATER:
            import_module(module)
        meanwhile()

    try:
        if whole:
            found, skew = _scan_even(source, lanes=lanes, progress=progress, meanwhile=load)
        elif where.timed:
            again = cast(TraceFile, source)
            start = again.tell()
            first, skew = _scan_even(source, lanes=lanes, progress=progress, meanwhile=load)
            from traces.analyses.report import report as report_of  # noqa: PLC0415 - see above

            whole_trace = report_of(first, hz=hz, host_hz=host_hz)
            whole_s = whole_trace.span_s
            cycles = where.cycles(whole_trace.clock.hz)
            again.seek(start)
            stretches = scans.in_runs(first.runs, *cycles)
            shifts = skew.shifts if skew else NO_SHIFTS
            found = _scan(source, lanes, pcpus=where.pcpus, stretches=stretches, shifts=shifts, progress=progress)
        else:
            found, skew = _scan_even(source, lanes=lanes, pcpus=where.pcpus, progress=progress, meanwhile=load)
    except TraceError as error:
        raise PeerError(f"{name} {packed.blame(source) or error}") from error
    except OSError as error:
        raise XentoolError(f"cannot read {name}: {error.strerror}") from error
    from traces.analyses import select  # noqa: PLC0415 - see above
    from traces.analyses.report import DomainInfo  # noqa: PLC0415 - see above
    from traces.analyses.report import report as report_of  # noqa: PLC0415 - see above
    from traces.counting import wallclock  # noqa: PLC0415 - see above

    infos, version = (capture.domains, capture.xen_version) if capture else ({}, None)
    if chosen.names:
        infos = infos | {domid: replace(infos.get(domid, DomainInfo()), name=name) for domid, name in chosen.names}
    every = report_of(
        found,
        hz=hz,
        host_hz=host_hz,
        infos=infos,
        xen_version=xen_version or version,
        vendor=vendor,
        host_vendor=capture.vendor if capture else None,
        skew=skew,
    )
    recorded = wallclock.place(capture.recorded if capture else None, found.runs, every.clock.hz)
    share = capture.tracer_share if capture else None
    noted = capture is not None and capture.recorded is not None
    every = replace(packed.told(every, source), tracer_share=share, recorded=recorded, noted=noted)
    every = replace(every, whole_s=every.span_s if whole and where.timed else whole_s)
    domid = None if chosen.domain is None else domid_of(every, chosen.domain)
    return select.of(every, replace(where, domid=domid))


def _scan_even(source: scans.Source, **choice: Any) -> tuple[scans.Scan, Skew | None]:  # noqa: ANN401 - see below
    # Where clocks of pCPUs differ, and it can be read again, it is, with the difference put right.
    seekable = getattr(source, "seekable", None)
    again = cast(TraceFile, source) if seekable is not None and seekable() else None
    start = again.tell() if again else 0
    found = _scan(source, **choice)
    count, first = found.contradictions
    if not count or again is None or len(found.account.pcpus) < 2 or len(found.runs) > 1:
        return found, None
    from traces.analyses import skew  # noqa: PLC0415 - brings numpy, for few traces
    from traces.reader import Reader, read  # noqa: PLC0415 - so does this

    again.seek(start)
    shifts = skew.estimate(read(again, Reader()))
    if shifts:
        again.seek(start)
        even = _scan(source, shifts=shifts, **choice)
        left, _ = even.contradictions
        if left <= skew.LEFT_MAX * count:
            return even, Skew(count, left, first, shifts)
    return found, Skew(count, count, first, NO_SHIFTS, of_clocks=shifts != {})


def _scan(
    source: scans.Source,
    lanes: int | None = None,
    **choice: Any,  # noqa: ANN401 - as `scans.read` takes it
) -> scans.Scan:
    lanes = lanes or scans.processors()
    if lanes > 1 and isinstance(source, IOBase) and source.seekable():
        start = source.tell()
        try:
            return scans.read(source, lanes=lanes, **choice)
        except scans.Irregular:
            source.seek(start)
    return scans.read(source, **choice)


def domid_of(report: "Report", text: str) -> int:
    """Find a domain of a report by its number, or else by its name.

    :raises XentoolError: there is none, the message lists those that there are; or there are several of that name
    """
    found = [one.domid for one in report.domains if str(one.domid) == text]
    found = found or [one.domid for one in report.domains if one.name == text]
    if len(found) > 1:
        raise XentoolError(f"several domains are called {text!r}: {', '.join(map(str, found))}; give a number")
    if found:
        return found[0]
    from traces.meant import meant  # noqa: PLC0415 - for mistakes alone

    real = [one for one in report.domains if one.domid not in (IDLE_DOMID, UNKNOWN_DOMID)]
    existing = ", ".join(f"{one.name} ({one.domid})" if one.name else str(one.domid) for one in real)
    names = [one.name for one in real if one.name]
    numbers = "" if names or not real else ", and no names of them: give a number"
    raise XentoolError(f"the trace has no domain {text!r}; it has {existing or 'none'}{numbers}{meant(text, names)}")


def doubts(report: "Report") -> list[str]:
    """Say what of a trace is in doubt, for whoever does not print the report."""
    return [*beyond(report), *_doubts(report)]


def beyond(report: "Report") -> list[str]:
    """Say how long the trace is, if what was chosen of it lies behind its end."""
    begin, whole = report.where.begin, report.whole_s
    if whole is None or begin <= whole:
        return []
    return [f"--from {begin:g} is behind the end: the trace is {whole:.6g} s long"]


def _doubts(report: "Report") -> list[str]:
    if not report.exits.in_doubt and not report.skew:
        return []
    from traces.exporters.words import exit_doubt, skew_doubt  # noqa: PLC0415 - see above

    of_exits = [f"whose VM exits these are is in doubt. {exit_doubt(report)}"] if report.exits.in_doubt else []
    return of_exits + ([doubt] if (doubt := skew_doubt(report)) is not None else [])


def raise_for_damage(report: "Report", name: str) -> None:
    """Tell of damage after the report was given.

    :raises PeerError: the trace is damaged; what was decoded counts all the same
    """
    damage = [one for one in report.account.diagnostics if one.severity != "info" and one.code not in _NO_DAMAGE]
    if damage:
        # What was compressed is damaged in consequence.
        first = min(damage, key=lambda one: (not one.code.startswith("compressed"), one.first_offset))
        raise PeerError(
            f"{name} is damaged: {first.code.replace('_', ' ')} at byte {first.first_offset}; "
            f"{report.account.skipped_bytes} of {report.account.bytes} bytes were skipped"
        )
