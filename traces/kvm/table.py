"""Records of a trace of KVM in order of time, as columns of equal length; their fields are read as columns, too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.kvm.decode.streams import Columns
from traces.kvm.formats.fields import Field, Layout

#: Records of a table, and bytes that they have: there is room for the longest one, which fills a page.
ROWS, DATA = 1 << 15, 2 << 20
#: Of time: all that there is.
NO_LIMIT = (1 << 64) - 1
#: Whose thread runs no vCPU.
NOBODY = 0xFFFFFFFF


class Values(NamedTuple):
    """A field of some records: numbers, or texts; None in ``there`` if all of them have it, else which do."""

    values: "NDArray[np.integer[Any]] | list[str]"
    there: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Told:
    """What a trace's records are read by: formats of events by name, and (machine, vCPU) of each thread that is one."""

    layouts: Mapping[str, Layout]
    vcpus: Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class RecordTable:
    """Some consecutive records, oldest first.

    tsc      ticks of the trace's clock
    event    the event's number
    pid      the thread that ran
    pcpu     where it was recorded
    domid, vcpu   whose vCPU that thread is; ``NOBODY`` and the pCPU's number where it is none
    offset   in that processor's pages, in bytes
    place, length   where in ``data`` its bytes are, the event's number first
    """

    tsc: NDArray[np.uint64]
    event: NDArray[np.uint16]
    pid: NDArray[np.int32]
    pcpu: NDArray[np.uint16]
    domid: NDArray[np.uint32]
    vcpu: NDArray[np.uint16]
    offset: NDArray[np.uint64]
    place: NDArray[np.int64]
    length: NDArray[np.uint32]
    data: NDArray[np.uint8]
    told: Told
    #: One trace has one run of its clock, and its records come in order.
    restart: bool = False
    hurried: bool = False

    def __len__(self) -> int:
        """Count the records."""
        return len(self.tsc)

    def take(self, rows: "NDArray[np.intp] | slice") -> "RecordTable":
        """Give a table of some of the records."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def pieces(self, size: int = ROWS) -> Iterator["RecordTable"]:
        """Cut it into tables of at most ``size`` records."""
        for start in range(0, len(self), size):
            yield self if len(self) <= size else self.take(slice(start, start + size))

    def read(self, rows: NDArray[np.intp], field: Field) -> Values:
        """Read a field of the given rows, all of one event: texts up to their NUL, other arrays in hexadecimal."""
        has = self.length[rows] >= field.offset + field.size
        there = None if has.all() else has
        # Where there is nothing, what lies at the beginning is read, and not told.
        at = np.where(has, self.place[rows] + field.offset, 0)
        if field.is_number:
            return Values(self._view(f"<{'i' if field.signed else 'u'}{field.size}")[at], there)
        if field.dynamic:
            return Values(self._dynamic(rows, at, text=field.text), there)
        raw = self._view(f"V{field.size}")[at] if field.size else np.zeros(len(rows), "V1")
        found, inverse = np.unique(raw, return_inverse=True)
        names = [_text(one) if field.text else one.hex() for one in map(bytes, found.tolist())]
        return Values([names[index] for index in inverse.tolist()], there)

    def of_event(self, name: str, *names: str) -> tuple[NDArray[np.intp], tuple[NDArray[np.int64], ...]]:
        """Find the records of an event that have some fields: their rows, and those fields."""
        layout = self.told.layouts.get(name)
        fields = [layout.fields[one] for one in names if one in layout.fields] if layout else []
        if layout is None or len(fields) < len(names):
            return np.empty(0, np.intp), (np.empty(0, np.int64),) * len(names)
        end = max((field.offset + field.size for field in fields), default=0)
        rows = np.flatnonzero((self.event == layout.id) & (self.length >= end))
        return rows, tuple(self.numbers(rows, field) for field in fields)

    def numbers(self, rows: NDArray[np.intp], field: Field) -> NDArray[np.int64]:
        """Read a field of numbers; 0 where there is none."""
        values, there = self.read(rows, field)
        found = np.asarray(values).astype(np.int64) if not isinstance(values, list) else np.zeros(len(rows), np.int64)
        return found if there is None else np.where(there, found, 0)

    def _dynamic(self, rows: NDArray[np.intp], at: NDArray[np.int64], *, text: bool) -> list[str]:
        # Low half: where, of the record; high half: how many bytes.
        said = self._view("<u4")[at]
        begins = (said & np.uint32(0xFFFF)).astype(np.int64)
        ends = np.minimum(begins + (said >> np.uint32(16)), self.length[rows])
        places = self.place[rows]
        found = []
        for begin, end in zip((places + begins).tolist(), (places + ends).tolist(), strict=True):
            raw = self.data[begin:end].tobytes() if begin < end else b""
            found.append(_text(raw) if text else raw.hex())
        return found

    def _view(self, kind: str) -> NDArray[Any]:
        # At each byte one: records lie where they lie.
        dtype = np.dtype(kind)
        return np.ndarray(max(len(self.data) - dtype.itemsize + 1, 0), dtype, self.data, strides=(1,))


_COLUMNS = ("tsc", "event", "pid", "pcpu", "domid", "vcpu", "offset", "place", "length")


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf8", "replace")


def read(streams: Sequence[tuple[int, int]], pieces: Sequence[Iterator[bytes]], told: Told) -> Iterator[RecordTable]:
    """Read all records.

    :param streams: of each processor's pages, its number and how many bytes a page has
    :param pieces: those pages
    """
    yield from Reader(streams, pieces).read(told)


class Reader:
    """Reads records as far as they are there; see ``read``."""

    def __init__(self, streams: Sequence[tuple[int, int]], pieces: Sequence[Iterator[bytes]]) -> None:
        self._cut = Columns([size for _, size in streams], [cpu for cpu, _ in streams])
        self._pieces = pieces

    def read(self, told: Told, limit: int = NO_LIMIT) -> Iterator[RecordTable]:
        """Give those up to a time that were not given yet; what comes later may be given in another call."""
        whose = _whose(told.vcpus)
        while True:
            data = np.empty(DATA, np.uint8)
            tsc, event, pid = np.empty(ROWS, np.uint64), np.empty(ROWS, np.uint16), np.empty(ROWS, np.int32)
            pcpu, offset = np.empty(ROWS, np.uint16), np.empty(ROWS, np.uint64)
            place, length = np.empty(ROWS, np.int64), np.empty(ROWS, np.uint32)
            count = self._cut.fill(self._pieces, tsc, event, pid, pcpu, offset, place, length, data, limit)
            if not count:
                return
            domid, vcpu = whose(pid[:count], pcpu[:count])
            yield RecordTable(
                tsc[:count],
                event[:count],
                pid[:count],
                pcpu[:count],
                domid,
                vcpu,
                offset[:count],
                place[:count],
                length[:count],
                data,
                told,
            )


_Whose = Callable[[NDArray[np.int32], NDArray[np.uint16]], tuple[NDArray[np.uint32], NDArray[np.uint16]]]


def _whose(vcpus: Mapping[int, tuple[int, int]]) -> _Whose:
    pids = np.array(sorted(vcpus), np.int64)
    machines = np.array([vcpus[pid][0] for pid in pids.tolist()], np.uint32)
    numbers = np.array([vcpus[pid][1] for pid in pids.tolist()], np.uint16)

    def whose(pid: NDArray[np.int32], pcpu: NDArray[np.uint16]) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
        if not len(pids):
            return np.full(len(pid), NOBODY, np.uint32), pcpu
        # Numbers of threads are counted as they were recorded: without a sign.
        of = pid.astype(np.uint32).astype(np.int64)
        at = np.minimum(np.searchsorted(pids, of), len(pids) - 1)
        known = pids[at] == of
        return np.where(known, machines[at], np.uint32(NOBODY)), np.where(known, numbers[at], pcpu)

    return whose
