"""What labs have left in the cache, how large that is, and which of it nobody needs any more."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from xentool.hosts.labs import cache_directory
from xentool.lab import bootstrap, image, locks, places, record, releases, snapshot

#: Of a file, as stat(2) counts them.
_BLOCK = 512


@dataclass(frozen=True)
class Left:
    """A folder of the cache.

    :param kind: what it is, in a word
    :param size: bytes that it takes up on disk; holes of disks take none
    :param needed: what for, else None
    """

    kind: str
    path: Path
    size: int
    needed: str | None


def look(*, everything: bool = False) -> list[Left]:
    """Return all that is in the cache.

    :param everything: nothing is needed but by labs that were started and not ended
    """
    labs = [lab for name in record.names() if (lab := record.read(name)) is not None]
    images = {Path(lab.image).name: f"of lab {lab.name}" for lab in labs}
    snapshots: dict[str, str] = {}
    if not everything:
        images = {image.key(one): f"of Xen {one.xen}" for one in releases.RELEASES.values()} | images
        # A later boot of this machine has no use for one, see `snapshot.key`.
        snapshots = {path.name: "since this machine booted" for path in snapshot.of_this_boot()}
    kinds = (
        ("image", places.images(), images),
        ("snapshot", places.snapshots(), snapshots),
        ("wheel", places.wheels(), _newest(places.wheels(), everything=everything)),
        ("console", places.runs(), {lab.name: f"of lab {lab.name}" for lab in labs}),
    )
    return [
        Left(kind, path, size(path), needed.get(path.name))
        for kind, folder, needed in kinds
        for path in sorted(folder.iterdir())
        if path.is_dir()
    ]


def remove(left: Left) -> None:
    """Remove a folder that nobody needs.

    :raises XentoolError: another xentool builds or starts what is in it
    """
    with ExitStack() as stack:
        for lock in _locks(left):
            stack.enter_context(locks.hold(lock, f"another xentool is about to use {left.path}; wait for it"))
        bootstrap.remove_tree(left.path)


def whole() -> tuple[Path, int]:
    """Return where all of the cache is, and the bytes that it takes up on disk."""
    return cache_directory(), size(cache_directory())


def size(folder: Path) -> int:
    """Return the bytes that a folder takes up on disk."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * _BLOCK
        except FileNotFoundError:
            continue  # removed meanwhile
    return total


def _newest(folder: Path, *, everything: bool) -> dict[str, str]:
    made = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    return {} if everything else {path.name: "the newest" for path in made[-1:]}


def _locks(left: Left) -> list[Path]:
    # What holds those that make, or take, what is in there.
    if left.kind == "image":
        return [left.path.parent / f"{left.path.name.partition('-')[0]}.lock"]
    return (
        [left.path.parent / "lock"] if left.kind == "wheel" else [left.path / "lock"] if left.kind == "console" else []
    )
