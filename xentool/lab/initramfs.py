"""The start-up archives of hosts and of guests: busybox, kernel modules and a script."""

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from xentool.lab import cpio, releases

_FOLDERS = ("bin", "proc", "sys", "dev", "root", "sbin")
# The kernel runs this when the toolstack asks for a shutdown; process 1 is a shell that no signal would end.
_POWEROFF = b"#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n"


def make(
    image: Path, name: str, init: str, others: Mapping[str, str] = MappingProxyType({}), programs: Iterable[str] = ()
) -> bytes:
    """Make an archive.

    :param image: an image's folder
    :param name: ``root`` or ``guest``, whose modules go in
    :param init: the file of `data` that runs as process 1
    :param others: folders with further modules, for those who need them; by name of the list that they are of
    :param programs: scripts of `data`, to be at hand by their names without the ending
    """
    entries = [
        *(cpio.directory(folder) for folder in _FOLDERS),
        cpio.file("bin/busybox", (image / "busybox").read_bytes(), 0o755),
        cpio.file("sbin/poweroff", _POWEROFF, 0o755),
        cpio.file("init", releases.data(init), 0o755),
        *(cpio.file(f"bin/{program}", releases.data(f"{program}.sh"), 0o755) for program in programs),
    ]
    for folder, listed in {"modules": name, **others}.items():
        files = sorted((image / "modules" / listed).iterdir())
        entries += [cpio.directory(folder), *(cpio.file(f"{folder}/{path.name}", path.read_bytes()) for path in files)]
    # Fast rather than small: it is made at each start, and read from memory.
    return gzip.compress(cpio.pack(entries), compresslevel=1, mtime=0)
