"""Who wants to be told of which changes.

Ref: tools/xenstored/watch.c
"""

from collections.abc import Hashable, Iterable
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar

from pvdrivers.xenstore import paths
from pvdrivers.xenstore.tree import Match

Owner = TypeVar("Owner", bound=Hashable)


class Watch(NamedTuple, Generic[Owner]):
    """One watch.

    :param depth: how many levels down changes are told; negative for all
    :param skip: bytes of a path that the client did not give, and is not told: the watch is relative
    :param serial: earlier watches have smaller ones
    """

    owner: Owner
    path: bytes
    token: bytes
    depth: int
    skip: int
    serial: int

    @property
    def size(self) -> int:
        """Bytes, as the quotas count them."""
        return len(self.path) + len(self.token)


class Watches(Generic[Owner]):
    """All watches, found by the path that has changed: a change costs nothing for watches elsewhere."""

    def __init__(self) -> None:
        self._at: dict[bytes, set[Watch[Owner]]] = {}
        self._of: dict[Owner, dict[tuple[bytes, bytes], Watch[Owner]]] = {}
        self._serial = 0

    def has(self, owner: Owner, path: bytes, token: bytes) -> bool:
        """Tell whether an owner has a watch with that path and token."""
        return (path, token) in self._of.get(owner, ())

    def add(self, owner: Owner, path: bytes, token: bytes, depth: int = -1, skip: int = 0) -> Watch[Owner]:
        """Add a watch that the owner does not have."""
        self._serial += 1
        watch = Watch(owner, path, token, depth, skip, self._serial)
        self._of.setdefault(owner, {})[path, token] = watch
        self._at.setdefault(path, set()).add(watch)
        return watch

    def remove(self, owner: Owner, path: bytes, token: bytes) -> Watch[Owner]:
        """Remove a watch that the owner has, and give it back."""
        watch = self._of[owner].pop((path, token))
        self._at[path].remove(watch)
        if not self._at[path]:
            del self._at[path]
        return watch

    def remove_all(self, owner: Owner) -> list[Watch[Owner]]:
        """Remove an owner's watches and give them back."""
        removed = [self.remove(owner, path, token) for path, token in list(self._of.get(owner, ()))]
        self._of.pop(owner, None)
        return removed

    def matching(self, path: bytes, match: Match) -> Iterable[Watch[Owner]]:
        """Find the watches that a change is for, oldest first."""
        if not self._at:
            return ()
        found: list[Watch[Owner]] = []
        for at in paths.lineage(path) if match in (Match.SUBTREE, Match.DEPTH) else (path,):
            for watch in self._at.get(at, ()):
                if _wants(watch, path, match):
                    found.append(watch)  # noqa: PERF401 - as a comprehension it is harder to read
        found.sort(key=attrgetter("serial"))
        return found


def _wants(watch: Watch[Owner], path: bytes, match: Match) -> bool:
    if match is Match.SUBTREE:
        return paths.is_within(path, watch.path, watch.depth)
    if match is Match.DEPTH:
        return path == watch.path or (watch.depth > 0 and paths.is_within(path, watch.path, watch.depth))
    return match is Match.EXACT or watch.depth < 0
