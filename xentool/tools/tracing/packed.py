"""Captures that gzip, xz, bzip2 or zstd have packed, unpacked while they are read; known by how they begin.

Law: only what lies between two reads is kept, and a turn takes a bounded piece and makes a bounded one, so memory stays
the same whatever a file unpacks to. What comes before damage is given; the damage is told, and is no error.

Ref: RFC 1952, the .xz file format 1.2.1, RFC 8878
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from traces.account import SEVERITIES, Diagnostic
from traces.plain import frozen, replace
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import filekinds

if TYPE_CHECKING:
    from io import BufferedReader

    from traces.answers import Report
    from xentool.tools.tracing.pipes import Piped

#: Bytes of a file by which its kind is known.
HEAD = 512
#: Packed bytes read at once, and those unpacked at once: where they are damaged, what a turn made is lost; and of half
#: a KiB zstd makes up to 16 MiB, and cannot be asked for less.
_READ = 1 << 16
_TURN = 1 << 9
#: Bytes that a turn of the others makes at most.
_MADE = 1 << 20
#: What unpacking may keep in mind: what xz -9 and zstd --long ask for by themselves.
_MEMORY = 1 << 27
#: Streams one behind the other, at most, and one more for so many bytes that come out: an empty one costs time, too.
_STREAMS, _STREAM_BYTES = 10_000, 512


class Packed(Protocol):
    """Where packed bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Give some bytes, none at the end."""
        ...


class _Stream(Protocol):
    # As ``lzma`` and ``bz2`` have it.
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        import zlib  # noqa: PLC0415 - most captures are not packed

        self._stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


class _Zstd:
    needs_input = True

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - zstandard's, which may be missing
        self._stream = stream

    @property
    def eof(self) -> bool:
        return cast(bool, self._stream.eof)

    @property
    def unused_data(self) -> bytes:
        return cast(bytes, self._stream.unused_data)

    def decompress(self, data: bytes, _max_length: int) -> bytes:
        return cast(bytes, self._stream.decompress(data)) if data else b""


def _gzip() -> _Stream:
    return cast(_Stream, _Gzip())


def _xz() -> _Stream:
    import lzma  # noqa: PLC0415 - most captures are not packed

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)


def _bzip2() -> _Stream:
    import bz2  # noqa: PLC0415 - most captures are not packed

    return bz2.BZ2Decompressor()


def _zstd() -> _Stream:
    import zstandard  # noqa: PLC0415 - an extra

    return cast(_Stream, _Zstd(zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()))


@frozen
class Packing:
    """One way to pack.

    :param magics: by one of which each stream begins
    :param suffix: of files
    :param tool: that unpacks it to stdout
    :param start: begins to unpack a stream; ModuleNotFoundError where that takes a library that is missing
    """

    magics: tuple[bytes, ...]
    suffix: str
    tool: str
    start: Callable[[], _Stream]


#: Of zstd, frames to skip, too.
_SKIPPED = tuple(bytes((0x50 + number, 0x2A, 0x4D, 0x18)) for number in range(16))
PACKINGS = (
    Packing((b"\x1f\x8b\x08",), ".gz", "gzip -dc", _gzip),
    Packing((b"\xfd7zXZ\0",), ".xz", "xz -dc", _xz),
    Packing(tuple(b"BZh%d" % size for size in range(1, 10)), ".bz2", "bzip2 -dc", _bzip2),
    Packing((b"\x28\xb5\x2f\xfd", *_SKIPPED), ".zst", "zstd -dc", _zstd),
)
_MAGIC_MAX = max(len(magic) for packing in PACKINGS for magic in packing.magics)


def packing_of(head: bytes) -> Packing | None:
    """Tell by its first bytes how a file is packed."""
    return next((packing for packing in PACKINGS if head.startswith(packing.magics)), None)


def without_suffix(name: str) -> str:
    """Give the name that a file had before it was packed."""
    return next((name.removesuffix(one.suffix) for one in PACKINGS if name.endswith(one.suffix)), name)


class Unpacked:
    """What is packed in a file or a pipe, a ``reports.TraceFile``: its offsets are those of what comes out.

    :param source: from where it stands on; one that can seek can be read again
    :param head: what was already read of it
    :param name: of the source, for messages
    :raises XentoolError: a library is missing, or, while it is read, that takes too much memory
    """

    def __init__(self, source: Packed, packing: Packing, name: str, head: bytes = b"") -> None:
        self._source, self._packing, self._label = source, packing, name
        self._start = 0 if head or not self.seekable() else cast("BufferedReader", source).tell()
        self._begin(head)

    def _begin(self, head: bytes) -> None:
        # What was read of the source and how much of it is used; what came out and was not asked for yet.
        self._packed, self._used = head, 0
        self._made = memoryview(b"")
        self._came = 0
        self._streams = 0
        self._over = False
        self._damage: Diagnostic | None = None
        self._stream = self._another()

    @property
    def damage(self) -> Diagnostic | None:
        """What was wrong with what was read so far; where a pipe was left early, nothing was."""
        return None if getattr(self._source, "interrupted", False) else self._damage

    @property
    def packed(self) -> int:
        """How many packed bytes were read."""
        return cast("BufferedReader", self._source).tell() - self._start

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer and say with how many bytes: less than it takes only at the end."""
        return self._fill(buffer, patient=True)

    def read(self, size: int, /) -> bytes:
        """Give ``size`` bytes, and of a pipe what has come; none at the end."""
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[: self._fill(memoryview(buffer), patient=self.seekable())])

    def peek(self) -> bytes:
        """Give the first of what comes next and leave it there."""
        while not self._made and not self._over:
            self._go_on()
        return bytes(self._made[:HEAD])

    def seekable(self) -> bool:
        """Say whether it can be read again."""
        return hasattr(self._source, "seek")

    def tell(self) -> int:
        """Say how many bytes were taken."""
        return self._came - len(self._made)

    def seek(self, offset: int, /) -> int:
        """Go back to the beginning, and to nowhere else."""
        if offset:
            raise ValueError("what is packed is read from its beginning")
        cast("BufferedReader", self._source).seek(self._start)
        self._begin(b"")
        return 0

    def fileno(self) -> int:
        """Give the packed file's descriptor."""
        return cast("BufferedReader", self._source).fileno()

    def _fill(self, buffer: memoryview, *, patient: bool) -> int:
        filled = 0
        while filled < len(buffer):
            if self._made:
                piece = self._made[: len(buffer) - filled]
                buffer[filled : filled + len(piece)] = piece
                filled += len(piece)
                self._made = self._made[len(piece) :]
            elif self._over or (filled and not patient and self._is_dry()):
                break
            else:
                self._go_on()
        return filled

    def _is_dry(self) -> bool:
        # Nothing more comes out before something comes in.
        return len(self._packed) - self._used < (_MAGIC_MAX if self._stream.eof else 1) and self._stream.needs_input

    def _go_on(self) -> None:
        # By a turn, after all has been taken that came of the last one.
        if self._stream.eof:
            self._follow()
        else:
            made = self._turn()
            self._came += len(made)
            self._made = memoryview(made)

    def _turn(self) -> bytes:
        data = self._take(_TURN) if self._stream.needs_input else b""
        try:
            made = self._stream.decompress(data, _MADE)
        except Exception as error:
            # Each library has its own.
            if "emory" in str(error):
                raise XentoolError(
                    f"{self._label} takes more than {_MEMORY >> 20} MiB to unpack: unpack it first, by "
                    f"{self._packing.tool}"
                ) from error
            self._end("compressed_data_corrupt")
            return b""
        if not data and not made and not self._stream.eof and self._stream.needs_input:
            self._end("compressed_data_cut")
        return made

    def _follow(self) -> None:
        # A stream is over. Others may follow, and zeros in between, which tapes and disks want.
        self._used -= len(self._stream.unused_data)
        while head := self._ahead():
            if head.startswith(self._packing.magics):
                if self._streams > _STREAMS + self._came // _STREAM_BYTES:
                    self._end("too_many_streams")
                else:
                    self._stream = self._another()
                return
            zeros = len(head) - len(head.lstrip(b"\0"))
            if not zeros:
                cut = any(magic.startswith(head) for magic in self._packing.magics)
                self._end("compressed_data_cut" if cut else "compressed_data_corrupt")
                return
            self._used += zeros
        self._over = True

    def _another(self) -> _Stream:
        self._streams += 1
        try:
            return self._packing.start()
        except ModuleNotFoundError as error:
            from xentool import extras  # noqa: PLC0415 - most captures need none

            how = extras.command(str(error.name))
            raise XentoolError(
                f"{self._label} is compressed, and to read it takes {error.name}: {how}, or "
                f"{self._packing.tool} {self._label} | xentool ... -"
            ) from error

    def _end(self, code: str) -> None:
        self._over = True
        self._damage = Diagnostic(code, SEVERITIES[code], 1, self._came)

    def _take(self, most: int) -> bytes:
        if self._used >= len(self._packed):
            self._packed, self._used = self._source.read(_READ), 0
        piece = self._packed[self._used : self._used + most]
        self._used += len(piece)
        return piece

    def _ahead(self) -> bytes:
        # The next packed bytes, as many as a magic has, and more of zeros.
        while len(self._packed) - self._used < _MAGIC_MAX and (more := self._source.read(_READ)):
            self._packed, self._used = self._packed[self._used :] + more, 0
        return self._packed[self._used : self._used + _READ]


class Led:
    """A pipe of which the first bytes were read."""

    def __init__(self, head: bytes, source: "Piped") -> None:
        """Put them before it again."""
        self._head, self._source = head, source

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer and say with how many bytes: less than it takes only at the end."""
        head = self._head[: len(buffer)]
        buffer[: len(head)] = head
        self._head = self._head[len(head) :]
        return len(head) + self._source.readinto(buffer[len(head) :])

    def peek(self) -> bytes:
        """Give the first of what comes next and leave it there."""
        return self._head

    def read(self, size: int, /) -> bytes:
        """Give what has come, at most ``size`` bytes; none at the end."""
        if not self._head:
            return self._source.read(size)
        head, self._head = self._head[:size], self._head[size:]
        return head


def file(source: "BufferedReader", name: str) -> "BufferedReader | Unpacked":
    """Give what a file holds from where it stands on, unpacked if need be.

    :param name: of the file, for messages
    :raises PeerError: it is known to be something else than a trace; the message tells what, and what to do
    :raises XentoolError: it cannot be read, or unpacked here
    """
    try:
        head = source.peek(HEAD)[:HEAD]
    except OSError as error:
        raise XentoolError(f"cannot read {name}: {error.strerror}") from error
    filekinds.check(head, name)
    packing = packing_of(head)
    return source if packing is None else _checked(Unpacked(source, packing, name), name)


def pipe(source: "Piped", name: str) -> "Led | Unpacked":
    """Do the same with a pipe, of which nothing was read yet."""
    head = b""
    while len(head) < _MAGIC_MAX and (more := source.read(HEAD)):
        head += more
    filekinds.check(head, name)
    packing = packing_of(head)
    return Led(head, source) if packing is None else _checked(Unpacked(source, packing, name, head), name)


def _checked(source: Unpacked, name: str) -> Unpacked:
    inner = source.peek()
    filekinds.check(inner, name)
    if packing_of(inner):
        raise PeerError(f"{name} is compressed twice: unpack it once")
    return source


def blame(source: object) -> str | None:
    """Say why nothing came out of ``source``; None if how it was packed is not why."""
    damage = source.damage if isinstance(source, Unpacked) else None
    if damage is None:
        return None
    how = "cut" if damage.code == "compressed_data_cut" else "corrupt"
    return f"holds no xentrace record: its compressed data is {how} at byte {damage.first_offset} of what it unpacks to"


def told(report: "Report", source: object) -> "Report":
    """Add to a report on what came out of ``source`` what was wrong with how it was packed."""
    damage = getattr(source, "damage", None)
    if damage is None:
        return report
    return replace(report, account=replace(report.account, diagnostics=[*report.account.diagnostics, damage]))
