"""Files that appear when they are complete, and of which nothing is left where they don't get so far.

Law: what is unfinished has no name in its target's folder, nor below it. Programs read whole folders of tables, and
what lies there is data to one and an error to the next, whatever it is called. So it has no name at all until it is
complete: what a kill -9 leaves, the kernel takes away. What others are to read meanwhile is another matter (`growing`).

Ref: open(2) O_TMPFILE, linkat(2)
"""

import errno
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from xentool.errors import XentoolError

#: What open(2) says of O_TMPFILE where the file system has no such thing; EISDIR comes from kernels before 3.11.
_NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS}
#: Where this process finds its own open files.
_OWN_FILES = Path("/proc/self/fd")
#: What writing fails with for want of room.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replaced(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Give a file to write that becomes ``path`` when all of it was written; a device or a pipe is written to.

    What a link points at is replaced, not the link, and keeps its mode and owner as far as one may.

    :param private: readable for its owner only
    :raises XentoolError: it can't be written
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        status = None
    except OSError as error:
        raise _refused(path, error) from error
    if status is not None and not stat.S_ISREG(status.st_mode):
        with _full(path), _opened(path) as file:
            yield file
        return
    with _full(path), _unfinished(path) as (file, place):
        yield file
        file.flush()
        try:
            _own(file.fileno(), status, private=private)
            place()
        except OSError as error:
            raise _refused(path, error) from error


@contextmanager
def growing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write, readable for its owner alone, that others may read while it grows: a capture, say.

    A pipe or a device is written to. No link is followed that somebody else may have left in /tmp.

    :raises XentoolError: it can't be opened, or has no room left
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "wb")
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise _refused(path, error) from error
    with _full(path), file:
        yield file


@contextmanager
def unplaced(folder: Path, aside: Path) -> Iterator[tuple[BinaryIO, Callable[[Path], None]]]:
    """Give a file to write, and what gives it its name somewhere below ``folder``, in a folder that exists.

    Of two that are given one name, one stays.

    :param aside: a folder on the same file system, which is made where files cannot be without a name; nobody reads it
    :raises OSError: it can't be written
    """
    descriptor = _nameless(folder)
    if descriptor is not None:
        with os.fdopen(descriptor, "wb") as file:
            yield file, lambda target: _placed(file, lambda: _link(file.fileno(), target))
        return
    aside.mkdir(exist_ok=True)
    name = aside / os.urandom(8).hex()
    try:
        with name.open("xb") as file:
            yield file, lambda target: _placed(file, lambda: _move(name, target))
    finally:
        name.unlink(missing_ok=True)


def _placed(file: BinaryIO, link: Callable[[], None]) -> None:
    file.flush()
    # Else the name may be on disk, after a crash, and what it names not.
    os.fsync(file.fileno())
    with suppress(FileExistsError):
        link()


@contextmanager
def _full(path: Path) -> Iterator[None]:
    # Name the file that there is no room for. Around its closing as well: what could not be written is tried once more.
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            raise _refused(path, error) from error
        raise


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP, too, end what is within by way of what cleans up; the exit code is a shell's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    # Who has said what becomes of a signal, or started us with nohup, has a reason.
    ours = [number for number, handler in before.items() if handler == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let what would end this program wait until the context has ended: what is made within can be given back then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if (handler := signal.getsignal(number)) not in (None, signal.SIG_IGN):
                before[number] = handler
                signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in came:
            signal.raise_signal(each)


@contextmanager
def temporary(prefix: str) -> Iterator[Path]:
    """Have a folder that is gone at the end, even if a signal that raises comes while it is made or removed."""
    import tempfile  # noqa: PLC0415 - takes some time, and is seldom needed

    with ExitStack() as stack:
        with undisturbed():
            made = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
            folder = stack.enter_context(made)
        try:
            yield Path(folder)
        finally:
            with undisturbed():
                stack.close()


def _refused(path: Path, error: Exception) -> XentoolError:
    return XentoolError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise _refused(path, error) from error


@contextmanager
def _unfinished(path: Path) -> Iterator[tuple[BinaryIO, Callable[[], None]]]:
    # A file, and what gives it its name.
    try:
        target = path.resolve()
        descriptor = _nameless(target.parent)
    except (OSError, RuntimeError) as error:
        raise _refused(path, error) from error
    if descriptor is not None:
        with os.fdopen(descriptor, "wb") as file:
            yield file, lambda: _name(file.fileno(), target)
        return
    with next(_asides(target)) as aside:
        try:
            file = aside.open("xb")
        except OSError as error:
            raise _refused(path, error) from error
        with file:
            yield file, lambda: _move(aside, target)


def _nameless(folder: Path) -> int | None:
    # A file without a name; None where there is no such thing.
    if not _OWN_FILES.is_dir():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in _NO_NAMELESS and folder.is_dir():
            return None
        raise


def _name(descriptor: int, target: Path) -> None:
    try:
        _link(descriptor, target)
        return
    except FileExistsError:
        pass
    # A link replaces nothing, so it needs another name first.
    for place in _asides(target):
        with place as aside, suppress(OSError):
            _link(descriptor, aside)
            aside.replace(target)
            return
    raise FileExistsError(errno.EEXIST, "it exists and cannot be replaced")


def _link(descriptor: int, name: Path) -> None:
    # Only where a folder is given does Python follow the link that /proc has.
    folder = os.open(name.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(_OWN_FILES / str(descriptor), name.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _asides(target: Path) -> Iterator[AbstractContextManager[Path]]:
    # Names on the target's file system that are not in its folder; at last one that is.
    import tempfile  # noqa: PLC0415 - takes some time, and is seldom needed

    folder = target.parent
    for other in (Path(tempfile.gettempdir()), *folder.parents):
        with suppress(OSError):
            if folder not in (other, *other.parents) and other.stat().st_dev == folder.stat().st_dev:
                yield _within(tempfile.TemporaryDirectory(prefix="xentool-", dir=other), target.name)
    yield _beside(target)


@contextmanager
def _within(folder: AbstractContextManager[str], name: str) -> Iterator[Path]:
    with folder as path:
        yield Path(path, name)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    name = target.with_name(f".{os.urandom(4).hex()}.{target.name}")
    try:
        yield name
    finally:
        name.unlink(missing_ok=True)


def _move(file: Path, target: Path) -> None:
    try:
        file.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # One file system, but mounted twice.
        import shutil  # noqa: PLC0415 - as above

        with _beside(target) as copy:
            shutil.copy(file, copy)
            copy.replace(target)


def _own(descriptor: int, status: os.stat_result | None, *, private: bool) -> None:
    # What stood there before says who may read it.
    if private:
        os.fchmod(descriptor, 0o600)
    elif status is not None:
        mode = stat.S_IMODE(status.st_mode)
        try:
            os.fchown(descriptor, -1, status.st_gid)
        except OSError:
            # Its group has not the same members.
            mode &= ~stat.S_IRWXG
        with suppress(OSError):
            os.fchown(descriptor, status.st_uid, -1)
        os.fchmod(descriptor, mode)
