"""What a KVM host sends while it records: first all that pages are read by, then pages, tagged by their processors.

Law: bytes in, parts out; there is no I/O here. What is not whole yet waits for more; what can be no stream is refused,
and bounds hold for all that may wait.

The head is text: sections, each behind a line ``xentool: NAME WORDS``, of which ``pages SIZE`` is the last. Then come
blocks of so many bytes. A block that begins with ``xentool:`` and is filled up with spaces is a line of its own: the
second eight bytes of a page say how much it holds, and can be no letters.

========================  ============================================================================================
``cpu N ENTRIES``         the pages that follow are that processor's, which said that it had so many events
``round``                 each processor was asked once for what it had
``stats N TEXT``          what the kernel says of a processor's buffer in the end
``thread TID NAME``       one of the machine's, in the end
``end``                   there was nothing more
========================  ============================================================================================
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

from traces.errors import TraceError
from traces.kvm.decode.tracedat import Process, Stream, TraceDat, check_page, checked_size, chosen_clock
from traces.plain import field, frozen, mutable, replace

MARK = b"xentool: "
#: Of all events of KVM's a kernel's formats have 100 kB.
_HEAD_MAX = 8 << 20
_CPUS_MAX, _THREADS_MAX = 8192, 1 << 16
_ABOVE = re.compile(rb"^xentool: ", re.MULTILINE)
_NAME = re.compile(rb"^name: ", re.MULTILINE)


@frozen
class Head:
    """What is known before the first page; texts are the kernel's own.

    :param clock: those that there are, the one that counts in brackets
    :param words: by which the machine's process was started
    :param threads: names of the machine's, by number
    :param formats: by system, one of each event
    """

    kernel: str
    clock: str
    pid: int
    words: tuple[str, ...]
    threads: dict[int, str]
    header_page: bytes
    header_event: bytes
    formats: dict[str, tuple[bytes, ...]]
    cpus: tuple[int, ...]
    page_size: int

    def trace(self) -> TraceDat:
        """Give the same as a file tells it, whose processors are all that there are.

        :raises TraceError: pages are laid out in a way that is not known
        """
        found = TraceDat(0, kernel=self.kernel, clock=chosen_clock(self.clock) or "local")
        check_page(self.header_page)
        for system, texts in self.formats.items():
            for text in texts:
                found.describe(system, text)
        found.comms |= self.threads
        found.processes.append(Process(self.pid, name_of(self.words), frozenset(self.threads)))
        found.streams += [Stream(cpu, 0, 0, self.page_size, packed=False) for cpu in self.cpus]
        return found


@frozen
class Pages:
    """Whole pages of a processor, as they came."""

    cpu: int
    data: bytes


@frozen
class Asked:
    """A processor is asked, which has so many events."""

    cpu: int
    entries: int


@frozen
class Round:
    """Each processor was asked once."""


@frozen
class Stats:
    """What the kernel says of a processor's buffer."""

    cpu: int
    text: str


@frozen
class Thread:
    """One of the machine's threads."""

    tid: int
    name: str


@frozen
class End:
    """The recording ended in order."""


Part: TypeAlias = Head | Pages | Asked | Round | Stats | Thread | End


def tell(trace: TraceDat, part: Stats | Thread) -> None:
    """Have a trace know what was said in the end: of a buffer, or of a thread, some of which began since the head."""
    if isinstance(part, Stats):
        trace.stats.append(f"CPU: {part.cpu}\n{part.text}\n")
        return
    trace.comms[part.tid] = part.name
    trace.processes = [replace(one, threads=one.threads | {part.tid}) for one in trace.processes]


@mutable
class Reader:
    """Cuts a stream into parts, however its bytes come."""

    #: Bytes before what was not given yet; or before what is damaged.
    offset: int = 0
    _held: bytearray = field(default_factory=bytearray)
    _page_size: int = 0
    _cpu: int | None = None
    _cpus: frozenset[int] = frozenset()

    @property
    def waiting(self) -> int:
        """How many bytes wait for more."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Part]:
        """Give the parts that are whole with these bytes.

        :raises TraceError: it is no such stream, or damaged
        """
        self._held += data
        if not self._page_size:
            head = self._head()
            if head is None:
                return
            yield head
        size = self._page_size
        whole = len(self._held) // size * size
        begin = 0
        for at in range(0, whole, size):
            if self._held.startswith(MARK, at):
                if begin < at:
                    yield self._pages(begin, at)
                begin = at + size
                yield self._line(bytes(self._held[at : at + size]), at)
        if begin < whole:
            yield self._pages(begin, whole)
        self.offset += whole
        del self._held[:whole]

    def _pages(self, begin: int, end: int) -> Pages:
        if self._cpu is None:
            raise self._wrong("has pages that no processor is named for", begin)
        return Pages(self._cpu, bytes(self._held[begin:end]))

    def _line(self, block: bytes, at: int) -> Part:
        kind, _, rest = block[len(MARK) :].decode("utf8", "replace").rstrip(" ").partition(" ")
        number, _, text = rest.partition(" ")
        self._cpu = None
        if kind == "round":
            return Round()
        if kind == "end":
            return End()
        if kind == "thread" and _is_number(number):
            return Thread(int(number), text)
        if kind in ("cpu", "stats") and _is_number(number) and int(number) in self._cpus:
            if kind == "stats":
                return Stats(int(number), text)
            if _is_number(text):
                self._cpu = int(number)
                return Asked(self._cpu, int(text))
        raise self._wrong(f"has a line that nobody knows ({kind[:20]!r})", at)

    def _wrong(self, why: str, at: int) -> TraceError:
        self.offset += at
        return TraceError(f"{why}, at byte {self.offset}")

    def _head(self) -> Head | None:
        found = re.search(rb"^xentool: pages .*\n", self._held, re.MULTILINE)
        if not self._held.startswith(MARK[: len(self._held)]) or (found is None and len(self._held) > _HEAD_MAX):
            raise TraceError("is no stream of a recording KVM host")
        if found is None:
            return None
        head = _head(bytes(self._held[: found.end()]))
        self._page_size, self._cpus = head.page_size, frozenset(head.cpus)
        self.offset += found.end()
        del self._held[: found.end()]
        return head


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _head(text: bytes) -> Head:
    sections: dict[str, tuple[str, bytes]] = {}
    for each in _ABOVE.split(text)[1:]:
        line, _, body = each.partition(b"\n")
        kind, _, words = line.decode("utf8", "replace").partition(" ")
        # Of formats there are several, told apart by their systems.
        sections[f"{kind} {words}" if kind == "format" else kind] = words, body
    try:
        if sections["stream"][0] != "1":
            raise TraceError(f"is of a version that is not known ({sections['stream'][0][:20]!r})")
        formats = {
            name.removeprefix("format "): tuple(b"name: " + one for one in _NAME.split(body)[1:])
            for name, (_words, body) in sections.items()
            if name.startswith("format ")
        }
        header_page = sections["header_page"][1]
        size = checked_size(int(sections["pages"][0]))
        if check_page(header_page) not in (0, size):
            raise TraceError(f"says that its pages have {size} bytes, and describes others")
        cpus = tuple(map(int, sections["cpus"][1].split()))
        if not cpus or len(cpus) > _CPUS_MAX or not all(0 <= one < _CPUS_MAX for one in cpus):
            raise TraceError("names no processors, or more than there are")
        return Head(
            sections["kernel"][0],
            sections["clock"][0],
            int(sections["machine"][0]),
            _words(sections["machine"][1]),
            _threads(sections["threads"][1]),
            header_page,
            sections["header_event"][1],
            formats,
            cpus,
            size,
        )
    except (KeyError, ValueError) as error:
        raise TraceError(f"has a head that cannot be read ({error})") from error


def _words(dumped: bytes) -> tuple[str, ...]:
    # As od dumps it; each word ends with a NUL.
    return tuple(one.decode("utf8", "replace") for one in bytes.fromhex(dumped.decode("ascii")).split(b"\0")[:-1])


def _threads(body: bytes) -> dict[int, str]:
    found = {}
    for line in body.decode("utf8", "replace").splitlines()[:_THREADS_MAX]:
        number, _, name = line.partition(" ")
        if _is_number(number):
            found[int(number)] = name
    return found


def name_of(words: tuple[str, ...]) -> str | None:
    """Find what a machine is called in the words by which its process was started, as libvirt and people start QEMU.

    Ref: QEMU, -name [guest=]NAME[,debug-threads=on|off]...; a comma in a name is doubled
    """
    for option, value in pairwise(words):
        if option in ("-name", "--name"):
            parts = [one.replace("\0", ",") for one in value.replace(",,", "\0").split(",")]
            for index, part in enumerate(parts):
                key, equals, rest = part.partition("=")
                if key == "guest" and equals:
                    return rest or None
                if index == 0 and not equals:
                    return part or None
    return None
