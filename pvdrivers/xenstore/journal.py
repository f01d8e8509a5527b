"""A store's nodes in a file, so that what was acknowledged outlives the server: a log of changes, replayed at start.

A record (`records`) holds the changes of one request, or of one committed transaction, and counts as a whole or not at
all. It is written before the reply is; it is not synced, so that it survives the server's death and not the machine's.
What is cut off at the end was never acknowledged, unless others cut it off, and is dropped. What is damaged is read
past. With either, the file as it was is kept beside the new one.
"""

import fcntl
import os
import secrets
import stat
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from pvdrivers.xenstore.mend import mend
from pvdrivers.xenstore.records import MAGIC, MARK, Change, Piece, decode, encode, encode_change
from pvdrivers.xenstore.tree import Node, Tree, walk

#: Beside the file: what is to take its place.
PART = ".part"
#: The log is written anew once it is so much larger than when that was done last.
_GROWTH = 4
_GROWTH_MIN = 1 << 20


class JournalError(Exception):
    """The file cannot be used any more, or is none of ours; the message is one line."""


class Journal:
    """The log of one tree.

    :param path: created when it is not there
    :raises JournalError: another server has it, it is something else or somebody else's, all of it is damaged, or it
        cannot be written
    :ivar tree: the nodes
    :ivar torn: bytes at the file's end that are the beginning of a record
    :ivar damage: what was read past
    :ivar lost: nodes that were seen to be lost by that, or their values
    :ivar aside: where the file is as it was, if it was cut off or damaged
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changes: list[bytes] = []
        self._failed: JournalError | None = None
        self.tree = Tree(self._note)
        self._mark = b""
        self._size = self._compact = 0
        self.torn = self.lost = 0
        self.damage: list[Piece] = []
        self.aside: Path | None = None
        try:
            # By the kernel, which follows no stranger's link in /tmp.
            self._file = _locked(path)
            # Where a link leads, for the file is replaced.
            self._path = path.resolve()
        except OSError as error:
            raise self._broken(error) from error
        try:
            self._load()
            if self.damage or self.torn:
                self._keep_aside()
            self._rewrite()
        except BaseException:
            self.close()
            raise

    def _note(self, path: bytes, node: Node | None) -> None:
        self._changes.append(encode_change(path, node))

    def commit(self) -> None:
        """Keep the changes since the last time, as one record.

        :raises JournalError: they could not be written, or earlier ones could not: what follows would not fit
        """
        if self._failed:
            raise self._failed
        if not self._changes:
            return
        record = encode(self._mark, self._changes)
        self._changes.clear()
        try:
            _write(self._file, record)
        except OSError as error:
            self._failed = self._broken(error)
            raise self._failed from error
        self._size += len(record)
        if self._size > self._compact * _GROWTH + _GROWTH_MIN:
            # A disk that has no room for both has some for more of this one.
            with suppress(JournalError):
                self._compact = self._size
                self._rewrite()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _load(self) -> None:
        whole = False
        try:
            data = self._read()
            for piece in decode(data) if data else ():
                if piece.changes is not None:
                    whole = True
                    self._apply(piece.changes)
                elif piece.torn:
                    self.torn = piece.size
                else:
                    self.damage.append(piece)
        except OSError as error:
            raise self._broken(error) from error
        except MemoryError as error:
            raise JournalError(f"{self._path} is larger than this machine's memory") from error
        except ValueError as error:
            raise JournalError(f"{self._path} {error}") from error
        if self.damage:
            if not whole:
                raise JournalError(f"{self._path} is damaged: no record in it is whole")
            self.lost = mend(self.tree)
        self._changes.clear()

    def _read(self) -> bytes:
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode):
            # As root one would replace /dev/null for all.
            raise JournalError(f"{self._path} is no regular file")
        if status.st_uid not in (os.geteuid(), 0):
            raise JournalError(f"{self._path} belongs to another user ({status.st_uid}), who could write what is in it")
        with open(self._file, "rb", closefd=False) as file:
            return file.read()

    def _apply(self, changes: list[Change]) -> None:
        for path, node in changes:
            if node is not None:
                self.tree.put(path, node.perms, node.value, node.children)
            elif path in self.tree.nodes:
                self.tree.drop(path)

    def _keep_aside(self) -> None:
        # A second name for the file, which is about to lose its own.
        stem = f"{self._path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        for number in count(1):
            aside = self._path.with_name(f"{stem}-{number}" if number > 1 else stem)
            try:
                os.link(self._path, aside)
            except FileExistsError:
                continue
            except OSError as error:
                how = "damaged" if self.damage else "cut off"
                raise JournalError(
                    f"{self._path} is {how}, and cannot be kept beside a new one: {error.strerror}"
                ) from error
            self.aside = aside
            return

    def _rewrite(self) -> None:
        # In another file that takes the name of this one: whenever the server dies, one of them is whole.
        part = self._path.with_name(self._path.name + PART)
        mark = secrets.token_bytes(MARK)
        data = MAGIC + mark + b"".join(encode(mark, [encode_change(path, node)]) for path, node in walk(self.tree))
        try:
            part.unlink(missing_ok=True)
            new = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._broken(error) from error
        try:
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(new, data)
            os.fsync(new)
            part.replace(self._path)
        except OSError as error:
            os.close(new)
            with suppress(OSError):
                part.unlink()
            raise self._broken(error) from error
        os.close(self._file)
        self._file, self._mark = new, mark
        self._size = self._compact = len(data)

    def _broken(self, error: OSError) -> JournalError:
        if isinstance(error, BlockingIOError):
            return JournalError(f"another server keeps its state in {self._path}")
        return JournalError(f"cannot keep the state in {self._path}: {error.strerror}")


def _locked(path: Path) -> int:
    while True:
        # Of another kind of file, nobody is to be waited for.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file)):
                return file
        except OSError:
            os.close(file)
            raise
        os.close(file)  # renamed over between the two


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
