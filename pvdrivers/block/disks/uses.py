"""Who uses an image: one writer, unless more are asked for, and any number of readers.

Locks are of the open file, on bytes that stand for what a user does and for what it wants nobody else to do, as QEMU
has them: so they keep ours, QEMU and qemu-nbd from one another. They end with the process.

Ref: qemu block/file-posix.c, raw_apply_lock_bytes() and raw_check_lock_bytes(); fcntl(2), F_OFD_SETLK
"""

import fcntl
import os
import stat
from contextlib import suppress
from errno import EBUSY
from pathlib import Path
from struct import Struct

from pvdrivers.block.errors import InUse, NoDisk

# struct flock, on 64 bits
_FLOCK = Struct("hhqqi4x")
# Permissions of QEMU: to read what is consistent, to write, to make it another size.
_READ, _WRITE, _RESIZE = 0, 1, 3
_DOES, _REFUSES = 100, 200
# Ours alone, for images that qemu-nbd opens for us, when a guest is there.
_SERVED, _SERVED_READ = 300, 301


class Use:
    """The use of an image, until `close`.

    :param path: a file or block device; anything else is no matter of this
    :param shared: whatever others do with it; they may refuse later on
    :param qemu: whether it is qemu-nbd that opens it, with locks of its own
    :raises InUse: others use it in a way that does not go with this
    :raises NoDisk: it cannot be opened
    """

    def __init__(self, path: Path, *, readonly: bool = False, shared: bool = False, qemu: bool = False) -> None:
        try:
            self._file = os.open(path, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise NoDisk(f"cannot open {path}: {error.strerror}") from error
        try:
            if stat.S_ISBLK(os.fstat(self._file).st_mode) and not (readonly or shared or qemu):
                self._claim(path)
            self._look(path, readonly=readonly, shared=shared, qemu=qemu)
        except BaseException:
            self.close()
            raise

    def _look(self, path: Path, *, readonly: bool, shared: bool, qemu: bool) -> None:
        does, refuses, against = [_DOES + _READ], [], [_REFUSES + _READ]
        if not readonly:
            does += [_DOES + _WRITE]
            refuses += [_REFUSES + _WRITE, _REFUSES + _RESIZE]
            against += [_DOES + _WRITE, _DOES + _RESIZE, _REFUSES + _WRITE]
        if qemu:
            # It has more to say itself, once it opens the image.
            does, refuses = [_SERVED_READ if readonly else _SERVED], []
            against += [_SERVED] if readonly else [_SERVED, _SERVED_READ]
        elif not readonly:
            against += [_SERVED, _SERVED_READ]
        if shared:
            refuses, against = [], []
        # File systems without locks say EINVAL, ENOLCK or EOPNOTSUPP.
        with suppress(OSError):
            for byte in (*does, *refuses):
                fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, byte, 1, 0))
            if any(self._taken(byte) for byte in against):
                raise InUse(f"{path} is in use already, here or by another program")

    def _taken(self, byte: int) -> bool:
        # Our own shared lock is not in its way.
        answer = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    def _claim(self, path: Path) -> None:
        # As mounting it does, by whatever name; but not kept: while somebody holds a device for himself, Linux refuses
        # discards by every other descriptor of it, and so the disk's own (block/bdev.c, truncate_bdev_range).
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
        except OSError as error:
            if error.errno != EBUSY:
                raise NoDisk(f"cannot open {path}: {error.strerror}") from error
            raise InUse(f"{path} is mounted, or in use by another program") from error

    def close(self) -> None:
        """End it."""
        os.close(self._file)
