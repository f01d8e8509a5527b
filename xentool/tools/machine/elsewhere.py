"""The facts of a machine elsewhere: told by a script there, and laid out here as the files that they come from.

So they are read by what reads this machine's, with its bounds. Of what the host says, paths that were not asked for are
passed over.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from xentool.detect import sources
from xentool.detect.sources import Facts
from xentool.hosts import Host

#: A name in a folder there; what is none would lead elsewhere here.
_NAME = re.compile(r"(?!\.\.?\Z)[^/\0]{1,255}")
_BUS = re.compile(r"/sys/bus/[a-z-]+/devices/[^/\0]{1,255}/(?:uevent|sriov_totalvfs|sriov_numvfs)")
_LINK = re.compile(r"/proc/self/ns/[a-z]+|/sys/bus/pci/devices/(?!\.)[^/\0 ]{1,255}/(?:iommu_group|physfn)")
#: Lines that are believed, of more kinds than there are.
_LINES_MAX = 20_000


def facts(host: Host) -> Facts:
    """Ask a host what `detect` reads of a machine.

    :raises XentoolError: it has no shell, or cannot be reached
    """
    script = files(__package__).joinpath("facts.sh").read_bytes()
    folders = (*sources.FOLDERS, *(f"/sys/bus/{bus}/devices" for bus in sources.BUSES))
    told = host.run(["sh", "-s", *sources.FILES, "--", *folders, "--", *sources.MARKS], input=script).stdout
    return parsed(told)


def parsed(told: bytes) -> Facts:
    """Read what the script prints."""
    lines, _, content = (b"\n" + told).partition(b"\nfiles\n")
    words = [line.decode("latin-1") for line in lines.split(b"\n")[:_LINES_MAX]]
    with TemporaryDirectory(prefix="xentool-detect-") as directory:
        root = Path(directory)
        leaves = dict(_laid(root, words))
        _write(root, content)
        found = sources.read(root)
    unread = tuple(path for kind, _, path in (word.partition(" ") for word in words) if kind == "unread")
    known = {*sources.FILES, sources.CPUID}
    return replace(
        found,
        cpuid=sources.signatures(leaves),
        unread=tuple(dict.fromkeys(path for path in unread if path in known)),
    )


def _laid(root: Path, words: list[str]) -> Iterator[tuple[int, bytes]]:
    # Makes folders, marks and links; gives CPUID's leaves.
    folders = {*sources.FOLDERS, *(f"/sys/bus/{bus}/devices" for bus in sources.BUSES)}
    folder: Path | None = None
    for kind, _, value in (word.partition(" ") for word in words):
        # A name that this file system cannot have is passed over.
        with suppress(OSError):
            if kind == "file" and value in sources.FILES:
                # Its text comes later, if it has any.
                _made(root, value).touch()
            elif kind == "dir":
                folder = root / value[1:] if value in folders else None
                if folder is not None:
                    folder.mkdir(parents=True, exist_ok=True)
            elif kind == "name" and folder is not None and _NAME.fullmatch(value):
                (folder / value).mkdir(exist_ok=True)
            elif kind == "mark" and value in sources.MARKS:
                (root / value[1:]).mkdir(parents=True, exist_ok=True)
            elif kind == "link":
                path, _, text = value.partition(" ")
                if _LINK.fullmatch(path) and text and "\0" not in text:
                    _made(root, path).symlink_to(text[:255])
        if kind == "cpuid":
            with suppress(ValueError):
                leaf, _, data = value.partition(" ")
                yield int(leaf[:10]), bytes.fromhex(data[:32])


def _write(root: Path, content: bytes) -> None:
    texts: dict[str, list[bytes]] = {}
    for line in content.split(b"\n"):
        path, zero, text = line.partition(b"\0")
        name = path.decode("latin-1")
        if zero and (name in sources.FILES or _BUS.fullmatch(name)) and "/../" not in name:
            texts.setdefault(name, []).append(text)
    for name, parts in texts.items():
        with suppress(OSError):
            _made(root, name).write_bytes(b"\n".join(parts))


def _made(root: Path, path: str) -> Path:
    made = root / path[1:]
    made.parent.mkdir(parents=True, exist_ok=True)
    return made
