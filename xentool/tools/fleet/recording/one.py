"""One host of several that are recorded together: what it is, how its clock goes, and its capture."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, TypeAlias

from traces.choice.where import EVERYTHING, Kinds
from traces.plain import frozen, replace
from xentool.errors import Unavailable, XentoolError
from xentool.hosts import Host
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.bundled import record_bundle
from xentool.tools.tracing.clocks import measure
from xentool.tools.tracing.lead import Lead
from xentool.tools.tracing.moments import Offset
from xentool.tools.tracing.record import Recording, record
from xentool.tools.tracing.sidecar import Sidecar
from xentool.tools.tracing.tracefs.survey import Machine, Survey, choose, survey
from xentool.tools.tracing.tracefs.trace import Running
from xentool.tools.tracing.tracefs.trace import trace as record_machine

Kind: TypeAlias = Literal["xen", "kvm"]
_CAPTURE, _BUNDLE, _MACHINE = _SUFFIXES = (".xentrace", ".zip", ".dat")
_PAGE_KIB = 4
_NS = 1_000_000_000

#: Is told the seconds since records began and the bytes so far.
Progress: TypeAlias = Callable[[float, int], None]


@frozen
class Wanted:
    """What is recorded, the same of all hosts.

    :param seconds: None for no limit
    :param buffer_pages: 4 KiB pages per CPU
    :param machine: of KVM hosts, by its name or its process's number; None for the only one that a host runs
    :param bundled: whether a dom0's capture is a bundle
    """

    kinds: Kinds = Kinds()
    seconds: float | None = None
    buffer_pages: int = 1024
    machine: str | None = None
    bundled: bool = False


@frozen
class Recorded:
    """A host's capture.

    :param version: of Xen, or of the kernel
    :param seconds: that were recorded; 0 where a KVM host's end was out of order
    :param clock: the host's against this machine's
    :param began_ns: since the epoch, by this machine's clock as far as ``clock`` tells; None where no host said
    """

    host: str
    file: Path
    kind: Kind
    version: str | None
    bytes: int
    seconds: float
    clock: Offset
    began_ns: int | None


@frozen
class _Task:
    host: Host
    stem: Path
    wanted: Wanted
    lead: Lead
    clock: Offset
    progress: Progress

    def path(self, suffix: str) -> Path:
        return _named(self.stem, suffix)

    def began_ns(self, told_ns: int | None) -> int | None:
        return None if told_ns is None else told_ns - self.clock.ns


def record_one(host: Host, stem: Path, wanted: Wanted, lead: Lead, progress: Progress) -> Recorded:
    """Record a host, and measure its clock before.

    :param stem: of its file, without the suffix, which tells what it is
    :raises XentoolError: it cannot be recorded, or not to the end (see `kept`)
    :raises OSError: a sidecar cannot be written
    """
    told = survey(host)
    if told.kind == "none":
        raise Unavailable(f"{host.name} is neither a Xen dom0 nor a KVM host")
    machine = None if told.kind == "xen" else _machine(told, wanted.machine, host.name)
    clock = measure(host)
    task = _Task(host, stem, wanted, replace(lead, clock=clock), clock, progress)
    if machine is not None:
        return _record_kvm(task, machine)
    return _record_bundle(task) if wanted.bundled else _record_xen(task)


def kept(stem: Path) -> Path | None:
    """Give the file of a recording that failed, if it had begun."""
    return next((path for suffix in _SUFFIXES if (path := _named(stem, suffix)).exists()), None)


def _record_xen(task: _Task) -> Recorded:
    path, told, wanted = task.path(_CAPTURE), list[Sidecar](), task.wanted

    def known(about: Sidecar) -> None:
        told.append(about)
        sidecar.write(path, about)

    done = record(
        task.host,
        _new(path),
        wanted.kinds,
        seconds=wanted.seconds,
        buffer_pages=wanted.buffer_pages,
        progress=task.progress,
        known=known,
        lead=task.lead,
    )
    return _of_xen(task, path, done, told)


def _record_bundle(task: _Task) -> Recorded:
    path, told, wanted = task.path(_BUNDLE), list[Sidecar](), task.wanted
    done = record_bundle(
        task.host,
        path,
        wanted.kinds,
        domain=None,
        seconds=wanted.seconds,
        buffer_pages=wanted.buffer_pages,
        progress=task.progress,
        known=told.append,
        lead=task.lead,
    )
    return _of_xen(task, path, done, told)


def _of_xen(task: _Task, path: Path, done: Recording, told: list[Sidecar]) -> Recorded:
    noted = told[-1].recorded
    began_ns = task.began_ns(None if noted is None else noted.begin_ns)
    return Recorded(task.host.name, path, "xen", done.xen_version, done.bytes, done.seconds, task.clock, began_ns)


def _record_kvm(task: _Task, machine: Machine) -> Recorded:
    path, wanted = task.path(_MACHINE), task.wanted

    def show(running: Running, _chunk: bytes) -> None:
        task.progress(running.seconds, running.counts()[0])

    done = record_machine(
        task.host,
        machine,
        replace(EVERYTHING, kinds=wanted.kinds),
        seconds=wanted.seconds,
        output=path,
        buffer_kib=wanted.buffer_pages * _PAGE_KIB,
        progress=show,
        lead=task.lead,
    )
    began_ns = task.began_ns(None if done.began is None else round(done.began * _NS))
    version, seconds = done.report.kernel, done.seconds or 0.0
    return Recorded(task.host.name, path, "kvm", version, done.kept, seconds, task.clock, began_ns)


def _machine(told: Survey, name: str | None, host: str) -> Machine:
    if name is None and len(told.machines) == 1:
        name = str(told.machines[0].pid)
    if name is None:
        there = ", ".join(one.name or str(one.pid) for one in told.machines) or "none"
        raise XentoolError(f"of a KVM host one machine is recorded, and {host} runs {there}: --machine says which")
    return choose(told, name, host)


@contextmanager
def _new(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("xb")
    except OSError as error:
        raise XentoolError(f"cannot write {path}: {error.strerror}") from error
    with file:
        yield file


def _named(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)
