"""The way from bytes to records for compiled code: cut, put in order of time, handed out in pieces where they lie.

Without numpy, which takes longer to load than a small trace to read; ``reader`` does the same for tables.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Protocol

from traces.account import NO_SHIFTS, SEVERITIES, Account, Diagnostic
from traces.errors import TraceError
from traces.xen.decode.tokenize import Cut, EventQueue

CHUNK = 8 << 20
#: Records waiting for the clock's order; beyond that they go out as they are, so that no input can fill the memory.
PENDING_MAX = 4 << 20
#: Bytes behind a batch's last record, for who reads a little too far.
BEHIND = 64
#: Of ``decode.event.Event``, which begins with its time stamp.
_EVENT_SIZE = 32
_STAMP = struct.Struct("<Q")


class Filler(Protocol):
    """Where bytes come from."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer, but at the end; say with how many bytes, none at the end."""
        ...


@dataclass(frozen=True)
class Batch:
    """Some consecutive records as compiled code takes them: the same that a ``EventTable`` of ``reader.read`` holds.

    events   array of ``decode.event.Event``, oldest first
    data     the bytes that these lie in, the first of them at file offset ``base``
    restart  the first batch of another run of the clock
    buffers  what it lies in, for ``Spare`` once this batch and those before are done with; None while others lie there
    """

    events: memoryview
    data: mmap
    base: int
    restart: bool
    buffers: tuple[mmap, mmap] | None

    def __len__(self) -> int:
        """Count the records."""
        return len(self.events) // _EVENT_SIZE

    @property
    def first(self) -> int:
        """The first time stamp; 0 if there is none."""
        stamps = (int(_STAMP.unpack_from(self.events, at)[0]) for at in range(0, len(self.events), _EVENT_SIZE))
        return next((stamp for stamp in stamps if stamp), 0)

    @property
    def last(self) -> int:
        """The last time stamp."""
        return int(_STAMP.unpack_from(self.events, len(self.events) - _EVENT_SIZE)[0])


class Spare:
    """Buffers to use again: to get new memory from the system takes longer than to fill it."""

    def __init__(self) -> None:
        self._buffers: list[mmap] = []

    def take(self, size: int) -> mmap:
        """Get a buffer of at least ``size`` bytes."""
        while self._buffers:
            buffer = self._buffers.pop()
            if len(buffer) >= size:
                return buffer
        # Somewhat larger, so that it does for the next one, too. No bytearray, which would be filled with zeros first.
        return mmap(-1, size + size // 4, MAP_PRIVATE | MAP_ANONYMOUS)

    def give(self, buffer: mmap) -> None:
        """Give one back."""
        self._buffers.append(buffer)


def batches(
    source: Filler, spare: tuple[Spare, Spare] | None = None, shifts: Mapping[int, int] = NO_SHIFTS
) -> Iterator[Batch]:
    """Read ``source`` to its end.

    :param spare: where batches' buffers go back to
    :param shifts: cycles to add to the time stamps of pCPUs whose clocks are behind those of others
    :raises TraceError: there were bytes but not one record: that is no xentrace
    """
    queue = EventQueue()
    queue.shift(dict(shifts))
    for_data, for_events = spare or (Spare(), Spare())
    kept, base, end, restart = memoryview(b""), 0, 0, False

    def emit(*, everything: bool, last: bool) -> Iterator[Batch]:
        nonlocal restart
        limit = queue.newest if everything else queue.watermark
        size = queue.ready(limit) * _EVENT_SIZE
        events = for_events.take(size) if size else None
        if events is not None:
            queue.take(limit, events)
        queue.promise(limit)
        if events is not None:
            yield Batch(memoryview(events)[:size], data, base, restart, (data, events) if last else None)
            restart = False

    while True:
        data, base, end = for_data.take(len(kept) + CHUNK + BEHIND), queue.oldest, len(kept)
        # Which may be the same buffer.
        memoryview(data)[:end] = kept
        size = source.readinto(memoryview(data)[end : end + CHUNK])
        end += size
        if not size:
            break
        while True:
            queue.walk(memoryview(data)[queue.offset - base : end])
            if not queue.clock_restarted:
                break
            yield from emit(everything=True, last=False)
            restart = True
        yield from emit(everything=queue.pending > PENDING_MAX, last=True)
        kept = memoryview(data)[queue.oldest - base : end]
    queue.finish(base + end - queue.offset)
    yield from emit(everything=True, last=False)
    check(account_of(queue, 0))


def account_of(cut: Cut, rest: int) -> Account:
    """Say what became of the bytes that were cut, and of ``rest`` ones that were not yet."""
    return Account(
        bytes=cut.offset + rest,
        records=cut.records,
        skipped_bytes=cut.skipped_bytes,
        lost_records=cut.lost_records,
        pcpus=cut.pcpus,
        diagnostics=[Diagnostic(code, SEVERITIES[code], *found) for code, found in sorted(cut.damages.items())],
    )


def check(account: Account) -> None:
    """See to it that there was something.

    :raises TraceError: there were bytes but not one record
    """
    if not account.records:
        what = "holds no xentrace record" if account.bytes else "is empty"
        raise TraceError(f"{what}: expected the output of xentrace, `xentool record` or `xentool trace -o`")
