"""A store's nodes in a file, so that what was acknowledged outlives the server: a log of changes, replayed at start.

A record holds the changes of one request, or of one committed transaction, and counts as a whole or not at all. It is
written before the reply is; it is not synced, so that it survives the server's death and not the machine's.

    file    = MAGIC record*
    record  = u32 size, u32 crc32 of what follows, change*
    change  = u16 length of path, u16 entries of permissions (``GONE``: the node was removed, and nothing follows),
              u32 length of value, u32 length of children, path, permissions, value, children
    permission = u32 access, u32 domid

All little-endian. What is cut off or damaged at the end was never acknowledged, and is dropped.
"""

import fcntl
import os
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pvdrivers.xenstore.perms import Perm
from pvdrivers.xenstore.tree import Node, Tree, walk

MAGIC = b"xentool store 1\n"
GONE = 0xFFFF

_RECORD = struct.Struct("<II")
_CHANGE = struct.Struct("<HHII")
_PERM = struct.Struct("<II")
#: Bytes of a record that no request comes near: a larger size is damage.
_RECORD_MAX = 1 << 30
#: The log is written anew once it is so much larger than when that was done last.
_GROWTH = 4
_GROWTH_MIN = 1 << 20


class JournalError(Exception):
    """The file cannot be used any more, or is none of ours; the message is one line."""


class Journal:
    """The log of one tree.

    :param path: created when it is not there
    :raises JournalError: another server has it, it is something else, or it cannot be written
    :ivar tree: the nodes
    :ivar dropped: bytes at the file's end that were no whole record
    """

    def __init__(self, path: Path) -> None:
        # Where a link leads, for the file is replaced.
        self._path = path.resolve()
        self._changes: list[bytes] = []
        self._failed: JournalError | None = None
        self.tree = Tree(self._note)
        try:
            self._file = _locked(self._path)
        except OSError as error:
            raise self._broken(error) from error
        try:
            self.dropped = self._load()
            self._rewrite()
        except BaseException:
            self.close()
            raise

    def _note(self, path: bytes, node: Node | None) -> None:
        self._changes.append(_change(path, node))

    def commit(self) -> None:
        """Keep the changes since the last time, as one record.

        :raises JournalError: they could not be written, or earlier ones could not: what follows would not fit
        """
        if self._failed:
            raise self._failed
        if not self._changes:
            return
        record = _record(self._changes)
        self._changes.clear()
        try:
            written = 0
            while written < len(record):
                written += os.write(self._file, record[written:])
        except OSError as error:
            self._failed = self._broken(error)
            raise self._failed from error
        self._size += len(record)
        if self._size > self._compact * _GROWTH + _GROWTH_MIN:
            self._rewrite()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _load(self) -> int:
        """Fill the tree, and give the number of bytes at the end that were no whole record."""
        try:
            status = os.fstat(self._file)
            if not stat.S_ISREG(status.st_mode):
                # As root one would replace /dev/null for all.
                raise JournalError(f"{self._path} is no regular file")
            data = os.pread(self._file, status.st_size, 0)
        except OSError as error:
            raise self._broken(error) from error
        if not data:
            return 0
        if not data.startswith(MAGIC):
            raise JournalError(f"{self._path} is no state of a store")
        end = len(MAGIC)
        try:
            for end, changes in _records(data):  # noqa: B007 - the last one counts
                for path, node in changes:
                    if node is not None:
                        self.tree.put(path, node.perms, node.value, node.children)
                    elif path in self.tree.nodes:
                        self.tree.drop(path)
        except (struct.error, IndexError) as error:
            raise JournalError(f"{self._path} is damaged: a record holds what no store has written") from error
        self._changes.clear()
        return len(data) - end

    def _rewrite(self) -> None:
        # In another file that takes the name of this one: whenever the server dies, one of them is whole.
        part = self._path.with_name(self._path.name + ".part")
        try:
            part.unlink(missing_ok=True)
            new = _locked(part)
            data = MAGIC + b"".join(_record([_change(path, node)]) for path, node in walk(self.tree))
            with os.fdopen(os.dup(new), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(new)
            part.replace(self._path)
        except OSError as error:
            raise self._broken(error) from error
        os.close(self._file)
        self._file = new
        self._size = self._compact = len(data)

    def _broken(self, error: OSError) -> JournalError:
        if isinstance(error, BlockingIOError):
            return JournalError(f"another server keeps its state in {self._path}")
        return JournalError(f"cannot keep the state in {self._path}: {error.strerror}")


def _locked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
                return file
        except OSError:
            os.close(file)
            raise
        os.close(file)  # renamed over between the two


def _change(path: bytes, node: Node | None) -> bytes:
    if node is None:
        return _CHANGE.pack(len(path), GONE, 0, 0) + path
    head = _CHANGE.pack(len(path), len(node.perms), len(node.value), len(node.children))
    perms = b"".join(_PERM.pack(perm.access, perm.domid) for perm in node.perms)
    return head + path + perms + node.value + node.children


def _record(changes: Iterable[bytes]) -> bytes:
    body = b"".join(changes)
    return _RECORD.pack(len(body), zlib.crc32(body)) + body


def _records(data: bytes) -> Iterator[tuple[int, list[tuple[bytes, Node | None]]]]:
    """Give the changes of each whole record, with where it ends."""
    at = len(MAGIC)
    while at + _RECORD.size <= len(data):
        size, checksum = _RECORD.unpack_from(data, at)
        body = data[at + _RECORD.size : at + _RECORD.size + min(size, _RECORD_MAX)]
        if len(body) < size or zlib.crc32(body) != checksum:
            return
        at += _RECORD.size + size
        yield at, list(_changes(body))


def _changes(body: bytes) -> Iterator[tuple[bytes, Node | None]]:
    at = 0
    while at < len(body):
        path_size, entries, value_size, children_size = _CHANGE.unpack_from(body, at)
        at += _CHANGE.size
        path = body[at : at + path_size]
        at += path_size
        if entries == GONE:
            yield path, None
            continue
        perms = tuple(Perm(*_PERM.unpack_from(body, at + entry * _PERM.size)) for entry in range(entries))
        at += entries * _PERM.size
        value = body[at : at + value_size]
        children = body[at + value_size : at + value_size + children_size]
        at += value_size + children_size
        yield path, Node(0, perms, value, children)
