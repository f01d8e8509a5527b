"""A capture as a worker opens it, wherever it lies, and what is said of it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from traces.answers import Report
from traces.plain import frozen
from xentool.errors import PeerError, XentoolError
from xentool.tools.fleet import patient
from xentool.tools.fleet.places import Place, is_url
from xentool.tools.tracing import bundle, filekinds, packed, reports, sidecar
from xentool.tools.tracing.reports import TraceFile
from xentool.tools.tracing.sidecar import Sidecar


@frozen
class Capture:
    """A capture that is open, unpacked, and what its host noted beside it."""

    source: TraceFile
    beside: Sidecar | None

    @property
    def host(self) -> str | None:
        """Who recorded it."""
        return self.beside.host if self.beside else None


@contextmanager
def opened(place: Place, limit_s: float) -> Iterator[Capture | None]:
    """Open a capture; None for what is known to be none, and lay in a folder.

    :param limit_s: for which another machine may send nothing
    :raises PeerError: it is known to be something else
    :raises XentoolError: it can't be read
    """
    with _file(place.url, limit_s) as file:
        if place.searched and not bundle.is_bundle(file) and filekinds.kind_of(file.peek(packed.HEAD)[: packed.HEAD]):
            yield None
            return
        with reports.of_file(file, place.url) as source:
            yield Capture(source, _beside(place.url, limit_s))


def damage(report: Report, name: str) -> str | None:
    """Say in words what is damaged; None for a capture that is whole."""
    try:
        reports.raise_for_damage(report, name)
    except PeerError as error:
        return str(error).removeprefix(f"{name} is ")
    return None


def memory() -> int:
    """Say how many bytes this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


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
