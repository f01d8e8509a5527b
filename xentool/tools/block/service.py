"""A daemon's work: disks plugged into domains, served as long as it runs, and plugged out in the end."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.block.back.backend import Backend, Options
from pvdrivers.block.disks import Disk, Use, open_disk, use_disk
from pvdrivers.block.errors import InUse
from pvdrivers.bus import toolstack
from pvdrivers.bus.backends import Backends
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot
from pvdrivers.transport.base import Transport
from xentool.errors import XentoolError
from xentool.tools.block.disks import USER, Wanted, back_nodes, front_nodes, numbers
from xentool.tools.devices import vdev

#: Backends' directory in XenStore: a kind of its own, so that no kernel's driver takes what is ours.
OWN = "udisk"
#: Backends' directories, and whom each serves.
FRONTENDS = {OWN: "vbd", USER: USER}
#: Seconds that a guest may take to let go of a disk when the daemon ends.
PATIENCE = 10.0
#: Seconds without any of its requests being done, after which a disk counts as one that hangs then.
HANG = 2.0
_SLICE = 0.05


class Service:
    """Backends of a domain's disks; a context manager that ends them.

    :param keep: leave the disks plugged in at the end, for a successor to go on
    :param journals: where that is kept which a successor needs when this process is killed
    """

    def __init__(
        self,
        transport: Transport,
        options: Options,
        *,
        keep: bool = False,
        journals: Path | None = None,
        log: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._transport, self._store = transport, transport.store
        self._options, self._keep, self._journals, self._log = options, keep, journals, log
        self._backends = [
            Backends(transport, kind, frontend, self._make, log=log, over=self._over, ours=self._ours)
            for kind, frontend in FRONTENDS.items()
        ]
        #: The devices by where they are.
        self._devices: dict[Spot, Backend] = {}
        self._own: set[Spot] = set()
        self._uses: dict[Spot, Use | None] = {}
        self._closing = False
        #: Whether a disk did not come back at the end.
        self.hangs = False

    def _ours(self, spot: Spot) -> bool:
        # What another process has attached is its own to serve.
        return spot in self._own

    def __enter__(self) -> "Service":
        self._clear()
        for backends in self._backends:
            backends.start()
        return self

    def attach(self, domid: int, disks: Sequence[Wanted]) -> list[Spot]:
        """Plug disks into a domain; those that a predecessor has left are taken over.

        :raises XentoolError: another device is there
        :raises NoDisk: a disk cannot be opened
        """
        for disk in disks:
            # It is opened anew whenever a guest connects; what is wrong with it now is to be known now.
            open_disk(disk.spec, readonly=disk.readonly, sector_size=disk.sector_size).close()
        homes = [f"/local/domain/{domid}/device/{kind}" for kind in sorted(set(FRONTENDS.values()))]
        there = {int(name) for home in homes for name in self._children(home) if name.isdigit()}
        left = self._left(domid)
        spots = []
        for disk, devid in zip(disks, numbers(disks, there - {spot.devid for spot in left}), strict=True):
            kind, other = (USER, OWN) if disk.user else (OWN, USER)
            if self._spot(other, domid, devid) in left:
                # Its number would be a second disk's.
                front = "kernel" if disk.user else "user"
                raise XentoolError(f"{vdev.name(devid)} of domain {domid} is there with front={front}")
            spot = self._spot(kind, domid, devid)
            if spot in left:
                self._check(spot, disk)
            self._use(spot, disk)
            self._own.add(spot)
            if not toolstack.plug(self._store, spot, back_nodes(disk, devid), front_nodes(devid)):
                self._adopt(spot, disk)
                for backends in self._backends:
                    backends.look()
            spots.append(spot)
        return spots

    def check(self, disks: Sequence[Wanted]) -> None:
        """See that disks can be used at once, before any guest is given one.

        :raises XentoolError: one is in use, here or elsewhere
        :raises NoDisk: one cannot be opened
        """
        with ExitStack() as stack:
            for disk in disks:
                if use := _used(disk):
                    stack.callback(use.close)

    def _clear(self) -> None:
        # Of domains that have ended while nobody served them.
        tops = [f"/local/domain/{self._transport.domid}/backend/{kind}" for kind in (OWN, USER)]
        for domid in {name for top in tops for name in self._children(top)}:
            for spot in self._left(int(domid) if domid.isdigit() else -1):
                if not self._store.exists(spot.front):
                    toolstack.remove(self._store, spot)

    def _left(self, domid: int) -> list[Spot]:
        top = f"/local/domain/{self._transport.domid}/backend"
        return [
            self._spot(kind, domid, int(name))
            for kind in (OWN, USER)
            for name in self._children(f"{top}/{kind}/{domid}")
            if name.isdigit()
        ]

    def _spot(self, kind: str, domid: int, devid: int) -> Spot:
        return Spot(FRONTENDS[kind], kind, self._transport.domid, domid, devid)

    def _children(self, path: str) -> list[str]:
        return self._store.directory(path) if self._store.exists(path) else []

    def _use(self, spot: Spot, disk: Wanted) -> None:
        # As long as it is plugged in, whether or not its guest is there.
        self._uses[spot] = _used(disk)

    def _unuse(self, spot: Spot) -> None:
        if use := self._uses.pop(spot, None):
            use.close()

    def _adopt(self, spot: Spot, disk: Wanted) -> None:
        self._own.discard(spot)
        try:
            self._check(spot, disk)
        except XentoolError:
            self._unuse(spot)
            raise
        self._own.add(spot)

    def _check(self, spot: Spot, disk: Wanted) -> None:
        name = vdev.name(spot.devid)
        served = Peer(self._store, spot.back).text("params", "")
        if not served:
            raise XentoolError(f"domain {spot.domid} has another {name}; choose with vdev=")
        if served != disk.spec:
            raise XentoolError(f"{name} of domain {spot.domid} is {served} already; choose with vdev=")
        if self._journals and Journal(self._journals, spot).in_use():
            raise XentoolError(f"another process serves {name} of domain {spot.domid}")

    def _make(self, spot: Spot) -> Backend:
        journal = Journal(self._journals, spot) if self._journals else None
        device = Backend(self._transport, spot, lambda: self._open(spot), self._options, journal)
        self._devices[spot] = device
        return device

    def _open(self, spot: Spot) -> Disk:
        # What `attach` wrote, here or in a process that was killed.
        own = Peer(self._store, spot.back)
        size = own.number("request-sector-size", 512, 4096, 0)
        return open_disk(own.text("params"), readonly=own.text("mode", "w") == "r", sector_size=size or None)

    def wait(self, spots: Sequence[Spot], timeout: float) -> list[Spot]:
        """Wait until disks are connected; give those that are not after so long."""
        deadline = time.monotonic() + timeout
        while (left := [spot for spot in spots if self._state(spot) is not XenbusState.CONNECTED]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.02)
        return left

    def _state(self, spot: Spot) -> XenbusState:
        return Peer(self._store, spot.back).state()

    def look(self) -> None:
        """Look after domains that are gone: their disks are plugged out."""
        for spot in list(self._own):
            if not self._store.exists(spot.front):
                toolstack.part(self._store, spot)

    def _over(self, spot: Spot) -> None:
        if not self._closing:
            self._devices.pop(spot, None)
        if spot in self._own:
            self._own.discard(spot)
            self._unuse(spot)
            toolstack.remove(self._store, spot)

    def statistics(self) -> list[dict[str, Any]]:
        """Tell what each disk has done; of those that are gone, what they had when the daemon's end began."""
        return [
            {"domid": spot.domid, "device": vdev.name(spot.devid), "queues": device.queues, **device.statistics()}
            for spot, device in sorted(self._devices.items(), key=lambda item: (item[0].domid, item[0].devid))
        ]

    def __exit__(self, *_: object) -> None:
        self._closing = True
        began = time.monotonic()
        if not self._keep:
            self._part()
        self._end(began)
        if not self._keep:
            for spot in list(self._own):
                toolstack.remove(self._store, spot)
        for spot in list(self._uses):
            self._unuse(spot)

    def _part(self) -> None:
        # All are asked first: guests take their time at once.
        deadline = time.monotonic() + PATIENCE
        left = list(self._own)
        for spot in left:
            toolstack.part(self._store, spot)
        done: dict[Spot, tuple[int, float]] = {}
        while left and time.monotonic() < deadline and not any(self._hangs(spot, done) for spot in left):
            left = [spot for spot in left if not toolstack.parted(self._store, spot, _SLICE)]
        for spot in left:
            self._log(f"domain {spot.domid} does not let go of {vdev.name(spot.devid)}: it is taken away")

    def _hangs(self, spot: Spot, done: dict[Spot, tuple[int, float]]) -> bool:
        # Whether a disk has had requests for some time, and did none of them.
        device = self._devices.get(spot)
        if not device or not device.busy:
            done.pop(spot, None)
            return False
        requests, now = device.statistics()["requests"], time.monotonic()
        if spot not in done or done[spot][0] != requests:
            done[spot] = requests, now
        return now - done[spot][1] > HANG

    def _end(self, began: float) -> None:
        # A thread whose disk hangs may never come back.
        ending = [threading.Thread(target=backends.stop, daemon=True) for backends in self._backends]
        for thread in ending:
            thread.start()
        if _joined(ending, max(1.0, began + 3.0 - time.monotonic())):
            return
        for device in self._devices.values():
            device.abandon()
        self.hangs = not _joined(ending, 1.0)
        if self.hangs:
            busy = [spot for spot, device in self._devices.items() if device.busy]
            which = ", ".join(f"{vdev.name(spot.devid)} of domain {spot.domid}" for spot in busy) or "a disk"
            self._log(f"{which}: what was asked hangs, and is left undone")


def _joined(threads: Sequence[threading.Thread], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _used(disk: Wanted) -> Use | None:
    try:
        return use_disk(disk.spec, readonly=disk.readonly, shared=disk.shared)
    except InUse as error:
        # qemu-nbd would have none of it.
        asked = "" if "qcow2" in disk.spec else "; mode=w! serves it all the same"
        raise XentoolError(f"{error}{asked}") from error
