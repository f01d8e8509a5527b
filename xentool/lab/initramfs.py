"""The start-up archives of dom0 and of the guests: busybox, kernel modules and a script."""

import gzip
from pathlib import Path

from xentool.lab import cpio, releases

_FOLDERS = ("bin", "proc", "sys", "dev", "modules", "root", "sbin")
# The kernel runs this when the toolstack asks for a shutdown; process 1 is a shell that no signal would end.
_POWEROFF = b"#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n"


def make(image: Path, name: str, init: str, more: str | None = None) -> bytes:
    """Make an archive.

    :param image: an image's folder
    :param name: ``root`` or ``guest``, whose modules go in
    :param init: the file of `data` that runs as process 1
    :param more: whose modules are to be at hand besides, in ``more/``: a file system, for those who need one
    """
    modules = image / "modules" / name
    entries = [
        *(cpio.directory(folder) for folder in _FOLDERS),
        cpio.file("bin/busybox", (image / "busybox").read_bytes(), 0o755),
        cpio.file("sbin/poweroff", _POWEROFF, 0o755),
        cpio.file("init", releases.data(init), 0o755),
        *(cpio.file(f"modules/{path.name}", path.read_bytes()) for path in sorted(modules.iterdir())),
    ]
    if more:
        files = sorted((image / "modules" / more).iterdir())
        entries += [cpio.directory("more"), *(cpio.file(f"more/{path.name}", path.read_bytes()) for path in files)]
    # Fast rather than small: it is made at each start, and read from memory.
    return gzip.compress(cpio.pack(entries), compresslevel=1, mtime=0)
