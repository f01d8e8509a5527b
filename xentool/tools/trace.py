"""Trace a domain live: capture, decode and count while the records come."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from traces.analyses.report import Report, hypercalls
from traces.analyses.report import report as report_of
from traces.analyses.scan import FOREVER, Scan
from traces.analyses.select import of
from traces.analyses.where import Where
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools import sidecar, xl
from xentool.tools.capture import Capture, on_interrupt


@dataclass(frozen=True)
class Sample:
    """How a running trace goes.

    :param seconds: since records began
    :param hypercalls: of the traced domain, by name, multicalls' sub-calls included
    """

    seconds: float
    bytes: int
    records: int
    lost_records: int
    hypercalls: Counter[str]


Progress = Callable[[Sample], None]


@dataclass(frozen=True)
class Traced:
    """A finished trace: why it ended, and what it shows of its domain."""

    report: Report
    domain: xl.Domain
    interrupted: bool
    domain_ended: bool


def trace(
    host: Host,
    name: str,
    where: Where,
    *,
    seconds: float | None = None,
    output: Path | None = None,
    progress: Progress = lambda _sample: None,
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
    known = sidecar.of_host(host.name, info, where.kinds.mask, domains)
    # A stretch of time begins to count once the first record is there.
    scan = Scan(pcpus=where.pcpus, stretches=[(FOREVER if where.begin else 0, FOREVER)] if where.timed else None)
    placed = not where.timed
    ended = False
    with _kept(output) as keep, Capture(host, where.kinds.mask) as capture, on_interrupt(capture.stop) as interrupted:
        if output:
            sidecar.write(output, known)
        for chunk in capture.chunks(seconds):
            keep(chunk)
            scan.feed(chunk)
            placed = placed or scan.stretch(*where.cycles(info.hz))
            if not ended and domain.domid in scan.removed:
                ended = True
                capture.stop()
            progress(_sample(capture.started, scan, domain.domid))
    scan.finish()
    report = report_of(scan, host_hz=info.hz, infos=known.domains, xen_version=info.xen_version)
    report = of(report, replace(where, domid=domain.domid))
    return Traced(report, domain, interrupted(), ended)


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


def _sample(started: float, scan: Scan, domid: int) -> Sample:
    account = scan.account
    elapsed = time.monotonic() - started
    return Sample(elapsed, account.bytes, account.records, account.lost_records, hypercalls(scan, domid))
