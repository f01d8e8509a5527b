"""Disks for backends in this dom0 that are not ours, and the kit's frontends for them, in dom0 as well."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk, Served
from pvdrivers.conformance.subject import Resources
from pvdrivers.transport.xen import Xen
from xentool.hosts.local import LocalHost
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.xen.devices import PREFIX, Devices, Kind, mark
from xentool.tools.conformance.xen.held import held
from xentool.tools.conformance.xen.world import STRANGER, dom0

_Bench = TypeVar("_Bench", bound="DiskBench")


class DiskBench:
    """A backend, and disks for it; see `pvdrivers.conformance.block.subject.BackBench`."""

    def __init__(self, devices: Devices, folder: Path) -> None:
        self._devices, self.folder = devices, folder
        self._host = LocalHost()

    def medium(self, path: Path, disk: Disk) -> AbstractContextManager[FileMedium]:
        """Have what a disk lies on, in a new file."""
        raise NotImplementedError

    def nodes(self, spot: Spot, disk: Disk, target: Path) -> tuple[Nodes, Nodes]:
        """Give what a toolstack writes for the backend, and for the frontend.

        :param target: what is to be served: the medium's
        """
        raise NotImplementedError

    @contextmanager
    def served(self, disk: Disk) -> Iterator[Served]:
        """Plug in a disk."""
        with ExitStack() as stack:
            media: list[FileMedium] = []

            def nodes(spot: Spot) -> tuple[Nodes, Nodes]:
                media.append(stack.enter_context(self.medium(self.folder / f"disk-{spot.devid}", disk)))
                return self.nodes(spot, disk, media[-1].target)

            spot = stack.enter_context(self._devices.plugged(nodes))
            with Xen() as transport:
                yield Served(spot, transport, media[-1], STRANGER, self._devices.store)

    def resources(self) -> Resources:
        """Tell what is in use between dom0 and itself: all of it is the kit's and its driver's."""
        return held(self._host, [0], [0])


@contextmanager
def bench(make: type[_Bench], kind: Kind) -> Iterator[_Bench]:
    """Have a bench whose devices are gone at the end.

    :raises MachineError: this is no dom0
    """
    prefix = f"{PREFIX}{mark(os.getpid())}-"
    with dom0() as transport, tempfile.TemporaryDirectory(prefix=prefix) as folder:
        yield make(Devices(transport.store, kind, 0), Path(folder))
