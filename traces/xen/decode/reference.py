"""The slow decoder, straight from the declarations in ``formats``: what the fast one is measured against."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from construct import ConstructError, StreamError

from traces.xen.formats.event import Release
from traces.xen.formats.events import CPU_CHANGE, CpuChange, layout
from traces.xen.formats.record import Header, Record


@dataclass(frozen=True, slots=True)
class ReferenceRecord:
    """One record: where it stands, who recorded it, and its payload as words. ``tsc`` is None without a stamp."""

    offset: int
    pcpu: int
    event: int
    tsc: int | None
    words: tuple[int, ...]


def fields(event: int, payload: bytes, release: Release | None = None) -> dict[str, Any]:
    """Name a payload's fields by the event's layout; those that the payload is too short for are left out."""
    found: dict[str, Any] = {}
    rest = payload
    for field in layout(event, release, len(payload) // 4).subcons:
        try:
            found[field.name] = field.parse(rest)
        except StreamError:
            break
        rest = rest[field.sizeof() :]
    return found


def decode(data: bytes) -> Iterator[ReferenceRecord]:
    """Decode an undamaged capture, all of it but CPU_CHANGE records.

    Raises ConstructError where the bytes are no such capture.
    """
    offset = 0
    while offset < len(data):
        header = Header.parse(data[offset:])
        if header.event != CPU_CHANGE:
            raise ConstructError(f"no window at offset {offset}")
        offset += Header.sizeof()
        window = CpuChange.parse(data[offset:])
        offset += CpuChange.sizeof()
        end = offset + window.window_size
        while offset < end:
            # The longest record is header, time stamp and seven words.
            record = Record.parse(data[offset : min(end, offset + 40)])
            yield ReferenceRecord(offset, window.cpu, record.header.event, record.tsc, tuple(record.words))
            offset += Header.sizeof() + (8 if record.header.cycles else 0) + 4 * record.header.extra
