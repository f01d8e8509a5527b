"""What a trace.dat of version 7 still holds that was cut before its last options, which say where all of it is.

Its sections lie one behind the other, and in that of a buffer each processor's pages begin at a whole page. Processors
without pages leave no trace there, so what is found is numbered in order.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from construct import ConstructError

from traces.kvm.formats import containers

#: Sections, and processors, at most.
_SECTIONS_MAX, _CPUS_MAX = 1 << 12, 8192


def sections(file: BinaryIO, at: int) -> Iterator[tuple[int, int, bool]]:
    """Give the number of each section from a place on, where it begins, and whether it is packed."""
    for _ in range(_SECTIONS_MAX):
        file.seek(at)
        try:
            head = containers.SECTION.parse_stream(file)
        except ConstructError:
            return
        yield head.id, at, bool(head.flags & containers.COMPRESSED)
        at += containers.SECTION.sizeof() + head.size


def streams(file: BinaryIO, section: int, page_size: int, *, packed: bool) -> Iterator[tuple[int, int]]:
    """Give where each processor's pages of a buffer are, and how many bytes they are.

    :param section: where the buffer's section begins
    """
    size = file.seek(0, io.SEEK_END)
    at = section + containers.SECTION.sizeof()
    at += -at % page_size
    found = _chunks(file, at, size, page_size) if packed else _pages(file, at, size, page_size)
    for number, one in enumerate(found):
        if number >= _CPUS_MAX:
            return
        yield one


def _chunks(file: BinaryIO, at: int, size: int, page_size: int) -> Iterator[tuple[int, int]]:
    while at + 4 <= size:
        file.seek(at)
        count, end = containers.NUMBER.parse_stream(file), at + 4
        if not count:
            return
        for _ in range(count):
            if end + 8 > size:
                break
            file.seek(end)
            end += 8 + int(containers.PACKED.parse_stream(file).packed)
        yield at, min(end, size) - at
        at = end + -end % page_size


def _pages(file: BinaryIO, at: int, size: int, page_size: int) -> Iterator[tuple[int, int]]:
    # A page that is older than the one before it is the next processor's.
    begin, last = at, -1
    while at + 16 <= size:
        file.seek(at)
        stamp, held = (int(containers.OFFSET.parse_stream(file)) for _ in range(2))
        if stamp < last and held:
            yield begin, at - begin
            begin = at
        last = stamp
        at += page_size
    if begin < size:
        yield begin, size - begin
