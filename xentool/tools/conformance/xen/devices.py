"""Devices of one run of the kit: each directory has the run's mark, by which they go, whatever becomes of the run.

A run that was killed leaves its devices; the next one takes them away. Nothing without a mark is touched.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot, part, parted, plug, remove
from pvdrivers.errors import MachineError
from pvdrivers.xenstore.client import Client, NotFound, XenStoreError

#: The node that says which run a directory belongs to; both ends' have it.
MARK = "xentool-conformance"
#: What a run's folders are called, behind which is its mark.
PREFIX = "xentool-conformance-"
#: Seconds that a backend may take to let go of a device.
_PATIENCE = 60.0
#: How many numbers are tried for a device, of which others have some.
_TRIES = 64
#: Of a process in /proc/PID/stat, counted behind its name: when it was started, in ticks since the machine was.
_STARTED = 19


def mark(pid: int) -> str | None:
    """Give the mark of a process's devices; None for one that is no more, whose number may be another's by now."""
    with suppress(OSError):
        return f"{pid}-{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[_STARTED]}"
    return None


def marked() -> Nodes:
    """Give the node that all directories of this run have."""
    return {MARK: mark(os.getpid())}


def lives(found: str) -> bool:
    """Tell whether the run with a mark is still under way."""
    pid, _, _ = found.partition("-")
    return pid.isdigit() and mark(int(pid)) == found


def sweep(store: Client) -> None:
    """Take away what this run has left, and what earlier runs have whose processes are no more."""
    for spot, found in _marked(store):
        if found == mark(os.getpid()) or not lives(found):
            away(store, spot)


def away(store: Client, spot: Spot) -> None:
    """Unplug a device as a toolstack does when its frontend's domain is no more."""
    with suppress(XenStoreError):
        part(store, spot)
    with suppress(XenStoreError):
        store.remove(spot.front)
    parted(store, spot, _PATIENCE)
    remove(store, spot)


@dataclass(frozen=True)
class Kind:
    """What devices of a driver are called; see `Spot`.

    :param number: gives the nth device's number
    """

    front: str
    back: str
    number: Callable[[int], int]


class Devices:
    """The devices of a run.

    :param store: XenStore as dom0 sees it, where all backends are
    """

    def __init__(self, store: Client, kind: Kind, domid: int) -> None:
        self.store, self._kind, self._domid = store, kind, domid
        self._counted = count()

    @contextmanager
    def plugged(self, nodes: Callable[[Spot], tuple[Nodes, Nodes]]) -> Iterator[Spot]:
        """Have a device; in the end its frontend's half is gone first, as if its domain were.

        :param nodes: gives what is to be in the backend's and the frontend's directory besides what all have
        """
        spot = self._plug(nodes)
        try:
            yield spot
        finally:
            away(self.store, spot)

    def _plug(self, nodes: Callable[[Spot], tuple[Nodes, Nodes]]) -> Spot:
        for _ in range(_TRIES):
            number = self._kind.number(next(self._counted))
            spot = Spot(self._kind.front, self._kind.back, 0, self._domid, number)
            if self.store.exists(spot.front) or self.store.exists(spot.back):
                continue
            back, front = nodes(spot)
            if plug(self.store, spot, {**back, **marked()}, {**front, **marked()}):
                return spot
        raise MachineError(f"no place for a device beside {spot.front}")


def _marked(store: Client) -> Iterator[tuple[Spot, str]]:
    # All devices with a mark that is one, by their backends' directories.
    top = "/local/domain/0/backend"
    for kind in _names(store, top):
        for domid in _names(store, f"{top}/{kind}"):
            for devid in _names(store, f"{top}/{kind}/{domid}"):
                # What has another name is nobody's that the kit knows.
                with suppress(NotFound, ValueError):
                    spot = Spot("", kind, 0, int(domid), int(devid))
                    found = store.read(f"{spot.back}/{MARK}").decode("ascii", "replace")
                    front = store.read(f"{spot.back}/frontend").decode("ascii", "replace")
                    if found.partition("-")[0].isdigit():
                        yield replace(spot, kind=front.rpartition("/")[0].rpartition("/")[2]), found


def _names(store: Client, path: str) -> list[str]:
    with suppress(NotFound):
        return store.directory(path)
    return []
