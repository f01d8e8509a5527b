"""Finds the backends of a kind that this domain is to serve, and runs each as long as it is there."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from pvdrivers.bus.device import Device
from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import DriverError
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import BACK, Role, Table
from pvdrivers.xenstore.client import NotFound, XenStoreError
from pvdrivers.xenstore.client.client import join

#: What ends tell all the time, below their devices.
_DEEP = "/statistics/"
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
#: Seconds between looks for ends that are over, and for devices of which the watch has not told.
_TICK, _LOOK = 1.0, 10.0


class Backends(threading.Thread):
    """All backends of a kind, each an `End` of its own.

    Whoever makes the nodes makes the device: a toolstack, at any time. They are believed as far as it goes, since only
    this domain and the toolstack can write there.

    :param kind: the directory under ``backend/``
    :param frontend: the kind of frontends that they serve, as their directory calls it
    :param make: makes the driver of a device
    :param over: is told of each end that is over
    :param ours: tells which of them to serve; others may be another process's
    """

    def __init__(
        self,
        transport: Transport,
        kind: str,
        frontend: str,
        make: Callable[[Spot], Device],
        *,
        table: Table = BACK,
        log: Callable[[str], object] = lambda _: None,
        over: Callable[[Spot], object] = lambda _: None,
        ours: Callable[[Spot], bool] = lambda _: True,
    ) -> None:
        super().__init__(name=f"backend/{kind}", daemon=True)
        self._store, self._domid = transport.store, transport.domid
        self._top = f"/local/domain/{self._domid}/backend/{kind}"
        self._kind, self._frontend = kind, frontend
        self._make, self._table, self._log, self._over, self._ours = make, table, log, over, ours
        self._lock = threading.Lock()
        self._ends: dict[Spot, End] = {}
        self._awake = threading.Event()
        self._due = 0.0
        self._stopping = False

    @property
    def ends(self) -> dict[Spot, End]:
        """Those that run."""
        with self._lock:
            return dict(self._ends)

    def look(self) -> None:
        """Look anew, now that ``ours`` says something else."""
        self._due = 0.0
        self._awake.set()

    def stop(self) -> None:
        """End all of them, their work done first, and this thread."""
        self._stopping = True
        self._awake.set()
        self.join()

    def run(self) -> None:
        """Look for devices until stopped."""
        while not self._stopping:
            try:
                with self._store.watch(self._top, self._awake.set) as watch:
                    self._due = 0.0
                    while not self._stopping:
                        self._awake.wait(_TICK)
                        self._awake.clear()
                        # Whose end is over may have been plugged in again since.
                        if self._concerns(watch.drain()) | self._bury() or time.monotonic() >= self._due:
                            self._due = time.monotonic() + _LOOK
                            self._look()
            except XenStoreError as error:
                self._log(f"XenStore: {error}")
                self._awake.wait(_TICK)
        ends = self.ends.values()
        for end in ends:
            end.stop()
        for end in ends:
            end.join()

    def _concerns(self, paths: list[str]) -> bool:
        # Ends write a lot below, which is nothing new. A device that comes is made of nodes of its own directory, and
        # of others' that are above them.
        return any(_DEEP not in path for path in paths)

    def _bury(self) -> bool:
        buried = False
        for spot, end in self.ends.items():
            if not end.is_alive():
                with self._lock:
                    del self._ends[spot]
                self._over(spot)
                buried = True
        return buried

    def _look(self) -> None:
        for spot in self._spots():
            if spot not in self._ends and self._ours(spot):
                self._begin(spot)

    def _spots(self) -> Iterator[Spot]:
        for domid in self._names(self._top):
            for devid in self._names(join(self._top, domid)):
                yield Spot(self._frontend, self._kind, self._domid, int(domid), int(devid))

    def _names(self, path: str) -> list[str]:
        with suppress(NotFound):
            return [name for name in self._store.directory(path) if _NUMBER.fullmatch(name)]
        return []

    def _begin(self, spot: Spot) -> None:
        own = Peer(self._store, spot.back)
        try:
            # One that is over is not begun again, but may be plugged in again. Asked first, since all may be removed
            # meanwhile: a device whose "online" is gone would pass for one that never had it.
            if own.number("online", 0, 1, 1) == 0:
                return
            there = own.text("frontend")
            if own.number("frontend-id", 0, 0x7FFF) != spot.domid:
                return
        except DriverError:
            # The toolstack has not written all yet.
            return
        end = End(self._store, spot.back, there, self._make(spot), role=Role.BACK, table=self._table, log=self._log)
        with self._lock:
            self._ends[spot] = end
        end.start()
