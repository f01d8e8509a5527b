"""A disk for a kernel's backend: a loop device over a file, seen past it through the file."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvdrivers.conformance.block.subject import Disk
from pvdrivers.errors import MachineError
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.xen.devices import PREFIX, lives

#: Where disks of a run are, by its mark: no blank is in it, nor in those of temporary folders.
_FOLDER = re.compile(rf"\S+/{PREFIX}(?P<mark>\d+-\d+)-[^/\s]+")


class LoopMedium(FileMedium):
    """A file, and the loop device that it is.

    :raises MachineError: there is no loop device to be had
    """

    def __init__(self, path: Path, wanted: Disk) -> None:
        super().__init__(path, wanted)
        size = str(wanted.sector_size)
        self.target = Path(_losetup("--find", "--show", "--sector-size", size, str(path)))

    def resize(self, sectors: int) -> None:
        """Make the file longer or shorter, and the device with it."""
        super().resize(sectors)
        _losetup("--set-capacity", str(self.target))

    def detach(self) -> None:
        """Let go of the device, or have it go with the last who uses it."""
        _losetup("--detach", str(self.target))


@contextmanager
def looped(path: Path, wanted: Disk) -> Iterator[LoopMedium]:
    """Have a disk in a new file."""
    medium = LoopMedium(path, wanted)
    try:
        yield medium
    finally:
        medium.detach()
        path.unlink(missing_ok=True)


def sweep() -> None:
    """Let go of what runs have left that were killed: devices, and their files."""
    for line in _losetup("--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
        name, _, path = line.partition(" ")
        found = _FOLDER.search(path)
        if found and not lives(found["mark"]):
            _losetup("--detach", name)
            shutil.rmtree(found[0].strip(), ignore_errors=True)


def _losetup(*words: str) -> str:
    try:
        done = subprocess.run(["losetup", *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise MachineError(f"cannot run losetup: {error.strerror}") from error
    if done.returncode:
        raise MachineError(f"no loop device: {done.stderr.strip()}")
    return done.stdout.strip()
