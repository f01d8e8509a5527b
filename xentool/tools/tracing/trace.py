"""Trace a domain live: capture, decode and count while the records come."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from traces.analyses.report import DomainInfo
from traces.analyses.report import report as report_of
from traces.analyses.select import of
from traces.analyses.sofar import SoFar, so_far
from traces.analyses.vendor import numbering
from traces.answers import Numbering, Report
from traces.choice.where import Where
from traces.counting.wallclock import place
from traces.scan import FOREVER, Scan
from traces.xen.formats.exits import Vendor
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools import xl
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.capture import Capture, on_interrupt


@dataclass(frozen=True)
class Running:
    """A trace that runs: what it is about, and what it shows so far.

    :param where: names the domain
    :param hz: clock rate of the time stamps, as the host gives it
    :param started: when records began, by ``clock``
    :param clock: in seconds; stands still once the trace is to end
    :param stop: ends it in order
    :param xen_version: of the host
    :param vendor: whose VM exits these are, if the user says so
    :param host_vendor: the same as the host gives it
    :param infos: what the host says about its domains, by domid
    """

    where: Where
    hz: float
    scan: Scan
    started: float
    stop: Callable[[], None]
    xen_version: str | None = None
    infos: Mapping[int, DomainInfo] = field(default_factory=dict)
    vendor: Vendor | None = None
    host_vendor: Vendor | None = None
    #: Whether nobody says how fast the clock ticks: never of a live trace, whose host does.
    assumed: bool = False
    source: str = "xentrace"
    clock: Callable[[], float] = time.monotonic

    @property
    def exits(self) -> Numbering:
        """Whose numbering exit reasons have, as far as is known by now."""
        return numbering(self.scan, option=self.vendor, host=self.host_vendor, version=self.xen_version)

    @property
    def seconds(self) -> float:
        """Seconds since records began, until the trace is to end."""
        return self.clock() - self.started

    def counts(self) -> tuple[int, int, int]:
        """Say how many bytes and records came, and how many records were lost."""
        account = self.scan.account
        return account.bytes, account.records, account.lost_records

    def so_far(self) -> SoFar:
        """Read off what it shows of the domain."""
        return so_far(self.scan, self.where, self.hz, self.exits)


#: Is told of the trace after each piece of it, and given that piece's bytes; none at the end.
Progress = Callable[[Running, bytes], None]


@dataclass(frozen=True)
class Traced:
    """A finished trace: why it ended, and what it shows of its domain.

    :param recorded: seconds, by dom0's clock; None when its end was out of order
    """

    report: Report
    domain: xl.Domain
    interrupted: bool
    domain_ended: bool
    recorded: float | None


def trace(
    host: Host,
    name: str,
    where: Where,
    *,
    seconds: float | None = None,
    output: Path | None = None,
    progress: Progress = lambda _running, _chunk: None,
) -> Traced:
    """Trace a domain until the time is over, Ctrl-C, or the domain's end.

    :param name: the domain's name or number
    :param where: what of it to report; its time counts by the host's clock from the first records on
    :param seconds: None for no limit
    :param output: keep the raw records there, with a sidecar; they are the whole host's
    :raises XentoolError: no such domain, ``output`` can't be written, or see ``Capture``
    """
    info = xl.host_info(host)
    domains = xl.list_domains(host)
    domain = xl.choose(domains, name)
    where = replace(where, domid=domain.domid)
    known = sidecar.of_host(host.name, info, where.kinds.mask, domains)
    # A stretch of time begins to count once the first record is there.
    scan = Scan(pcpus=where.pcpus, stretches=[(FOREVER if where.begin else 0, FOREVER)] if where.timed else None)
    placed = not where.timed
    ended = False
    with (
        _kept(output) as keep,
        Capture(host, where.kinds.mask, seconds=seconds) as capture,
        on_interrupt(capture.stop) as interrupted,
    ):
        known = replace(known, recorded=capture.noted)
        if output:
            sidecar.write(output, known)
        running = Running(
            where,
            info.hz,
            scan,
            capture.started,
            capture.stop,
            info.xen_version,
            known.domains,
            host_vendor=info.vendor,
            clock=capture.clock,
        )
        for chunk in capture.chunks():
            keep(chunk)
            scan.feed(chunk)
            placed = placed or scan.stretch(*where.cycles(info.hz))
            if not ended and domain.domid in scan.removed:
                ended = True
                capture.stop()
            progress(running, chunk)
        progress(running, b"")
        if output:
            sidecar.write(output, replace(known, tracer_share=capture.share, recorded=capture.noted))
    scan.finish()
    report = report_of(
        scan, host_hz=info.hz, infos=known.domains, xen_version=info.xen_version, host_vendor=info.vendor
    )
    # By the clock that the report has, so that the kept file tells the same.
    recorded = place(capture.noted, scan.runs, report.clock.hz)
    report = replace(of(report, where), tracer_share=capture.share, recorded=recorded, noted=capture.noted is not None)
    return Traced(report, domain, interrupted(), ended, capture.recorded)


@contextlib.contextmanager
def _kept(path: Path | None) -> Iterator[Callable[[bytes], None]]:
    if path is None:
        yield lambda _chunk: None
        return
    try:
        with path.open("wb") as file:
            yield lambda chunk: _write(file, chunk)
    except OSError as error:
        raise XentoolError(f"cannot write {path}: {error.strerror}") from error


def _write(file: IO[bytes], chunk: bytes) -> None:
    # Flushed at once, so that after a kill the file holds what had come.
    file.write(chunk)
    file.flush()
