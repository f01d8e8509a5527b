"""Loopbacks of this machine by name: where their sockets are, and who has their devices."""

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import Struct
from zlib import crc32

from pvdrivers.private import distrusted
from xentool import runtime
from xentool.errors import XentoolError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
#: What its disks' frontends are, unless one says otherwise; backends are domain 0.
GUEST = 1
# struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid.
_FLOCK = Struct("hhqqi4x")


def directory(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give where a loopback is; a name with a slash is that place itself.

    :raises XentoolError: it is no name, or others have been where it would be
    """
    if "/" in name:
        return Path(name)
    if not _NAME.fullmatch(name):
        raise XentoolError(f"{name!r} is no name for a loopback: letters, digits, '_', '.' and '-', 40 at most")
    return _base(environ) / "loopback" / name


def made(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give where a loopback is to be, a folder that is there by then and this user's alone to write to.

    :raises XentoolError: as `directory`, or it cannot be
    """
    place = directory(name, environ)
    try:
        for each in (*reversed(place.parents), place):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
        reason = distrusted(place)
    except OSError as error:
        raise XentoolError(f"cannot make {place}: {error.strerror}") from error
    if reason:
        raise XentoolError(f"no loopback can be there: {reason}")
    # Somebody may have been faster with the first of those folders.
    return directory(name, environ)


@contextmanager
def hosted(name: str, environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Have the place where a loopback is to be, as `made` does; one that has a name is gone when nothing is left in it.

    :raises XentoolError: as `made`
    """
    place = made(name, environ)
    try:
        yield place
    finally:
        # One that a path names may be its user's own.
        if "/" not in name:
            with suppress(OSError):
                place.rmdir()


@contextmanager
def joining(place: Path, here: str) -> Iterator[None]:
    """Have a device for one frontend alone, as long as the context lasts or its process does.

    XenStore tells nobody whether a frontend that is connected there is alive: a second one would take the device from
    the first, which then waits for answers that the second one gets.

    :param place: where its loopback is, which runs
    :param here: the frontend's directory in XenStore
    :raises XentoolError: another has it, or the loopback has ended
    """
    try:
        # The machine's own claim is another kind of lock. One byte a device: nothing is left of it, however it ends.
        file = os.open(place / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise XentoolError(f"no loopback in {place}: {error.strerror}") from error
    try:
        lock = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, crc32(os.fsencode(here)), 1, 0)
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
        except (BlockingIOError, PermissionError) as error:
            raise XentoolError(f"another program uses {here} of the loopback in {place}") from error
        yield
    finally:
        os.close(file)


def _base(environ: Mapping[str, str]) -> Path:
    base = next(runtime.folders(environ))
    with suppress(FileNotFoundError):
        if reason := distrusted(base):
            raise XentoolError(f"loopbacks have no place: {reason}; $XDG_RUNTIME_DIR can name another")
    return base
