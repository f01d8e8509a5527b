"""From the bytes of a trace to counts and run states, by as many threads as there are processors.

Each lane (``lane``) cuts and counts the windows of its own pCPUs; what means something only in order of time over all
pCPUs comes here as rows, which ``fold`` takes once no older one can come.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from io import BufferedReader, UnsupportedOperation
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar, cast

from traces.account import NO_SHIFTS, SEVERITIES, Account, Diagnostic
from traces.counting.fold import Domain, Fold, Vcpu
from traces.errors import TraceError
from traces.xen.lane import CLOCK_PAIRS, Lane

if TYPE_CHECKING:
    from traces.counting.counted import Item
    from traces.worker import Answer, Worker

#: Bytes read at once: smaller pieces are not worth waking threads for, larger ones leave the processor's cache.
CHUNK = 8 << 20
#: The same of a file that lanes read themselves, in pieces of their own. A lane may be so many ahead of others.
STRETCH = 16 << 20
AHEAD = 2
#: The same of one that has a file for itself: rows of so many are in the cache when they are folded.
ALONE = 1 << 20
#: A file that is no larger is read by one lane at once: threads would cost more time than they save.
SMALL = 8 << 20
#: More cores than this wait for the memory.
LANES_MAX = 4
#: Rows waiting for the clock's order, of each lane; beyond that they go out as they are, so that no input can fill
#: the memory.
PENDING_MAX = 1 << 20
#: Space for what one piece leaves to the next: the longest record has 40 bytes.
_REST_MAX = 64
_NOTHING = memoryview(b"")

_T = TypeVar("_T")
#: Two numbers of cycles: of time stamps, the first that is meant and the first that is not any more.
Stretch = tuple[int, int]
#: A time stamp after all others.
FOREVER = (1 << 64) - 1
#: ``cut.TSC_REACH``
_REACH = 1 << 60


def _nothing() -> None:
    pass


class Irregular(Exception):
    """Windows do not lie as their sizes say, or the clock begins anew: only one lane can read this trace."""


class Source(Protocol):
    """Where bytes come from."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read some bytes into the buffer; say how many, none at the end."""
        ...


class Scan:
    """Takes a trace in pieces: ``feed`` it (or see ``read``), ``finish``, then read off what it holds.

    Nothing in the input raises, but for ``Irregular`` where there are several lanes. Memory is bounded.

    :param pcpus: count only what was on these, where there are any
    :param stretches: of each run of the clock, count only what lies between two time stamps; None for all
    :param shifts: cycles to add to the time stamps of pCPUs whose clocks are behind those of others
    """

    def __init__(
        self,
        lanes: int = 1,
        *,
        pcpus: frozenset[int] = frozenset(),
        stretches: Sequence[Stretch] | None = None,
        shifts: Mapping[int, int] = NO_SHIFTS,
    ) -> None:
        self._lanes = [Lane(number, lanes) for number in range(lanes)]
        self._fold = Fold()
        for lane in self._lanes:
            lane.shift(dict(shifts))
        if pcpus:
            self._fold.choose(pcpus)
            for lane in self._lanes:
                lane.choose(pcpus)
        self._stretches = None if stretches is None else list(stretches)
        self._limit()
        #: Of each run of the clock that is over: the time stamp at which it began, and how many cycles it took.
        self.runs: list[Stretch] = []
        self._rest = b""
        #: Rows whose turn has come, of each lane; ``start`` is the time stamp at which this run of the clock began.
        self._batches: list[memoryview] = []
        self._start = 0

    def stretch(self, begin: int, end: int | None) -> bool:
        """Count from now on only a stretch, in cycles from the earliest time stamp so far; say whether there is one."""
        start = min((first for first, _ in self._stamps().values()), default=0)
        if start:
            self._stretches = in_runs([(start, 0)], begin, end)
            self._limit()
        return start > 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes; for one lane."""
        rest = memoryview(self._rest + data)
        used = self._go_on(lambda at: self._lanes[0].walk(rest[at:]))
        self.fold()
        self._rest = bytes(rest[used:])

    def begin(self, data: memoryview, workers: "Sequence[Worker]") -> "list[Answer[int]]":
        """Let all lanes walk the next bytes, each in a thread; give the answers to ``end``, and ``fold`` meanwhile."""
        return [worker.submit(lane.walk, data) for worker, lane in zip(workers, self._lanes, strict=True)]

    def end(self, walks: "Sequence[Answer[int]]", data: memoryview) -> int:
        """Wait for the lanes; give how many of the bytes they used.

        :param data: that they walk, should there be one lane
        :raises Irregular: several lanes can't read this trace
        """
        used = [walk.result() for walk in walks]
        if len(self._lanes) == 1:
            return self._go_on(lambda at: self._lanes[0].walk(data[at:]), used[0])
        if any(lane.irregular for lane in self._lanes):
            raise Irregular
        number = self._follow()
        self.collect()
        return used[number]

    def read_file(
        self, file: int, start: int, progress: Callable[[int], None], meanwhile: Callable[[], None] = _nothing
    ) -> int:
        """Let several lanes read a file from ``start`` to its end, each for itself; give where its last record ends.

        Most of reading is copying, which two cores do faster, and what a core has copied is in its cache. No lane waits
        for the others, nor for ``fold``, until it is a whole stretch ahead: theirs are never equally long.

        :raises Irregular: several lanes can't read this trace
        """
        from traces.worker import Worker  # noqa: PLC0415 - brings threads, which a small file needs none of

        with ExitStack() as stack:
            workers = [stack.enter_context(Worker()) for _ in self._lanes]
            taken: list[Answer[memoryview]] = []
            under_way: deque[tuple[int, list[Answer[_Stand]]]] = deque()

            def each(do: "Callable[..., _T]", *about: int) -> "list[Answer[_T]]":
                return [worker.submit(do, lane, *about) for worker, lane in zip(workers, self._lanes, strict=True)]

            def settle() -> None:
                nonlocal taken
                end, walks = under_way.popleft()
                stands = [walk.result() for walk in walks]
                if any(stand.irregular for stand in stands):
                    raise Irregular
                # A lane's next rows take the place of those that it handed out last.
                self._batches = [rows.result() for rows in taken]
                self.fold()
                limit = self._due(stands)
                taken = each(_hand_out, limit) if limit else []
                progress(end - start)

            end = start
            while (size := min(STRETCH, os.fstat(file).st_size - end)) > 0:
                end += size
                under_way.append((end, each(_walk_file, file, start, end)))
                if end - start == size:
                    meanwhile()
                if len(under_way) > AHEAD:
                    settle()
            while under_way:
                settle()
            self._batches = [rows.result() for rows in taken]
        used = self._lanes[self._follow()].offset
        progress(used)
        return start + used

    def read_alone(self, file: int, start: int, progress: Callable[[int], None]) -> int:
        """Let the only lane read a file from ``start`` to its end; give where its last record ends.

        In pieces that stay in a core's cache, and no thread: one takes longer to begin than a small file to be read.
        """
        (lane,) = self._lanes
        end = start
        while (size := min(ALONE, os.fstat(file).st_size - end)) > 0:
            used = self._go_on(partial(_read_on, lane, file, end, size))
            self.fold()
            if not used:
                break
            end += used
            progress(end - start)
        return end

    def _follow(self) -> int:
        # The lane of the last window knows where its last whole record ended.
        number = self._lanes[0].pcpu % len(self._lanes)
        for lane in self._lanes:
            lane.follow(self._lanes[number])
        return number

    def _go_on(self, walk: Callable[[int], int], used: int | None = None) -> int:
        # Have the only lane walk from somewhere on, or on from where it has come.
        (lane,) = self._lanes
        if used is None:
            used = walk(0)
        while lane.restarted:
            self.collect(everything=True)
            self.fold()
            self._close()
            used += walk(used)
        self.collect()
        return used

    def collect(self, *, everything: bool = False) -> None:
        """Take the rows that no later record can precede from the lanes, for ``fold``, which must have had the last."""
        limit = self._due([_stand(lane) for lane in self._lanes], everything=everything)
        if limit:
            self._batches = [_hand_out(lane, limit) for lane in self._lanes]

    def _due(self, stands: "Sequence[_Stand]", *, everything: bool = False) -> int:
        # Up to which time stamp rows can go out, when all lanes have come so far; 0: none can.
        first = min((stand.first for stand in stands if stand.first), default=0)
        if len(stands) > 1 and first and max(stand.newest for stand in stands) - first >= _REACH:
            # Each lane knows time stamps that are far off from its own pCPUs' only.
            raise Irregular
        limit = max(stand.watermark for stand in stands)
        if everything or max(stand.pending for stand in stands) > PENDING_MAX:
            limit = max(stand.newest for stand in stands)
        if limit:
            self._start = self._start or min((stand.first for stand in stands if stand.first), default=0)
        return limit

    def fold(self) -> None:
        """Put the collected rows together."""
        self._fold.feed(self._batches, self._start)
        self._batches = []

    def finish(self, rest: int | None = None) -> None:
        """Take note that the trace has ended, with so many bytes that are no whole record."""
        first = self._lanes[0]
        first.finish(len(self._rest) if rest is None else rest)
        self._rest = b""
        self.fold()
        self.collect(everything=True)
        self.fold()
        for lane in self._lanes:
            lane.release()
        self._close()
        self._fold.settle()

    def _close(self) -> None:
        stamps = self._stamps()
        end = max((last for _, last in stamps.values()), default=0)
        newest = max((lane.newest for lane in self._lanes), default=0)
        self._fold.close(self._start, max(end, newest), {pcpu: last for pcpu, (_, last) in stamps.items()})
        self.runs.append((self._start, max(end, newest) - self._start))
        self._start = 0
        self._limit()

    def _limit(self) -> None:
        if self._stretches is not None:
            limits = self._stretches.pop(0) if self._stretches else (0, 0)
            self._fold.limit(*limits)
            for lane in self._lanes:
                lane.limit(*limits)

    def _stamps(self) -> dict[int, tuple[int, int]]:
        return {pcpu: stamps for lane in self._lanes for pcpu, stamps in lane.stamps.items()}

    @property
    def account(self) -> Account:
        """What became of the bytes so far."""
        damages: dict[str, tuple[int, int]] = {}
        for code, (count, first) in chain.from_iterable(lane.damages.items() for lane in self._lanes):
            known, earliest = damages.get(code, (0, first))
            damages[code] = (known + count, min(first, earliest))
        return Account(
            bytes=self._lanes[0].offset + len(self._rest),
            records=sum(lane.records for lane in self._lanes),
            skipped_bytes=sum(lane.skipped_bytes for lane in self._lanes),
            lost_records=sum(lane.lost_records for lane in self._lanes),
            pcpus=sorted(chain.from_iterable(lane.pcpus for lane in self._lanes)),
            diagnostics=[Diagnostic(code, SEVERITIES[code], *found) for code, found in sorted(damages.items())],
        )

    @property
    def vcpus(self) -> dict[int, Vcpu]:
        """Run states, and exits around which they changed, by domid << 16 | vcpu."""
        return self._fold.vcpus

    @property
    def domains(self) -> dict[int, Domain]:
        """What the vCPUs of each domain were together, by domid."""
        return self._fold.domains

    @property
    def span(self) -> int:
        """Cycles that the trace spans, of all runs of its clock; after ``finish``."""
        return self._fold.span

    @property
    def contradictions(self) -> tuple[int, int]:
        """How often a vCPU's run state was another one than its next change says, and where the first of these lies."""
        return self._fold.contradictions, self._fold.contradiction

    @property
    def clock_pairs(self) -> list[tuple[int, int]]:
        """(cycles, ns cut to 32 bits) of vCPUs between being switched in and out: some of all lengths."""
        # Drawn further as one lane would have, and sorted, so that the fit does not depend on the number of lanes, not
        # even in its last digit.
        of_lanes = [lane.clock_pairs for lane in self._lanes]
        found: list[tuple[int, int]] = []
        for length in set().union(*of_lanes):
            each = [of[length] for of in of_lanes if length in of]
            if len(each) == 1:
                found += [(cycles, ns) for _lot, cycles, ns in each[0][1]]
                continue
            bits = max(drawn for drawn, _ in each)
            kept = [pair for _, pairs in each for pair in pairs]
            while len(kept := [one for one in kept if not one[0] >> (64 - bits)]) >= CLOCK_PAIRS:
                bits += 1
            found += [(cycles, ns) for _lot, cycles, ns in kept]
        return sorted(found)

    @property
    def lives(self) -> dict[int, list[tuple[int, bool]]]:
        """By domid, when such a domain was created (True) or destroyed: cycles since the first record, in order."""
        return self._fold.lives

    @property
    def newest_release(self) -> tuple[int, int] | None:
        """The newest release of Xen that may have recorded this, where layouts or missing time stamps tell."""
        found = [lane.before for lane in self._lanes if lane.before]
        return (4, min(found) - 1) if found else None

    @property
    def stated(self) -> bool:
        """Whether run states are recorded: what says who runs when, and why not."""
        return any(lane.stated for lane in self._lanes)

    @property
    def removed(self) -> set[int]:
        """Domids that Xen has destroyed."""
        return set().union(*(lane.removed for lane in self._lanes))

    @property
    def uncounted(self) -> int:
        """Records that had no place of their own in a table: a real trace has none."""
        return self._fold.uncounted + sum(lane.uncounted for lane in self._lanes)

    @property
    def steps(self) -> int:
        """Steps of loops over what a trace may have many of: tests bound it."""
        return self._fold.steps + sum(lane.steps for lane in self._lanes)

    def items(self, table: str, *, everything: bool = False) -> "Iterable[Item]":
        """Read off one of ``lane.TABLES``, as ``Counted`` does; a key may come several times.

        :param everything: of the records that were not chosen, too
        """
        found = chain.from_iterable(lane.items(table) for lane in self._lanes)
        if not everything:
            return found
        return chain(found, chain.from_iterable(lane.items(table, passed=True) for lane in self._lanes))


class _Stand(NamedTuple):
    """How far a lane has come, as ``Lane`` has it; ``first`` is the first time stamp of this run of the clock."""

    irregular: bool
    watermark: int
    newest: int
    pending: int
    first: int


def _stand(lane: Lane) -> _Stand:
    first = min((first for first, _ in lane.stamps.values()), default=0)
    return _Stand(lane.irregular, lane.watermark, lane.newest, lane.pending, first)


def _walk_file(lane: Lane, file: int, start: int, end: int) -> _Stand:
    lane.read(file, start + lane.offset, end - start - lane.offset)
    return _stand(lane)


def _read_on(lane: Lane, file: int, start: int, size: int, used: int) -> int:
    return lane.read(file, start + used, size - used)


def _hand_out(lane: Lane, limit: int) -> memoryview:
    rows = lane.take(limit)
    lane.promise(limit)
    return rows


def in_runs(runs: Iterable[Stretch], begin: int, end: int | None) -> list[Stretch]:
    """Turn a stretch of a trace into one of each run of its clock.

    :param runs: ``Scan.runs`` of the same trace
    :param begin: in cycles since the first record, like ``end``; None for the trace's end
    """
    found, before = [], 0
    for start, cycles in runs:
        # What has no time stamp, 0, counts as of the trace's beginning.
        first = max(start + begin - before, 1) if begin else 0
        last = FOREVER if end is None else max(start + end - before, 0)
        found.append((min(first, FOREVER), min(last, FOREVER)))
        before += cycles
    return found


def read(
    source: Source,
    *,
    lanes: int = 1,
    pcpus: frozenset[int] = frozenset(),
    stretches: Sequence[Stretch] | None = None,
    shifts: Mapping[int, int] = NO_SHIFTS,
    progress: Callable[[int], None] = lambda _bytes: None,
    meanwhile: Callable[[], None] = _nothing,
) -> Scan:
    """Read a trace to its end.

    :param lanes: at most; a small file has one
    :param pcpus: see ``Scan``, like ``stretches`` and ``shifts``
    :param progress: is told how many bytes were read so far
    :param meanwhile: is called while threads are at the first bytes, if there are any: what it does costs no time then
    :raises Irregular: only one lane can read this trace
    :raises TraceError: there were bytes but not one record: that is no xentrace
    """
    size = _size(source)
    if size is not None and size <= SMALL:
        lanes = 1
    scan = Scan(lanes, pcpus=pcpus, stretches=stretches, shifts=shifts)
    rest: int | None = None
    if size is not None:
        # Not mapped, since a file that someone cuts short would kill the process.
        source = cast(BufferedReader, source)
        file, start = source.fileno(), source.tell()
        end = scan.read_file(file, start, progress, meanwhile) if lanes > 1 else scan.read_alone(file, start, progress)
        rest = len(os.pread(file, _REST_MAX, end))
        source.seek(end + rest)
    else:
        from traces.worker import Worker  # noqa: PLC0415 - see `Scan.read_file`

        with ExitStack() as stack:
            workers = [stack.enter_context(Worker()) for _ in range(lanes)]
            rest = _read(scan, source, workers, progress, meanwhile)
    scan.finish(rest)
    account = scan.account
    if not account.records:
        what = "holds no xentrace record" if account.bytes else "is empty"
        raise TraceError(f"{what}: expected the output of xentrace, `xentool record` or `xentool trace -o`")
    return scan


def _size(source: Source) -> int | None:
    # How many bytes are left of a file as it is; None of all else.
    if not isinstance(source, BufferedReader):
        return None
    try:
        about = os.fstat(source.fileno())
    except UnsupportedOperation:
        return None  # of another machine
    return max(about.st_size - source.tell(), 0) if stat.S_ISREG(about.st_mode) else None


def _read(
    scan: Scan,
    source: Source,
    workers: "Sequence[Worker]",
    progress: Callable[[int], None],
    meanwhile: Callable[[], None],
) -> int:
    # Gives how many bytes at the end are no whole record. One buffer is read while the other is walked.
    buffers = [bytearray(_REST_MAX + CHUNK) for _ in range(2)]
    rest = _NOTHING
    size = source.readinto(memoryview(buffers[0])[_REST_MAX:]) or 0
    total = 0
    while size:
        total += size
        data = memoryview(buffers[0])[_REST_MAX - len(rest) : _REST_MAX + size]
        data[: len(rest)] = rest
        walks = scan.begin(data, workers)
        if total == size:
            meanwhile()
        scan.fold()
        size = source.readinto(memoryview(buffers[1])[_REST_MAX:]) or 0
        used = scan.end(walks, data)
        rest = data[used:]
        buffers.reverse()
        progress(total)
    return len(rest)


def processors() -> int:
    """Say how many lanes are of use on this machine."""
    return min(len(os.sched_getaffinity(0)), LANES_MAX)
