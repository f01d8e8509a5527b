"""A trace.dat's parts: what its events hold, who its threads are, and each processor's pages.

Law: no more of the file is in memory at once than a piece of each processor's pages. What a part cannot be read for is
told, and the others are read; only a file without a single event is no trace.

Ref: trace-cmd.dat.v6(5), trace-cmd.dat.v7(5). Two things differ from these: what an option says of how large a
processor's packed pages are leaves out their count, so the count alone is gone by; and version 6 has no size behind
the option that ends the options.
"""

import io
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO, Protocol

from construct import Construct, ConstructError, StreamError

from traces.account import SEVERITIES, Diagnostic
from traces.errors import TraceError
from traces.kvm.decode import cut
from traces.kvm.formats import containers
from traces.kvm.formats.containers import Option, Section
from traces.kvm.formats.fields import Field, Layout, fields, layout
from traces.plain import field, frozen, mutable

#: Bytes of pages that are in memory at once, of all processors, and of one of them.
PAGES_MAX, PIECE_MAX = 32 << 20, 1 << 20
#: Formats of events, and names of threads.
_LAYOUTS_MAX, _COMMS_MAX = 1 << 13, 1 << 17
#: Ref: Linux, include/linux/threads.h (PID_MAX_LIMIT)
_PIDS_MAX = 1 << 22
#: What one section, and one packed chunk of pages, may unpack to.
_SECTION_MAX, _CHUNK_MAX = 64 << 20, 16 << 20
#: More are none that a machine has: Linux' NR_CPUS.
_CPUS_MAX = 8192
#: Options that lie one behind the other, at most.
_OPTIONS_MAX = 1 << 12
#: Where a page's records begin, and how many bytes its count takes, where this reads them.
_PAGE = {"timestamp": (0, 8), "commit": (8, 8), "data": (16, None)}
_COMM = re.compile(r"^([0-9]{1,10}) (.*)$", re.MULTILINE)


class Unpack(Protocol):
    """Unpacks a chunk, whose size is known."""

    def __call__(self, data: bytes, size: int, /) -> bytes:
        """Give what it unpacks to.

        :raises ValueError: it is damaged
        """
        ...


@frozen
class Stream:
    """One processor's pages of one buffer: where in the file, and whether they are packed in chunks."""

    cpu: int
    offset: int
    size: int
    page_size: int
    packed: bool


@frozen
class Process:
    """A machine that was recorded: its process, its name if it has one, and its threads."""

    pid: int
    name: str | None
    threads: frozenset[int]


@mutable
class TraceDat:
    """What a file says of itself; ``pages`` reads on.

    layouts   of its events, by their number in the records
    comms     names of threads, by number
    clock     that gave the time stamps, as the kernel calls it
    nanoseconds   a tick, as (factor, shift), where the clock counts the processor's cycles
    """

    version: int
    layouts: dict[int, Layout] = field(default_factory=dict)
    comms: dict[int, str] = field(default_factory=dict)
    clock: str = "local"
    nanoseconds: tuple[int, int] | None = None
    kernel: str | None = None
    #: Names of guests, by the threads that are their vCPUs.
    guests: dict[int, str] = field(default_factory=dict)
    streams: list[Stream] = field(default_factory=list)
    #: Machines whose processes were noted.
    processes: list[Process] = field(default_factory=list)
    #: What each processor lost by the kernel's own count.
    stats: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def damage(self, code: str, offset: int) -> None:
        """Take note of what could not be read, at a byte of the file."""
        self.diagnostics.append(Diagnostic(code, SEVERITIES[code], 1, offset))

    def describe(self, system: str, text: bytes) -> None:
        """Take in an event's format file."""
        try:
            one = layout(text.decode("utf8", "replace"), system)
        except TraceError:
            self.damage("bad_format", 0)
            return
        if len(self.layouts) < _LAYOUTS_MAX or one.id in self.layouts:
            self.layouts[one.id] = one
        else:
            self.damage("too_many_kinds", 0)


def check_page(text: bytes) -> int:
    """See to it that pages are laid out as they are read here; give how many bytes one has, as its header tells.

    :raises TraceError: they are not
    """
    laid = fields(text.decode("ascii", "replace"))
    for name, (offset, size) in _PAGE.items():
        one = laid.get(name, Field(name, offset, size or 0))
        if one.offset != offset or (size is not None and one.size != size):
            raise TraceError("has pages that are laid out in a way that is not known")
    data = laid.get("data", Field("data", 0, 0))
    return data.offset + data.size


def chosen_clock(text: str) -> str | None:
    """Find the clock that is used in the list of those that a kernel has."""
    found = re.search(r"\[(\S+)\]", text)
    return found[1] if found else None


def read(file: BinaryIO, unpack: Unpack | None) -> TraceDat:
    """Read what a file says of itself.

    :param unpack: zstd's; None where no library of it is installed
    :raises TraceError: it is no trace.dat, or one that cannot be read at all: the message says why
    """
    file.seek(0)
    try:
        head = containers.HEAD.parse_stream(file)
        if head.big_endian or head.long_size != 8:
            raise TraceError("is of a machine that is big-endian or of 32 bits: only trace-cmd reads those")
        if head.version == "6":
            return _Sixth(file, head.page_size).read()
        if head.version == "7":
            return _Seventh(file, head.page_size, unpack).read()
    except (ConstructError, UnicodeDecodeError) as error:
        raise TraceError("is cut, or damaged, before its events are described") from error
    raise TraceError(f"is a trace.dat of version {head.version[:8]!r}, and 6 and 7 are known")


class _Reading:
    # What both versions have.
    def __init__(self, file: BinaryIO, version: int) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._found = TraceDat(version)

    def _formats(self, systems: list[tuple[str, list[bytes]]]) -> None:
        for system, events in systems:
            for text in events:
                self._found.describe(system, text)

    def _comms(self, text: bytes) -> None:
        told = islice(_COMM.finditer(text.decode("utf8", "replace")), _COMMS_MAX)
        self._found.comms |= {int(one[1]): one[2] for one in told}

    def _option(self, number: int, data: bytes) -> None:
        if number == Option.TRACECLOCK:
            self._found.clock = chosen_clock(data.decode("ascii", "replace")) or self._found.clock
        elif number == Option.UNAME:
            self._found.kernel = data.rstrip(b"\0").decode("utf8", "replace")
        elif number == Option.CPUSTAT:
            self._found.stats.append(data.rstrip(b"\0").decode("utf8", "replace"))
        elif number == Option.TSC2NSEC:
            told = containers.TSC2NSEC.parse(data)
            self._found.nanoseconds = (told.mult, told.shift)
        elif number == Option.GUEST:
            guest = containers.GUEST.parse(data)
            self._found.guests |= {one.pid: guest.name for one in guest.cpus}
        elif number == Option.MACHINE:
            machine = containers.MACHINE.parse(data)
            if machine.pid < _PIDS_MAX:
                self._found.processes.append(Process(machine.pid, machine.name or None, frozenset(machine.threads)))

    def _stream(self, cpu: int, offset: int, size: int, page_size: int, *, packed: bool) -> None:
        if not size:
            return
        if len(self._found.streams) >= _CPUS_MAX or cpu >= _CPUS_MAX:
            self._found.damage("bad_pcpu", offset)
            return
        if offset + size > self._size:
            self._found.damage("truncated", self._size)
            size = max(self._size - offset, 0)
        self._found.streams.append(Stream(cpu, offset, size, page_size, packed))


class _Bounded:
    # No more of a file than a head may have.
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, _SECTION_MAX

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise StreamError("it is larger than any")
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell()


class _Sixth(_Reading):
    def __init__(self, file: BinaryIO, page_size: int) -> None:
        at = file.tell()
        super().__init__(file, 6)
        file.seek(at)
        self._page_size = checked_size(page_size)
        self._head = _Bounded(file)
        self._buffers: list[int] = []

    def read(self) -> TraceDat:
        parsed = self._parse
        check_page(parsed(containers.HEADER_INFO).page)
        self._formats([("ftrace", list(parsed(containers.FTRACE_EVENTS)))])
        self._formats([(one.system, list(one.events)) for one in parsed(containers.EVENT_FORMATS)])
        parsed(containers.LEFT_OUT)
        parsed(containers.LEFT_OUT)
        self._comms(parsed(containers.CMDLINES))
        cpus = min(parsed(containers.NUMBER), _CPUS_MAX)
        word = self._file.read(10)
        if word == containers.OPTIONS_WORD:
            self._options()
            word = self._file.read(10)
        self._places(word, cpus)
        for offset in self._buffers:
            self._file.seek(offset)
            self._places(self._file.read(10), cpus)
        return self._found

    def _parse(self, what: Construct) -> Any:  # noqa: ANN401 - as it was declared
        return what.parse_stream(self._head)

    def _options(self) -> None:
        for _ in range(_OPTIONS_MAX):
            number = containers.SHORT.parse_stream(self._file)
            if number == Option.DONE:
                return
            data = containers.OPTION_DATA.parse_stream(self._file)
            if number == Option.BUFFER:
                self._buffers.append(containers.OLD_BUFFER.parse(data).offset)
            else:
                self._option(number, data)

    def _places(self, word: bytes, cpus: int) -> None:
        if word != containers.FLYRECORD:
            raise TraceError("holds text of a latency tracer, and no records")
        for cpu in range(cpus):
            place = containers.PLACE.parse_stream(self._file)
            self._stream(cpu, place.offset, place.size, self._page_size, packed=False)


_DESCRIBE = frozenset({Section.HEADER_INFO, Section.FTRACE_EVENTS, Section.EVENT_FORMATS, Section.CMDLINES})


class _Seventh(_Reading):
    def __init__(self, file: BinaryIO, page_size: int, unpack: Unpack | None) -> None:
        start = containers.SEVENTH.parse_stream(file)
        self._sections_at = file.tell()
        super().__init__(file, 7)
        self._page_size = checked_size(page_size)
        self._first = start.options
        self._compression = start.compression
        self._unpack = unpack

    def read(self) -> TraceDat:
        if self._compression not in ("none", "zstd"):
            raise TraceError(
                f"is packed by {self._compression[:16]!r}; trace-cmd convert --compression none unpacks it"
            )
        if self._compression == "zstd" and self._unpack is None:
            raise TraceError("is packed by zstd, and to read it takes zstandard: pip install zstandard")
        sections: dict[int, bytes] = {}
        buffers: list[bytes] = []
        at, seen = self._first, set[int]()
        while at and at not in seen and len(seen) < _OPTIONS_MAX:
            seen.add(at)
            at = self._options(at, sections, buffers)
        whole = bool(buffers)
        if not whole:
            self._find(sections)
        if Section.EVENT_FORMATS not in sections:
            beyond = (
                f"; what describes them is at byte {self._first:,} of {self._size:,}"
                if self._first >= self._size
                else ""
            )
            raise TraceError(f"is cut, or damaged, before its events are described{beyond}")
        if Section.HEADER_INFO in sections:
            check_page(containers.HEADER_INFO.parse(sections[Section.HEADER_INFO]).page)
        if Section.FTRACE_EVENTS in sections:
            self._formats([("ftrace", list(containers.FTRACE_EVENTS.parse(sections[Section.FTRACE_EVENTS])))])
        if Section.EVENT_FORMATS in sections:
            told = containers.EVENT_FORMATS.parse(sections[Section.EVENT_FORMATS])
            self._formats([(one.system, list(one.events)) for one in told])
        if Section.CMDLINES in sections:
            self._comms(containers.CMDLINES.parse(sections[Section.CMDLINES]))
        for data in buffers:
            self._buffer(data)
        if not whole:
            self._recover()
        return self._found

    def _find(self, sections: dict[int, bytes]) -> None:
        # No option says where pages are: it was cut. What describes events lies before them.
        for number, at, _packed in cut.sections(self._file, self._sections_at):
            if number in _DESCRIBE and number not in sections:
                try:
                    sections[number] = self._section(at, number)
                except (ConstructError, ValueError):
                    return

    def _recover(self) -> None:
        buffers = (one for one in cut.sections(self._file, self._sections_at) if one[0] == Section.BUFFER)
        for _number, at, packed in islice(buffers, 1):
            for cpu, (offset, size) in enumerate(cut.streams(self._file, at, self._page_size, packed=packed)):
                self._stream(cpu, offset, size, self._page_size, packed=packed)

    def _options(self, at: int, sections: dict[int, bytes], buffers: list[bytes]) -> int:
        # Read a section of options, and those that it names; give where the next such section is, 0: nowhere.
        try:
            data = io.BytesIO(self._section(at, Section.OPTIONS))
            while True:
                option = containers.OPTION.parse_stream(data)
                if option.id == Option.DONE:
                    return int(containers.OFFSET.parse(option.data))
                if option.id == Option.BUFFER:
                    buffers.append(option.data)
                elif option.id in _DESCRIBE:
                    sections[option.id] = self._section(containers.OFFSET.parse(option.data), option.id)
                else:
                    self._option(option.id, option.data)
        except (ConstructError, ValueError):
            self._found.damage("truncated" if at >= self._size else "bad_section", min(at, self._size))
            return 0

    def _section(self, at: int, number: int) -> bytes:
        self._file.seek(at)
        head = containers.SECTION.parse_stream(self._file)
        if head.id != number or head.size > _SECTION_MAX:
            raise StreamError("another section lies there")
        if not head.flags & containers.COMPRESSED:
            return _whole(self._file, head.size)
        sizes = containers.PACKED.parse_stream(self._file)
        return self._unpacked(_whole(self._file, sizes.packed), sizes.unpacked, _SECTION_MAX)

    def _unpacked(self, data: bytes, size: int, most: int) -> bytes:
        if size > most or self._unpack is None:
            raise StreamError("it unpacks to more than it may")
        return self._unpack(data, size)

    def _buffer(self, data: bytes) -> None:
        told = containers.BUFFER.parse(data)
        self._file.seek(told.offset)
        try:
            packed = bool(containers.SECTION.parse_stream(self._file).flags & containers.COMPRESSED)
        except ConstructError:
            self._found.damage("truncated", self._size)
            return
        self._found.clock = told.clock or self._found.clock
        for one in told.cpus:
            self._stream(one.cpu, one.offset, one.size, checked_size(told.page_size), packed=packed)


def checked_size(size: int) -> int:
    """Check how many bytes a page is said to have.

    :raises TraceError: none has so many
    """
    if not 1 << 9 <= size <= 1 << 20 or size & (size - 1):
        raise TraceError(f"says that its pages have {size} bytes")
    return size


def _whole(file: BinaryIO, size: int) -> bytes:
    if size > _SECTION_MAX or len(data := file.read(size)) < size:
        raise StreamError("the file ends before")
    return data


def pages(
    file: BinaryIO, of: Stream, unpack: Unpack | None, piece: int, lost: Callable[[str, int], None]
) -> Iterator[bytes]:
    """Give a processor's pages in pieces of whole pages; the last one may be cut.

    :param piece: how many bytes, about
    :param lost: is told what could not be read, and at which byte of the file
    """
    if not of.packed:
        for at in range(0, of.size, piece := max(piece // of.page_size, 1) * of.page_size):
            file.seek(of.offset + at)
            data = file.read(min(piece, of.size - at))
            yield data
            if len(data) < min(piece, of.size - at):
                lost("truncated", of.offset + at + len(data))
                return
        return
    at = of.offset
    try:
        file.seek(at)
        count = containers.NUMBER.parse_stream(file)
        at += 4
        for _ in range(count):
            file.seek(at)
            sizes = containers.PACKED.parse_stream(file)
            if sizes.unpacked > _CHUNK_MAX or unpack is None:
                raise StreamError("it unpacks to more than it may")
            data = unpack(_whole(file, sizes.packed), sizes.unpacked)
            at += 8 + sizes.packed
            yield data
    except (ConstructError, ValueError):
        lost("compressed_data_corrupt", at)


def piece_size(streams: int) -> int:
    """Say how many bytes of each processor's pages are read at once, of so many processors."""
    return min(PIECE_MAX, PAGES_MAX // max(streams, 1))
