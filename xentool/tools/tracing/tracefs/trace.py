"""Trace a machine of KVM live: record, decode and count while the records come."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from traces.analyses import kvm, select
from traces.analyses.kvm_sofar import so_far
from traces.analyses.report import DomainInfo
from traces.analyses.sofar import SoFar
from traces.answers import Report
from traces.choice.where import EVERYTHING, Kinds, Where
from traces.errors import TraceError
from traces.kvm.live import Live
from traces.plain import frozen, replace
from xentool.errors import PeerError, XentoolError
from xentool.hosts import Host
from xentool.tools.tracing.lead import ALONE, Lead
from xentool.tools.tracing.tracefs import sidecar
from xentool.tools.tracing.tracefs.capture import BUFFER_KIB, Recorder
from xentool.tools.tracing.tracefs.kept import Kept
from xentool.tools.tracing.tracefs.survey import Machine

#: Of the clock that is recorded by: it counts nanoseconds.
_HZ = 1e9


class Running:
    """A trace that runs: what it is about, and what it shows so far; see ``xentool.tools.tracing.watched``."""

    source = "kvm"

    def __init__(self, where: Where, machine: Machine, live: Live, recorder: Recorder) -> None:
        self.where, self.live, self.stop = where, live, recorder.stop
        self.infos: Mapping[int, DomainInfo] = {machine.pid: DomainInfo(machine.name, "kvm")}
        self._clock = recorder.clock
        self.begin()

    def begin(self) -> None:
        """Note that records begin."""
        self._began = self._clock()

    @property
    def seconds(self) -> float:
        """Seconds since records began, until the trace is to end."""
        return self._clock() - self._began

    @property
    def report(self) -> Report:
        """All that it shows so far."""
        return kvm.report(self.live.counts, self.live.trace)

    def counts(self) -> tuple[int, int, int]:
        """Say how many bytes and records came, and how many were lost."""
        counts = self.live.counts
        return counts.bytes, counts.records, counts.lost

    def so_far(self) -> SoFar:
        """Read off what it shows of the machine."""
        return so_far(self.report, self.where)


#: Is told of the trace after each piece of it, and given that piece's bytes; none at the end.
Progress = Callable[[Running, bytes], None]


@frozen
class Traced:
    """A finished trace: why it ended, and what it shows of its machine.

    :param kept: bytes of the file, if there is one
    :param seconds: that were recorded, by the host's clock; None when its end was out of order
    :param began: seconds since the epoch, by the host's clock; known with `seconds`
    """

    report: Report
    machine: Machine
    interrupted: bool
    machine_ended: bool
    kept: int
    seconds: float | None
    began: float | None


def check(where: Where, *, listed: bool) -> None:
    """See to it that only what there is a choice of was chosen.

    :param listed: records are wanted, of which more can be
    :raises XentoolError: it was not
    """
    if where.kinds != Kinds():
        raise XentoolError("this is a machine of KVM, and -e names what Xen records: leave it out")
    if (where.pcpus or where.slower) and not listed:
        raise XentoolError("of a machine of KVM, --pcpu and --slower-than choose records alone: add --dump")


def trace(
    host: Host,
    machine: Machine,
    where: Where = EVERYTHING,
    *,
    seconds: float | None = None,
    output: Path | None = None,
    listed: bool = False,
    buffer_kib: int = BUFFER_KIB,
    progress: Progress = lambda _running, _chunk: None,
    lead: Lead = ALONE,
) -> Traced:
    """Trace a machine until the time is over, Ctrl-C, or its end.

    :param seconds: None for no limit
    :param output: keep a trace.dat there, with a sidecar
    :param listed: whether ``progress`` takes records (``Live.tables``)
    :raises PeerError: what the host sends is not what it should
    :raises XentoolError: ``output`` can't be written, or see ``Recorder``
    """
    check(where, listed=listed)
    where = replace(where, domid=machine.pid)
    live = Live(listed=listed, window=where.cycles(_HZ))
    with (
        _blamed(host),
        Recorder(host, machine.pid, seconds=seconds, buffer_kib=buffer_kib, gate=lead.gate) as recorder,
        Kept(output, live) if output else contextlib.nullcontext() as kept,
        lead.ended_by(recorder.stop) as interrupted,
    ):
        running = Running(where, machine, live, recorder)
        for chunk in recorder.chunks():
            if kept:
                kept.write(chunk)
            begins = live.head is None
            live.feed(chunk)
            if begins:
                running.begin()
            progress(running, chunk)
        damages = live.finish()
        progress(running, b"")
    if output:
        sidecar.write(output, host.name, live, recorder, lead.clock)
    report = select.of(kvm.report(live.counts, live.trace, damages), where)
    return Traced(
        report,
        machine,
        interrupted=interrupted(),
        machine_ended=recorder.machine_ended,
        kept=kept.size if kept else 0,
        seconds=recorder.over.seconds if recorder.over else None,
        began=recorder.began.seconds if recorder.began else None,
    )


@contextlib.contextmanager
def _blamed(host: Host) -> Iterator[None]:
    try:
        yield
    except TraceError as error:
        raise PeerError(f"what {host.name} sends {error}") from error
