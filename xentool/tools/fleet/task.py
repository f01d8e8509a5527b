"""What a worker does with one capture. Whatever happens there becomes an answer: an exception could end the worker."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import cast

from traces.analyses.fleet.digest import Digest, digest
from traces.answers import Report
from traces.plain import frozen
from xentool.errors import PeerError, XentoolError
from xentool.tools.fleet import patient
from xentool.tools.fleet.places import Place, is_url, told
from xentool.tools.tracing import bundle, filekinds, kvm, packed, reports, sidecar
from xentool.tools.tracing.reports import AS_IT_IS, TraceFile
from xentool.tools.tracing.sidecar import Sidecar


@frozen
class Looked:
    """What came of a capture: a digest, or why there is none; ``other`` of what is known to be none.

    ``memory`` is the most bytes that the worker's process had so far.
    """

    digest: Digest | None
    error: str | None
    other: bool
    memory: int


def look(place: Place, limit_s: float) -> Looked:
    """Read a capture to its end.

    :param limit_s: for which another machine may send nothing
    """
    found, error, other = None, None, False
    try:
        found, other = _look(place, limit_s)
    except BaseException as failure:  # noqa: BLE001 - SystemExit and KeyboardInterrupt would end the worker
        error = told(failure)
    return Looked(found, error, other, memory())


def memory() -> int:
    """Say how many bytes this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _look(place: Place, limit_s: float) -> tuple[Digest | None, bool]:
    with _file(place.url, limit_s) as file:
        if place.searched and not bundle.is_bundle(file) and filekinds.kind_of(file.peek(packed.HEAD)[: packed.HEAD]):
            return None, True
        with reports.of_file(file, place.url) as source:
            beside = _beside(place.url, limit_s)
            report = _report(source, place.url, beside)
    return digest(report, place.url, beside.host if beside else None, _damage(report, place.url)), False


def _report(source: TraceFile, name: str, beside: Sidecar | None) -> Report:
    if kvm.is_trace(source):
        return kvm.report(cast(BufferedReader, source), name, AS_IT_IS)
    return reports.report(source, name, capture=beside, lanes=1)


def _damage(report: Report, name: str) -> str | None:
    try:
        reports.raise_for_damage(report, name)
    except PeerError as error:
        return str(error).removeprefix(f"{name} is ")
    return None


@contextmanager
def _file(url: str, limit_s: float) -> Iterator[BufferedReader]:
    if is_url(url):
        with patient.opened(url, limit_s) as file:
            yield file
        return
    try:
        with Path(url).open("rb") as file:
            yield file
    except OSError as error:
        raise XentoolError(f"cannot read it: {error.strerror}") from error


def _beside(url: str, limit_s: float) -> Sidecar | None:
    if not is_url(url):
        return sidecar.read(Path(url))
    name = url + sidecar.SUFFIX
    data = patient.contents(name, sidecar.BYTES_MAX, limit_s)
    return None if data is None else sidecar.parsed(data, name)
