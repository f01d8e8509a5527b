"""All records of a trace.dat in order of time, one by one: what a listing is made of."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from traces.kvm.decode.cut import records

#: An event's number and its thread lie before all else of it.
_PID = 4


class Record(NamedTuple):
    """One event.

    ts        ticks of the trace's clock
    cpu       where it was recorded
    offset    in that processor's pages, in bytes
    data      its bytes: the event's number first
    """

    ts: int
    cpu: int
    offset: int
    data: bytes

    @property
    def event(self) -> int:
        """The event's number."""
        return int.from_bytes(self.data[:2], "little")

    @property
    def pid(self) -> int:
        """The thread that ran."""
        return int.from_bytes(self.data[_PID : _PID + 4], "little", signed=True)


def in_order(streams: Sequence[tuple[int, int, Iterable[bytes]]]) -> Iterator[Record]:
    """Merge the records of processors.

    :param streams: of each, its number, how many bytes a page has, and its pages in pieces
    """
    return merge(*(_of_cpu(*one) for one in streams), key=lambda record: record.ts)


def _of_cpu(cpu: int, page_size: int, pieces: Iterable[bytes]) -> Iterator[Record]:
    base = last = 0
    for piece in pieces:
        found, last = records(piece, page_size, last)
        for ts, at, size in found:
            yield Record(ts, cpu, base + at, piece[at : at + size])
        base += len(piece)
