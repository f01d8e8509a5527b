"""A trace that comes by a pipe: it may never end, so Ctrl-C ends it in order, and records are shown as they come."""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BufferedReader, RawIOBase
from typing import cast

from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.counting import clock as clocks
from traces.scan import Scan
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import packed
from xentool.tools.tracing.capture import on_interrupt
from xentool.tools.tracing.reports import Reading
from xentool.tools.tracing.trace import Progress, Running

#: So many switches of vCPUs tell the clock's rate well enough to show times by it; none is waited for beyond so many
#: bytes.
_PAIRS, _HEAD = 64, 16 << 20
_PIECE = 1 << 18


class _EndedError(Exception):
    """Leaves a wait."""


class Piped:
    """What a pipe gives until it ends, or is told to end.

    :param source: of which nothing was read yet
    """

    def __init__(self, source: BufferedReader) -> None:
        self._raw = cast(RawIOBase, source.raw)
        self._waits = False
        self._ended = False

    @property
    def interrupted(self) -> bool:
        """Whether it was told to end."""
        return self._ended

    def end(self) -> None:
        """Give no more from now on, also to who waits."""
        self._ended = True
        if self._waits:
            raise _EndedError

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer and say with how many bytes: less than it takes only at the end."""
        filled = 0
        while filled < len(buffer) and (read := self._some(buffer[filled:])):
            filled += read
        return filled

    def read(self, size: int, /) -> bytes:
        """Give what has come, at most ``size`` bytes; none at the end."""
        buffer = bytearray(size)
        return bytes(buffer[: self._some(memoryview(buffer))])

    def _some(self, buffer: memoryview) -> int:
        try:
            self._waits = True
            if self._ended:
                return 0
            # Only this is left early: a read that has taken bytes from the pipe gives them.
            select.select([self._raw], [], [])
        except _EndedError:
            return 0
        finally:
            self._waits = False
        return self._raw.readinto(buffer) or 0


@contextmanager
def interruptible(source: BufferedReader) -> Iterator[Piped]:
    """Give a pipe that Ctrl-C ends, within; what follows goes on with what has come, and then should exit with 130."""
    piped = Piped(source)
    with on_interrupt(piped.end):
        yield piped


def follow(source: "packed.Led | packed.Unpacked", end: Callable[[], None], reading: Reading, show: Progress) -> Report:
    """Show a trace while it comes.

    :param end: ends it
    :param reading: if it tells no rate of the clock, the first records do
    :param show: see ``trace.Progress``
    :raises PeerError: it is no xentrace
    :raises XentoolError: the domain is no number
    """
    chosen, hz, xen_version, vendor = reading
    domain = next((str(domid) for domid, name in chosen.names if name == chosen.domain), chosen.domain)
    if domain is not None and not domain.isdecimal():
        raise XentoolError(
            f"a trace from a pipe does not tell names such as {domain!r}; give the domain's number, or names by --name"
        )
    where = replace(chosen.where, domid=None if domain is None else int(domain))
    scan = Scan()
    began = time.monotonic()
    head: list[bytes] = []
    while hz is None and (chunk := source.read(_PIECE)):
        head.append(chunk)
        scan.feed(chunk)
        if len(scan.clock_pairs) >= _PAIRS or sum(map(len, head)) >= _HEAD:
            break
    found = clocks.from_trace(scan.clock_pairs) or clocks.Clock(clocks.DEFAULT_HZ, "default")
    assumed = hz is None and found.assumed
    running = Running(where, hz or found.hz, scan, began, end, xen_version, vendor=vendor, assumed=assumed)
    for chunk in head:
        show(running, chunk)
    while chunk := source.read(_PIECE):
        scan.feed(chunk)
        show(running, chunk)
    scan.finish()
    show(running, b"")
    report = report_of(scan, hz=hz, xen_version=xen_version, vendor=vendor)
    if not report.account.records:
        what = packed.blame(source) or ("holds no xentrace record" if report.account.bytes else "is empty")
        raise PeerError(f"standard input {what}")
    return packed.told(report, source)
