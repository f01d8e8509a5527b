"""Disks as a class of devices that a daemon serves."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pvdrivers.block.back.backend import Backend, Options
from pvdrivers.block.disks import Disk, Use, open_disk, use_disk
from pvdrivers.block.errors import InUse
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import BACK
from xentool.errors import XentoolError
from xentool.tools.block.disks import USER, Wanted, back_nodes, front_nodes, numbers
from xentool.tools.devices import vdev
from xentool.tools.serving.classes import DeviceClass, Home

#: Seconds without any of its requests being done, after which a disk counts as one that hangs at the end.
HANG = 2.0


class Disks(DeviceClass[Wanted, Backend]):
    """The class.

    :param options: of all backends
    :param journals: where that is kept which a successor needs when this process is killed
    """

    noun = "disk"
    kernels = Home("udisk", "vbd")
    programs = Home(USER, USER)
    table = BACK
    told = "params"
    key = "vdev"
    schema = "xentool.served.disk/1"
    whose = "whose disk is it? give --domain NAME, --disk FILE,domain=NAME or --loopback NAME"

    def __init__(self, options: Options, journals: Path | None = None) -> None:
        self._options, self._journals = options, journals
        # How many requests were done, and since when it is so many.
        self._done: dict[Spot, tuple[int, float]] = {}

    def name(self, spot: Spot) -> str:
        """Give xvda for 51712."""
        return vdev.name(spot.devid)

    def numbers(self, wanted: Sequence[Wanted], taken: Collection[int]) -> list[int]:
        """See `disks.numbers`."""
        return numbers(wanted, taken)

    def said(self, spot: Spot, wanted: Wanted) -> str:
        """Give the disk as the user calls it."""
        del spot
        return wanted.spec

    def nodes(self, spot: Spot, wanted: Wanted) -> tuple[Nodes, Nodes]:
        """See `disks.back_nodes`, `disks.front_nodes`."""
        return back_nodes(wanted, spot.devid), front_nodes(spot.devid)

    @contextmanager
    def tried(self, spot: Spot, wanted: Wanted) -> Iterator[None]:
        """Open the disk, as it is whenever a guest connects; others are kept from it meanwhile.

        :raises XentoolError: it is in use, here or elsewhere
        :raises NoDisk: it cannot be opened
        """
        with ExitStack() as stack:
            if use := self.use(spot, wanted):
                stack.callback(use.close)
            open_disk(wanted.spec, readonly=wanted.readonly, sector_size=wanted.sector_size).close()
            yield

    def use(self, spot: Spot, wanted: Wanted) -> Use | None:
        """Keep others from the disk.

        :raises XentoolError: it is in use, here or elsewhere
        """
        del spot
        try:
            return use_disk(wanted.spec, readonly=wanted.readonly, shared=wanted.shared)
        except InUse as error:
            # qemu-nbd would have none of it.
            asked = "" if "qcow2" in wanted.spec else "; mode=w! serves it all the same"
            raise XentoolError(f"{error}{asked}") from error

    def elsewhere(self, spot: Spot) -> bool:
        """Ask the disk's journal."""
        return self._journals is not None and Journal(self._journals, spot).in_use()

    def backend(self, transport: Transport, spot: Spot, wanted: Wanted) -> Backend:
        """Make the backend. It opens what stands in XenStore, which a predecessor may have written."""
        del wanted
        journal = Journal(self._journals, spot) if self._journals else None

        def opened() -> Disk:
            own = Peer(transport.store, spot.back)
            size = own.number("request-sector-size", 512, 4096, 0)
            return open_disk(own.text("params"), readonly=own.text("mode", "w") == "r", sector_size=size or None)

        return Backend(transport, spot, opened, self._options, journal)

    def hangs(self, spot: Spot, device: Backend) -> bool:
        """Tell whether a disk has had requests for some time, and did none of them."""
        if not device.busy:
            self._done.pop(spot, None)
            return False
        requests, now = device.statistics()["requests"], time.monotonic()
        if spot not in self._done or self._done[spot][0] != requests:
            self._done[spot] = requests, now
        return now - self._done[spot][1] > HANG

    def abandon(self, device: Backend) -> None:
        """Have what the disk does not come back with fail."""
        device.abandon()
