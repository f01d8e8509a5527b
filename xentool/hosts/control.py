"""Where the sockets of shared connections are. Who opens one is root in dom0: nobody else may reach or plant them."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from xentool import runtime

# sun_path holds 108 bytes; ssh appends a suffix of 17 to the name while it creates the socket, and names here have 40.
LONGEST_DIRECTORY = 50
#: How long a connection stays when nothing uses it; 0: each command has its own.
PERSIST = 300
_FORWARD = re.compile(r"[0-9a-f]{16}\.(\d+)\.\d+")


def persistence(environ: Mapping[str, str] = os.environ) -> int:
    """Give the seconds for which a connection outlives its last command: $XENTOOL_SSH_PERSIST, or `PERSIST`."""
    told = environ.get("XENTOOL_SSH_PERSIST", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 7 else PERSIST


def directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give this user's own folder for sockets, made if need be; None where there is no safe one."""
    for path in runtime.folders(environ):
        if len(os.fsencode(path)) <= LONGEST_DIRECTORY:
            with contextlib.suppress(OSError):
                path.mkdir(0o700, exist_ok=True)
                if _private(path):
                    own = path / "ssh"
                    own.mkdir(0o700, exist_ok=True)
                    if _private(own):
                        return own
    return None


def _private(path: Path) -> bool:
    # In /tmp anybody may have made it before, or a link in its place.
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def name(destination: str, options: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """Name the connection that these words make, by which ssh and which user's settings."""
    words = (destination, *options, shutil.which("ssh") or "", environ.get("HOME", ""))
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:16]


@contextlib.contextmanager
def alone(socket: Path) -> Iterator[None]:
    """Keep other processes from making the same connection: an ssh that finds the socket taken would share nothing."""
    descriptor = os.open(f"{socket}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left: sockets that led to dom0's."""
    for path in folder.iterdir():
        if (match := _FORWARD.fullmatch(path.name)) and not Path("/proc", match[1]).exists():
            path.unlink(missing_ok=True)
