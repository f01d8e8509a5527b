"""Snapshots: what a lab was right after its boot, from which others like it are up in seconds.

A folder of the cache holds one: what QEMU migrates (``state``), what dom0 had written to its root disk (``disk.qcow2``,
on top of the image's), the keys, the console so far, and ``snapshot.json``. Its name is a hash of all that decides what
a boot comes to.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from xentool.errors import Unavailable, XentoolError
from xentool.lab import monitor, places, qemu, sshkeys
from xentool.lab.image import Image
from xentool.lab.record import Lab

# Counts changes of what is in a folder, and of code that decides what a boot comes to but is in no key.
_VERSION = 1
#: A third of a gigabyte each.
_MOST = 4
_NEEDED_MIB = 1536
_RECORD = "snapshot.json"
#: What of a lab's run folder goes with it.
_FILES = (sshkeys.KEY, sshkeys.HOST_KEY_PUBLIC, qemu.INITRD, qemu.CONSOLE)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that may be used.

    :param software: the digest of what it has of this project
    """

    folder: Path
    software: str

    def unpack(self, run: Path) -> None:
        """Put a lab's own files into its run folder.

        :raises XentoolError: they cannot be read
        """
        try:
            for name in _FILES:
                (run / name).touch(0o600)
                (run / name).write_bytes((self.folder / name).read_bytes())
        except OSError as error:
            raise XentoolError(f"{error.filename}: {error.strerror}") from error

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def key(image: Image, machine: qemu.Machine, files: Mapping[str, bytes]) -> str:
    """Return the name of a snapshot.

    :param machine: any of its kind: its name, folder and port do not count
    :param files: what its boot reads, by name
    """
    program = Path(shutil.which(qemu.PROGRAM) or qemu.PROGRAM).resolve()
    of_disk, of_program = (image.folder / qemu.ROOT_DISK).stat(), program.stat()
    decides = {
        "version": _VERSION,
        "command": qemu.command(replace(machine, name="", run=Path("/"), ssh_port=0, saved=None, kept=False)),
        "image": [of_disk.st_size, of_disk.st_mtime_ns],
        "qemu": [str(program), of_program.st_size, of_program.st_mtime_ns],
        "files": digest(files),
        # Xen has measured the rate of this machine's time stamp counter, and goes by it.
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text(),
    }
    canonical = json.dumps(decides, sort_keys=True).encode()
    return f"{image.release.xen}-{hashlib.sha256(canonical).hexdigest()[:12]}"


def digest(files: Mapping[str, bytes]) -> str:
    """Return a hash of files' names and contents."""
    hashed = hashlib.sha256()
    for path, content in sorted(files.items()):
        hashed.update(f"{path}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()


def find(name: str) -> Snapshot | None:
    """Return the snapshot of a name; None when there is none that this user has made."""
    folder = places.snapshots() / name
    try:
        # Who makes dom0's memory is dom0's master.
        if folder.stat().st_uid != os.geteuid():
            return None
        found = json.loads((folder / _RECORD).read_bytes())
        os.utime(folder)  # `_prune` goes by when one was last used
        return Snapshot(folder, str(found["software"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def of_this_boot() -> list[Path]:
    """Return the folders that were used since this machine booted: the key of any other is of no use any more."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return [path.parent for path in places.snapshots().glob(f"*/{_RECORD}") if path.parent.stat().st_mtime > booted]


def save(lab: Lab, name: str, software: str) -> None:
    """Make a snapshot of a lab that has just booted; it stands still meanwhile, and then goes on.

    :raises XentoolError: that failed
    """
    folder = places.snapshots()
    lab.host().disconnect()  # whose other end would not be there any more
    try:
        with tempfile.TemporaryDirectory(prefix="part-", dir=folder) as work:  # which this user alone may enter
            part = Path(work, "made")
            part.mkdir(0o700)
            monitor.save(lab.run, part / qemu.STATE, lambda: shutil.copyfile(lab.run / qemu.DISK, part / qemu.DISK))
            for file in _FILES:
                shutil.copyfile(lab.run / file, part / file)
            (part / _RECORD).write_text(json.dumps({"software": software}))
            for path in part.iterdir():
                path.chmod(0o600)
            part.rename(folder / name)
    except OSError as error:
        raise XentoolError(f"{folder}: {error.strerror}") from error
    _prune(folder)


def overlay(image: Image, run: Path) -> None:
    """Make the disk of a lab that is to be saved, on top of its image's.

    :raises XentoolError: that failed, or there is no room for what will be saved
    """
    folder = places.snapshots()
    free_mib = shutil.disk_usage(folder).free >> 20
    if free_mib < _NEEDED_MIB:
        raise XentoolError(f"{folder} has {free_mib} MiB free, and {_NEEDED_MIB} are left to others")
    base = image.folder / qemu.ROOT_DISK
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(run / qemu.DISK)]
    try:
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    except FileNotFoundError:
        raise Unavailable("qemu-img is not installed; it is in Debian's package qemu-utils") from None
    except subprocess.CalledProcessError as error:
        raise XentoolError(f"qemu-img failed: {error.stderr.decode(errors='replace').strip()}") from error


def _prune(folder: Path) -> None:
    made = sorted((path.parent for path in folder.glob(f"*/{_RECORD}")), key=lambda path: path.stat().st_mtime)
    for old in made[:-_MOST]:
        shutil.rmtree(old, ignore_errors=True)
