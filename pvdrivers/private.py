"""Places that nobody else has prepared: folders of this user alone, and claims that one process at a time has.

What lies in /tmp under a name that others can guess may be theirs: it is looked at, and never believed because it is
there.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path


def distrusted(directory: Path) -> str | None:
    """Tell why a folder is not this user's alone to write to; None if it is.

    :raises OSError: there is no such folder
    """
    # By the kernel, which follows no stranger's link in /tmp.
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(folder)
    finally:
        os.close(folder)
    if status.st_uid != os.geteuid():
        return f"{directory} belongs to another user ({status.st_uid})"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write to {directory} (mode {stat.S_IMODE(status.st_mode):o}; chmod 700 ends that)"
    return None


class Claim:
    """A place that this process has until it ends, or `release`: by a file there, which is locked.

    :raises BlockingIOError: another process has it
    :raises OSError: the file cannot be made
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        while True:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(path.lstat(), os.fstat(self._file)):
                    return
            except FileNotFoundError:
                pass
            except OSError:
                os.close(self._file)
                raise
            # Who had it has removed it between the two.
            os.close(self._file)

    def release(self) -> None:
        """Let another process have it; the file goes."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._file)
