"""Writes initramfs archives: the "newc" cpio format, of which the kernel reads several in a row.

Ref: linux/Documentation/driver-api/early-userspace/buffer-format.rst
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_ALIGN = 4


@dataclass(frozen=True)
class Entry:
    """A file of an initramfs; ``content`` of a symbolic link is its target."""

    path: str
    mode: int
    content: bytes = b""


def file(path: str, content: bytes, mode: int = 0o644) -> Entry:
    """Make a regular file; ``path`` is relative to the root."""
    return Entry(path, stat.S_IFREG | mode, content)


def directory(path: str) -> Entry:
    """Make a directory; its parents have to come before it."""
    return Entry(path, stat.S_IFDIR | 0o755)


def symlink(path: str, target: str) -> Entry:
    """Make a symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def pack(entries: Iterable[Entry]) -> bytes:
    """Make the archive, all files owned by root and without times, so that equal entries give equal bytes."""
    chunks = [_record(inode, entry) for inode, entry in enumerate(entries, start=1)]
    chunks.append(_record(0, Entry("TRAILER!!!", 0)))
    return b"".join(chunks)


def _record(inode: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    fields = (inode, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGN)
