"""What a worker does with one capture. Whatever happens there becomes an answer: an exception could end the worker."""

from io import BufferedReader
from typing import cast

from traces.analyses.fleet.digest import Digest, digest
from traces.answers import Report
from traces.plain import frozen
from xentool.tools.fleet import captures
from xentool.tools.fleet.captures import Capture
from xentool.tools.fleet.places import Place, told
from xentool.tools.tracing import kvm, reports
from xentool.tools.tracing.reports import AS_IT_IS


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
    return Looked(found, error, other, captures.memory())


def _look(place: Place, limit_s: float) -> tuple[Digest | None, bool]:
    with captures.opened(place, limit_s) as capture:
        if capture is None:
            return None, True
        report = _report(capture, place.url)
    return digest(report, place.url, capture.host, captures.damage(report, place.url)), False


def _report(capture: Capture, name: str) -> Report:
    if kvm.is_trace(capture.source):
        return kvm.report(cast(BufferedReader, capture.source), name, AS_IT_IS)
    return reports.report(capture.source, name, capture=capture.beside, lanes=1)
