"""A recording read while it is made: counted in order of time, as far as all that was made until then has come.

Law: memory is bounded by what comes between two rounds. A record is counted when each processor was asked after it was
made, so that none before it is still to come.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from traces.account import SEVERITIES, Diagnostic
from traces.errors import TraceError
from traces.kvm import counted, stream
from traces.kvm.counted import Counted
from traces.kvm.decode.streams import tally
from traces.kvm.decode.tracedat import TraceDat
from traces.kvm.stream import Asked, End, Head, Pages, Part, Round, Stats, Thread

if TYPE_CHECKING:
    from traces.kvm.table import Reader, RecordTable

#: Of time: all that there is.
_ALL = (1 << 64) - 1


class Live:
    """What a stream shows so far.

    :param listed: keep the records, for ``tables``
    :param window: the first tick to count since the first record, and the first behind the last, if there is one
    """

    def __init__(self, *, listed: bool = False, window: tuple[int, int | None] = (0, None)) -> None:
        self.head: Head | None = None
        self.trace = TraceDat(0)
        self.counts: Counted = counted.of(self.trace)
        #: Bytes of each processor's pages.
        self.sizes: dict[int, int] = defaultdict(int)
        self.ended = False
        self._reader = stream.Reader()
        self._listed, self._window = listed, window
        #: By processor, what is to be counted, and to be listed.
        self._waiting: dict[int, _Waiting] = {}
        self._unlisted: dict[int, _Waiting] = {}
        self._tables: Reader | None = None
        #: Of each processor the time of its last record; and which of all that are was the last when the round began.
        self._last: dict[int, int] = {}
        self._until = 0
        #: The time up to which it is counted.
        self._counted = 0
        #: Events that were told and have not come yet, by processor.
        self._owed: dict[int, int] = {}

    def feed(self, data: bytes) -> None:
        """Take in what came.

        :raises TraceError: it is no stream, or damaged
        """
        for part in self._reader.feed(data):
            self._take(part)

    def finish(self) -> list[Diagnostic]:
        """Count all that is left, and end; give what is wrong with the stream itself."""
        if self.head is not None:
            self._count(_ALL)
            self.counts.close()
        left = self._reader.waiting
        return [Diagnostic("truncated", SEVERITIES["truncated"], 1, self._reader.offset)] if left else []

    def tables(self, vcpus: Mapping[int, tuple[int, int]]) -> "Iterator[RecordTable]":
        """Give the records that were counted since the last call, in order of time.

        :param vcpus: (machine, vCPU) of threads that are one
        """
        if self.head is None or not self._listed:
            return
        from traces.kvm.table import Reader, Told  # noqa: PLC0415 - brings numpy, which counting does without

        if self._tables is None:
            streams = [(cpu, self.head.page_size) for cpu in self.head.cpus]
            self._tables = Reader(streams, list(self._unlisted.values()))
        layouts = {one.name: one for one in self.trace.layouts.values()}
        yield from self._tables.read(Told(layouts, vcpus), self._counted)

    def _take(self, part: Part) -> None:
        match part:
            case Head():
                self._begin(part)
            case Asked(cpu, entries):
                self._owed[cpu] = entries
            case Pages(cpu, data):
                self._pages(cpu, data)
            case Round():
                self._count(self._limit())
                self._until = max(self._last.values(), default=0)
                self._owed.clear()
            case Stats() | Thread():
                stream.tell(self.trace, part)
            case End():
                self.ended = True

    def _begin(self, head: Head) -> None:
        self.head = head
        self.trace = head.trace()
        if not any(one.name == "kvm_exit" for one in self.trace.layouts.values()):
            raise TraceError("describes no events of KVM")
        self.counts = counted.of(self.trace)
        self.counts.window(*self._window)
        self._waiting = {cpu: _Waiting() for cpu in head.cpus}
        self._unlisted = {cpu: _Waiting() for cpu in head.cpus}

    def _pages(self, cpu: int, data: bytes) -> None:
        if self.head is None:
            return
        count, self._last[cpu] = tally(data, self.head.page_size, self._last.get(cpu, 0))
        self._owed[cpu] = self._owed.get(cpu, 0) - count
        self.sizes[cpu] += len(data)
        self._waiting[cpu].append(data)
        if self._listed:
            self._unlisted[cpu].append(data)

    def _limit(self) -> int:
        # What a processor has still to give is later than its last record.
        behind = [self._last.get(cpu, 0) for cpu, count in self._owed.items() if count > 0]
        return min([self._until, *behind])

    def _count(self, limit: int) -> None:
        self.counts.go_on(list(self._waiting.values()), limit)
        self._counted = limit


class _Waiting(deque[bytes]):
    """Pieces that wait; unlike an iterator of them, it may go on after it had none."""

    def __next__(self) -> bytes:
        if not self:
            raise StopIteration
        return self.popleft()
