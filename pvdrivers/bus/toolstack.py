"""Plugs devices in and out as a toolstack does: makes the nodes of both ends, and takes them away.

Ref: tools/libs/light/libxl_device.c (``libxl__device_generic_add``, ``libxl__initiate_device_generic_remove``)
"""

import time
from contextlib import suppress
from dataclasses import dataclass

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.end import error_path, put
from pvdrivers.bus.nodes import Peer
from pvdrivers.xenstore.client import Client, Transaction, XenStoreError
from pvdrivers.xenstore.client.client import join

_POLL = 0.05


@dataclass(frozen=True)
class Spot:
    """Where a device is in XenStore.

    :param kind: what the frontend's directory calls it: vbd, vif
    :param backend: what the backend's does: the same for the kernel's, another for others
    """

    kind: str
    backend: str
    back_domid: int
    domid: int
    devid: int

    @property
    def back(self) -> str:
        """The backend's directory."""
        return f"/local/domain/{self.back_domid}/backend/{self.backend}/{self.domid}/{self.devid}"

    @property
    def front(self) -> str:
        """The frontend's directory."""
        return f"/local/domain/{self.domid}/device/{self.kind}/{self.devid}"


def plug(store: Client, spot: Spot, back: Nodes, front: Nodes) -> bool:
    """Make both ends' nodes, unless that frontend has some already; tell whether it was so.

    :param back: what is to be in the backend's directory besides what all have
    :param front: likewise
    """

    def make(transaction: Transaction) -> bool:
        if transaction.exists(spot.front):
            return False
        for path, owner, reader in (
            (spot.front, spot.domid, spot.back_domid),
            (spot.back, spot.back_domid, spot.domid),
        ):
            transaction.mkdir(path)
            # Nodes that are made below have the same.
            transaction.set_permissions(path, [f"n{owner}", f"r{reader}"])
        common = {"state": XenbusState.INITIALISING.value}
        put(transaction, spot.back, {"frontend": spot.front, "frontend-id": spot.domid, "online": 1, **common, **back})
        put(transaction, spot.front, {"backend": spot.back, "backend-id": spot.back_domid, **common, **front})
        return True

    return store.transact(make)


def part(store: Client, spot: Spot) -> None:
    """Ask a device's ends to part, unless they have: a backend of Linux does not look at its own state again."""

    def ask(transaction: Transaction) -> None:
        path = join(spot.back, "state")
        if not transaction.exists(path):
            return
        put(transaction, spot.back, {"online": 0})
        if transaction.read(path).strip() != str(XenbusState.CLOSED.value).encode():
            put(transaction, spot.back, {"state": XenbusState.CLOSING.value})

    store.transact(ask)


def parted(store: Client, spot: Spot, timeout: float) -> bool:
    """Wait until the backend is closed, or gone; tell whether it is."""
    deadline = time.monotonic() + timeout
    while Peer(store, spot.back).state() not in (XenbusState.CLOSED, XenbusState.UNKNOWN):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def remove(store: Client, spot: Spot) -> None:
    """Remove both ends' nodes, and what either said was wrong."""
    for path in (spot.front, spot.back, error_path(spot.back), error_path(spot.front)):
        with suppress(XenStoreError):
            store.remove(path)
    # Directories that a device leaves empty, up to those that belong to all.
    for path, levels in ((spot.front, 1), (spot.back, 2), (error_path(spot.back), 3), (error_path(spot.front), 2)):
        directory = path
        for _ in range(levels):
            directory = directory.rpartition("/")[0]
            _remove_empty(store, directory)


def _remove_empty(store: Client, path: str) -> None:
    def look(transaction: Transaction) -> None:
        if not transaction.directory(path):
            transaction.remove(path)

    with suppress(XenStoreError):
        store.transact(look)
