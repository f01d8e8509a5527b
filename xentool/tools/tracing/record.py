"""Keep the raw records of a capture in a file."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import IO

from traces.choice.where import Kinds
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools import xl
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.capture import Capture
from xentool.tools.tracing.lead import ALONE, Lead
from xentool.tools.tracing.sidecar import Sidecar

# Called with the seconds since records began and the bytes so far.
Progress = Callable[[float, int], None]


@dataclass(frozen=True)
class Recording:
    """What was captured, and where.

    :param seconds: from the first record to the end of tracing, by dom0's clock
    :param buffer_pages: 4 KiB pages per CPU that Xen's buffers really have
    :param hz: clock rate of the time stamps, as Xen measured it when it booted
    :param interrupted: ended by Ctrl-C; the data are whole all the same
    :param tracer_share: of one of dom0's processors, the share that the tracer itself took
    """

    host: str
    xen_version: str
    pcpus: int
    hz: float
    domain: xl.Domain | None
    mask: int
    classes: tuple[str, ...]
    buffer_pages: int
    bytes: int
    seconds: float
    interrupted: bool
    tracer_share: float | None


def record(
    host: Host,
    output: AbstractContextManager[IO[bytes]],
    kinds: Kinds,
    *,
    domain: str | None = None,
    seconds: float | None = None,
    buffer_pages: int = 1024,
    progress: Progress = lambda _elapsed, _size: None,
    known: Callable[[Sidecar], None] = lambda _sidecar: None,
    lead: Lead = ALONE,
) -> Recording:
    """Write a host's records to `output` until the time is over, Ctrl-C, or something goes wrong.

    Xen cannot filter by domain: the records of all domains are kept, and `domain` has only to exist.

    :param output: is entered when records are about to come
    :param domain: id or name of the domain that the recording is made for; None for all
    :param seconds: None for no limit
    :param buffer_pages: 4 KiB pages of buffer per CPU, if Xen has none yet since it booted
    :param known: called with what the host says before the first record, and after the last with what is known by then
    :raises XentoolError: no such domain, `output` cannot be written, or see `Capture`
    """
    info = xl.host_info(host)
    domains = xl.list_domains(host)
    found = None if domain is None else xl.choose(domains, domain)
    size = 0
    with (
        Capture(host, kinds.mask, buffer_pages, seconds=seconds, gate=lead.gate) as capture,
        lead.ended_by(capture.stop) as interrupted,
        output as file,
    ):
        about = sidecar.of_host(host.name, info, kinds.mask, domains)
        about = replace(about, recorded=capture.noted, clock=lead.clock)
        known(about)
        for chunk in capture.chunks():
            _write(file, chunk)
            size += len(chunk)
            progress(capture.clock() - capture.started, size)
        known(replace(about, tracer_share=capture.share, recorded=capture.noted))
        return Recording(
            host=host.name,
            xen_version=info.xen_version,
            pcpus=info.pcpus,
            hz=info.hz,
            domain=found,
            mask=kinds.mask,
            classes=tuple(sorted(kinds.classes)),
            buffer_pages=capture.buffer_pages,
            bytes=size,
            # By this machine's where the end was out of order, and dom0 had no time to say.
            seconds=capture.recorded or capture.clock() - capture.started,
            interrupted=interrupted(),
            tracer_share=capture.share,
        )


def _write(file: IO[bytes], chunk: bytes) -> None:
    # Flushed at once: after a kill -9 the file holds what had come, and a full disk is told of here.
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        raise XentoolError(f"cannot write the recording: {error.strerror}") from error
