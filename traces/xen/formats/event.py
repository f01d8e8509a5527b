"""How one kind of record is declared."""

import re
from typing import NamedTuple

from traces.xen.formats.layout import Struct

#: A release of Xen, as in (4, 18).
Release = tuple[int, int]


class Older(NamedTuple):
    """A layout of earlier releases, recognised by its number of words, a known release before ``until``, or both."""

    payload: Struct
    words: int | None = None
    until: Release | None = None

    def fits(self, release: Release | None, words: int | None) -> bool:
        """Tell whether it is that of a record with so many words, of such a release if one is known."""
        if self.until is not None and (release is None or release >= self.until):
            return False
        return self.words is None or self.words == words


class Event(NamedTuple):
    """One event: its id without layout flags, trace.h's name for it, and its payload's layout.

    ``wide`` is the layout under ``FLAG_64``, where the event has one; ``by_levels`` those for guests with three and
    four levels of page tables (see ``xenshadow``). Fields missing at the end of a record are absent in what is
    decoded, since releases of Xen have grown and shrunk payloads. Where they moved fields, ``payload`` is what all
    agree in, and ``since`` has the layouts from releases on, oldest first. Of ``older`` the first that fits comes
    before all of these.
    """

    id: int
    name: str
    payload: Struct
    wide: Struct | None = None
    by_levels: tuple[Struct, ...] = ()
    since: tuple[tuple[Release, Struct], ...] = ()
    older: tuple[Older, ...] = ()


def release(version: str | None) -> Release | None:
    """Find the release in a version as Xen tells it, as in 4.17.6-pre; None where there is none."""
    match = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(match[1]), int(match[2])) if match else None
