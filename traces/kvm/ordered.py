"""What a KVM host sent, kept as it came → the trace.dat, which has each processor's pages in one piece.

Law: two readings of it, neither of which holds more than a piece in memory.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import BinaryIO

from traces.account import SEVERITIES, Diagnostic
from traces.errors import TraceError
from traces.kvm.encode import opening
from traces.kvm.stream import End, Head, Pages, Part, Reader, Stats, Thread, tell

_PIECE = 1 << 20


def convert(came: BinaryIO, out: BinaryIO) -> Diagnostic | None:
    """Write a trace.dat; say from where on what came could not be read, if anything.

    :param came: as a host sent it; it may be cut, as the file of a recording is that was killed
    :param out: an empty file, written at any place
    :raises TraceError: it is no stream, or is cut before its first page
    """
    came.seek(0)
    reader, sizes = Reader(), defaultdict[int, int](int)
    parts = _parts(came, reader)
    head = next(parts, None)
    if not isinstance(head, Head):
        raise TraceError("is cut before its events are described")
    trace = head.trace()
    code: str | None = "truncated"
    try:
        for part in parts:
            if isinstance(part, Pages):
                sizes[part.cpu] += len(part.data)
            elif isinstance(part, Stats | Thread):
                tell(trace, part)
            elif isinstance(part, End):
                code = None
    except TraceError:
        code = "bad_section"
    start = opening(head, trace.processes[0], trace.comms, trace.stats, sizes)
    out.write(start.data)
    _place(came, out, dict(start.places), dict(sizes))
    return Diagnostic(code, SEVERITIES[code], 1, reader.offset) if code else None


def _place(came: BinaryIO, out: BinaryIO, places: dict[int, int], left: dict[int, int]) -> None:
    # Damage is where it was: all pages that were counted lie before it.
    came.seek(0)
    parts = _parts(came, Reader())
    while any(left.values()):
        part = next(parts)
        if isinstance(part, Pages):
            out.seek(places[part.cpu])
            out.write(part.data)
            places[part.cpu] += len(part.data)
            left[part.cpu] -= len(part.data)


def _parts(came: BinaryIO, reader: Reader) -> Iterator[Part]:
    while piece := came.read(_PIECE):
        yield from reader.feed(piece)
