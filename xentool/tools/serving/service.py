"""A daemon's work: devices plugged into domains, served as long as it runs, and plugged out in the end."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Generic, TypeVar

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus import toolstack
from pvdrivers.bus.backends import Backends
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot
from pvdrivers.transport.base import Transport
from xentool.errors import XentoolError
from xentool.tools.serving.classes import DeviceClass, Home, Served, Use, Wanted

#: Seconds that a guest may take to let go of a device when the daemon ends.
PATIENCE = 10.0
_SLICE = 0.05
#: Seconds after which what a device was asked hangs; and those in which it fails where that can be had.
_HANGS, _ABANDONED = 3.0, 5.0

_Wanted = TypeVar("_Wanted", bound=Wanted)
_Served = TypeVar("_Served", bound=Served)


class Service(Generic[_Wanted, _Served]):
    """Backends of domains' devices, all of a class; a context manager that ends them.

    :param keep: leave the devices plugged in at the end, for a successor to go on
    """

    def __init__(
        self,
        transport: Transport,
        devices: DeviceClass[_Wanted, _Served],
        *,
        keep: bool = False,
        log: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._transport, self._store, self._class = transport, transport.store, devices
        self._keep, self._log = keep, log
        self._homes = {home.back: home for home in (devices.kernels, devices.programs)}
        self._backends = [
            Backends(
                transport,
                home.back,
                home.front,
                self._make,
                table=devices.table,
                log=log,
                over=self._over,
                ours=self._ours,
            )
            for home in self._homes.values()
        ]
        #: The devices by where they are.
        self._devices: dict[Spot, _Served] = {}
        self._own: dict[Spot, _Wanted] = {}
        self._uses: dict[Spot, Use | None] = {}
        self._closing = False
        #: Whether a device did not come back at the end.
        self.hangs = False

    def _ours(self, spot: Spot) -> bool:
        # What another process has attached is its own to serve.
        return spot in self._own

    def __enter__(self) -> "Service[_Wanted, _Served]":
        self._clear()
        for backends in self._backends:
            backends.start()
        return self

    def check(self, groups: Mapping[int, Sequence[_Wanted]]) -> None:
        """See that devices can be served, all at once, before any guest is given one.

        :param groups: by domid
        :raises XentoolError: one cannot be served
        :raises DriverError: likewise
        """
        with ExitStack() as stack:
            for domid, wanted in groups.items():
                for spot, each in self._planned(domid, wanted):
                    stack.enter_context(self._class.tried(spot, each))

    def attach(self, domid: int, wanted: Sequence[_Wanted]) -> list[Spot]:
        """Plug devices into a domain; those that a predecessor has left are taken over.

        :raises XentoolError: another device is there
        """
        left = self._left(domid)
        spots = []
        for spot, each in self._planned(domid, wanted):
            if spot in left:
                self._check(spot, each)
            # As long as it is plugged in, whether or not its guest is there.
            self._uses[spot] = self._class.use(spot, each)
            if not toolstack.plug(self._store, spot, *self._class.nodes(spot, each)) and spot not in left:
                try:
                    self._check(spot, each)
                except XentoolError:
                    self._unuse(spot)
                    raise
            self._own[spot] = each
            for backends in self._backends:
                backends.look()
            spots.append(spot)
        return spots

    def _planned(self, domid: int, wanted: Sequence[_Wanted]) -> Iterator[tuple[Spot, _Wanted]]:
        kernels, programs = self._class.kernels, self._class.programs
        homes = [f"/local/domain/{domid}/device/{kind}" for kind in sorted({kernels.front, programs.front})]
        there = {int(name) for home in homes for name in self._children(home) if name.isdigit()}
        left = self._left(domid)
        numbers = self._class.numbers(wanted, there - {spot.devid for spot in left})
        for each, devid in zip(wanted, numbers, strict=True):
            home, other = (programs, kernels) if each.user else (kernels, programs)
            if (second := self._spot(other, domid, devid)) in left:
                # It would have the same number.
                raise XentoolError(f"{self.named(second)} is there with front={'kernel' if each.user else 'user'}")
            yield self._spot(home, domid, devid), each

    def _clear(self) -> None:
        # Of domains that have ended while nobody served them.
        tops = [f"/local/domain/{self._transport.domid}/backend/{kind}" for kind in self._homes]
        for domid in {name for top in tops for name in self._children(top)}:
            for spot in self._left(int(domid) if domid.isdigit() else -1):
                if not self._store.exists(spot.front):
                    toolstack.remove(self._store, spot)

    def _left(self, domid: int) -> list[Spot]:
        top = f"/local/domain/{self._transport.domid}/backend"
        return [
            self._spot(home, domid, int(name))
            for home in self._homes.values()
            for name in self._children(f"{top}/{home.back}/{domid}")
            if name.isdigit()
        ]

    def _spot(self, home: Home, domid: int, devid: int) -> Spot:
        return Spot(home.front, home.back, self._transport.domid, domid, devid)

    def _children(self, path: str) -> list[str]:
        return self._store.directory(path) if self._store.exists(path) else []

    def _unuse(self, spot: Spot) -> None:
        if use := self._uses.pop(spot, None):
            use.close()

    def _check(self, spot: Spot, wanted: _Wanted) -> None:
        devices = self._class
        name, choose = devices.name(spot), f"choose with {devices.key}="
        served = Peer(self._store, spot.back).text(devices.told, "")
        if not served:
            raise XentoolError(f"domain {spot.domid} has another {name}; {choose}")
        if served != devices.said(spot, wanted):
            raise XentoolError(f"{name} of domain {spot.domid} is {served} already; {choose}")
        if devices.elsewhere(spot):
            raise XentoolError(f"another process serves {name} of domain {spot.domid}")

    def _make(self, spot: Spot) -> _Served:
        device = self._class.backend(self._transport, spot, self._own[spot])
        self._devices[spot] = device
        return device

    def wait(self, spots: Sequence[Spot], timeout: float) -> list[Spot]:
        """Wait until devices are connected; give those that are not after so long."""
        deadline = time.monotonic() + timeout
        while (left := [spot for spot in spots if self._state(spot) is not XenbusState.CONNECTED]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.02)
        return left

    def _state(self, spot: Spot) -> XenbusState:
        return Peer(self._store, spot.back).state()

    def named(self, spot: Spot) -> str:
        """Give what people call a device, of all domains'."""
        return f"{self._class.name(spot)} of domain {spot.domid}"

    def look(self) -> None:
        """Look after domains that are gone: their devices are plugged out."""
        for spot in list(self._own):
            if not self._store.exists(spot.front):
                toolstack.part(self._store, spot)

    def _over(self, spot: Spot) -> None:
        if not self._closing:
            self._devices.pop(spot, None)
        if self._own.pop(spot, None):
            self._unuse(spot)
            toolstack.remove(self._store, spot)

    def statistics(self) -> list[dict[str, Any]]:
        """Tell what each device has done; of those that are gone, what they had when the daemon's end began."""
        return [
            {
                "schema": self._class.schema,
                "domid": spot.domid,
                "device": self._class.name(spot),
                "queues": device.queues,
                **device.statistics(),
            }
            for spot, device in self.served()
        ]

    def served(self) -> list[tuple[Spot, _Served]]:
        """Give the devices that are served, in order."""
        return sorted(self._devices.items(), key=lambda item: (item[0].domid, item[0].devid))

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
        while left and time.monotonic() < deadline and not any(map(self._hangs, left)):
            left = [spot for spot in left if not toolstack.parted(self._store, spot, _SLICE)]
        for spot in left:
            self._log(f"domain {spot.domid} does not let go of {self._class.name(spot)}: it is taken away")

    def _hangs(self, spot: Spot) -> bool:
        device = self._devices.get(spot)
        return device is not None and self._class.hangs(spot, device)

    def _end(self, began: float) -> None:
        # A thread whose device hangs may never come back.
        ending = [threading.Thread(target=backends.stop, daemon=True) for backends in self._backends]
        for thread in ending:
            thread.start()
        if self._ended(ending, max(1.0, began + _HANGS - time.monotonic())):
            return
        for device in self._devices.values():
            self._class.abandon(device)
        self.hangs = not self._ended(ending, _ABANDONED)
        if self.hangs:
            busy = [spot for spot, device in self._devices.items() if device.busy]
            which = ", ".join(map(self.named, busy)) or f"a {self._class.noun}"
            self._log(f"{which}: what was asked hangs, and is left undone")

    def _ended(self, threads: Sequence[threading.Thread], seconds: float) -> bool:
        # Where no device has been asked for anything, they lack the processor alone.
        deadline = time.monotonic() + seconds
        while not _joined(threads, _SLICE):
            busy = any(device.busy for device in self._devices.values())
            if time.monotonic() > deadline + (0 if busy else PATIENCE):
                return False
        return True


def _joined(threads: Sequence[threading.Thread], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
