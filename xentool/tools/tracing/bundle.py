"""A bundle: a trace and what its host said, in one file to mail, which all that reads traces reads.

It is a ZIP archive, so that anybody can look into it; its members' names are these, and each is there once at most.

Law: anybody may have made it. Its directory is measured before it is read; nothing is unpacked to a name that it tells;
what comes out is counted, and no size in it is believed.

Ref: PKWARE's APPNOTE 6.3.10, 4.3.7, 4.3.14 to 4.3.16
"""

import os
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from traces.account import SEVERITIES, Diagnostic
from xentool.errors import PeerError, XentoolError

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

    from xentool.tools.tracing.spool import Spooled

#: The trace, which stands first, and what is beside it; all else is for people.
TRACE, SIDECAR = "trace.xentrace", "trace.xentrace.meta.json"
#: As the first member begins, up to its name.
_BEGIN, _NAME_AT = b"PK\x03\x04", 30
#: The end of a directory: entries, bytes; and of one of 64 bits, which stands before a pointer to itself.
_END, _POINTER, _END_64 = struct.Struct("<4s6xHL4xH"), 20, struct.Struct("<4s28xQQ8x")
#: No bundle has more entries, nor longer ones.
_ENTRIES, _DIRECTORY = 16, 1 << 14
_ENCRYPTED = 1
#: Bytes that are packed at once.
_PIECE = 1 << 20


def is_bundle(file: BufferedReader) -> bool:
    """Tell whether a file that stands at its beginning is a bundle."""
    head = file.peek(_NAME_AT + len(TRACE))
    return head.startswith(_BEGIN) and head.startswith(TRACE.encode(), _NAME_AT)


@contextmanager
def unpacked(file: BufferedReader, name: str) -> "Iterator[Spooled]":
    """Give a bundle's trace as a file of its own, without a name.

    :param name: of the bundle, for messages
    :raises PeerError: it is none that can be read
    :raises XentoolError: there is no room for what is in it
    """
    from xentool.tools.tracing.spool import spooled  # noqa: PLC0415 - most traces are in no bundle

    archive = _archive(file, name)
    with spooled(_Member(archive, _only(archive, TRACE, name)), name) as found:
        yield found


def sidecar(capture: Path, most: int) -> bytes | None:
    """Give what a bundle's host said; None where ``capture`` is no bundle, or has nothing of the kind.

    :param most: bytes that it may have
    :raises PeerError: it is none that can be read, or says more
    :raises XentoolError: it can't be read
    """
    try:
        # To open a pipe would take from it, or wait for ever.
        if not stat.S_ISREG(capture.stat().st_mode):
            return None
        with capture.open("rb") as file:
            if not is_bundle(file):
                return None
            archive = _archive(file, str(capture))
            if SIDECAR not in archive.namelist():
                return None
            member = _Member(archive, _only(archive, SIDECAR, str(capture)))
            data = member.read(most + 1)
    except FileNotFoundError:
        return None  # who opens the trace says so
    except OSError as error:
        raise XentoolError(f"cannot read {capture}: {error.strerror}") from error
    if len(data) > most or member.damage:
        why = "is damaged" if member.damage else f"has more than {most >> 20} MiB"
        raise PeerError(f"{SIDECAR} in {capture} {why}; no host says so much")
    return data


def write(target: BinaryIO, trace: IO[bytes], texts: Mapping[str, bytes]) -> None:
    """Make a bundle.

    :param trace: is read from its beginning to its end
    :param texts: the other members by their names, in order
    """
    from zipfile import ZIP_DEFLATED, ZipFile  # noqa: PLC0415 - see above

    trace.seek(0)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        with archive.open(TRACE, "w", force_zip64=True) as member:
            while piece := trace.read(_PIECE):
                member.write(piece)
        for name, text in texts.items():
            archive.writestr(name, text)


class _Member:
    """A member while it is unpacked: ``damage`` is what was wrong with it, which ends it."""

    def __init__(self, archive: "ZipFile", info: "ZipInfo") -> None:
        from zipfile import BadZipFile  # noqa: PLC0415 - see above
        from zlib import error  # noqa: PLC0415 - see above

        # Encryption, and what zipfile does not know, are RuntimeErrors.
        self._wrong = (BadZipFile, error, EOFError, ValueError, RuntimeError, struct.error)
        self.damage: Diagnostic | None = None
        self._came = 0
        try:
            self._file: IO[bytes] | None = archive.open(info)
        except self._wrong:
            self._file = None
            self._end()

    def read(self, size: int, /) -> bytes:
        """Give ``size`` bytes, fewer at the end, none behind it."""
        if self._file is None:
            return b""
        try:
            data = self._file.read(size)
        except self._wrong:
            self._file = None
            self._end()
            return b""
        self._came += len(data)
        return data

    def _end(self) -> None:
        code = "compressed_data_corrupt"
        self.damage = Diagnostic(code, SEVERITIES[code], 1, self._came)


def _archive(file: BinaryIO, name: str) -> "ZipFile":
    # zipfile reads a directory whole, as large as that says it is.
    from zipfile import BadZipFile, ZipFile  # noqa: PLC0415 - see above

    size = file.seek(0, os.SEEK_END)
    room = _END_64.size + _POINTER + _END.size
    file.seek(max(0, size - room))
    tail = file.read(room).rjust(room, b"\0")
    magic, entries, length, comment = _END.unpack(tail[-_END.size :])
    if magic != b"PK\x05\x06" or comment:
        raise PeerError(f"{name} is a bundle that was cut, or changed: its end is missing")
    if tail[-_END.size - _POINTER :].startswith(b"PK\x06\x07"):
        magic, entries, length = _END_64.unpack(tail[: _END_64.size])
        if magic != b"PK\x06\x06":
            raise PeerError(f"{name} is no bundle that can be read: its end is not where it says")
    if entries > _ENTRIES or length > min(_DIRECTORY, size):
        raise PeerError(f"{name} is no bundle: those have at most {_ENTRIES} members")
    try:
        return ZipFile(file)
    except (BadZipFile, ValueError, OverflowError, struct.error) as error:
        raise PeerError(f"{name} is no bundle that can be read: {error}") from error


def _only(archive: "ZipFile", member: str, name: str) -> "ZipInfo":
    from zipfile import ZIP_DEFLATED, ZIP_STORED  # noqa: PLC0415 - see above

    found = [one for one in archive.infolist() if one.filename == member]
    if len(found) != 1:
        raise PeerError(f"{name} is no bundle: it has {len(found)} members called {member}, not one")
    if found[0].compress_type not in (ZIP_STORED, ZIP_DEFLATED) or found[0].flag_bits & _ENCRYPTED:
        raise PeerError(f"{name} is no bundle that can be read: {member} is encrypted, or packed in another way")
    if not 0 <= found[0].header_offset < archive.start_dir:
        raise PeerError(f"{name} is no bundle that can be read: {member} is not where it says")
    return found[0]
