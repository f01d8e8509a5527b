"""Reports on trace files."""

from io import BufferedReader, IOBase
from pathlib import Path

from traces.analyses import scan as scans
from traces.analyses.report import Report
from traces.analyses.report import report as report_of
from traces.errors import TraceError
from xentool.errors import PeerError, XentoolError
from xentool.tools.sidecar import Sidecar

#: Kinds of damage that leave a report trustworthy: xentrace itself tells about the records that it lost.
_HARMLESS = {"lost_records"}


def opened(path: Path) -> BufferedReader:
    """Open a trace file.

    :raises XentoolError: it can't be read
    """
    try:
        return path.open("rb")
    except IsADirectoryError as error:
        raise XentoolError(f"{path} is a directory; give the trace file in it") from error
    except OSError as error:
        raise XentoolError(f"cannot read {path}: {error.strerror}") from error


def report(source: scans.Source, name: str, *, hz: float | None = None, capture: Sidecar | None = None) -> Report:
    """Read a trace to its end and report on it.

    :param name: of the source, for messages
    :param hz: the clock's rate, when the user knows better than the trace
    :raises PeerError: it is no xentrace
    """
    try:
        found = _scan(source)
    except TraceError as error:
        raise PeerError(f"{name} {error}") from error
    except OSError as error:
        raise XentoolError(f"cannot read {name}: {error.strerror}") from error
    if capture is None:
        return report_of(found, hz=hz)
    return report_of(found, hz=hz, host_hz=capture.hz, infos=capture.domains, xen_version=capture.xen_version)


def _scan(source: scans.Source) -> scans.Scan:
    lanes = scans.processors()
    if lanes > 1 and isinstance(source, IOBase) and source.seekable():
        start = source.tell()
        try:
            return scans.read(source, lanes=lanes)
        except scans.Irregular:
            source.seek(start)
    return scans.read(source)


def domid_of(report: Report, text: str) -> int:
    """Find a domain of a report by its number or name.

    :raises XentoolError: there is none; the message lists those that there are
    """
    for domain in report.domains:
        if text in (str(domain.domid), domain.name):
            return domain.domid
    existing = ", ".join(f"{domain.name or 'unnamed'} ({domain.domid})" for domain in report.domains)
    raise XentoolError(f"the trace has no domain {text!r}; it has {existing}")


def raise_for_damage(report: Report, name: str) -> None:
    """Tell of damage after the report was given.

    :raises PeerError: the trace is damaged; what was decoded counts all the same
    """
    damage = [one for one in report.account.diagnostics if one.severity != "info" and one.code not in _HARMLESS]
    if damage:
        first = min(damage, key=lambda one: one.first_offset)
        raise PeerError(
            f"{name} is damaged: {first.code.replace('_', ' ')} at byte {first.first_offset}; "
            f"{report.account.skipped_bytes} of {report.account.bytes} bytes were skipped"
        )
