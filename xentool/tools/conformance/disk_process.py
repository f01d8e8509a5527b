"""Our block backend in a process of its own; see `process`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvdrivers.block.back.backend import Backend
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block import subject
from pvdrivers.conformance.block.subject import Served
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import BACK
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.our_disks import HOME
from xentool.tools.conformance.process import OurProcess, ProcessBench, served_until_told
from xentool.tools.conformance.worlds import OnLoopback


class DiskProcess(ProcessBench):
    """The process, and disks for it; see `pvdrivers.conformance.block.subject.BackBench`."""

    home = HOME
    module = "xentool.tools.conformance.disk_process"

    @contextmanager
    def served(self, disk: subject.Disk) -> Iterator[Served]:
        """Plug in a disk, in a file: nobody is told what another process does to it."""
        spot = self.spot()
        path = self.folder / f"disk-{spot.devid}"
        medium = FileMedium(path, disk)
        mode = "r" if disk.readonly else "w"
        nodes: Nodes = {"mode": mode, "params": str(path), "sector-size": disk.sector_size}
        try:
            with self.plugged(spot, nodes) as transport:
                yield Served(spot, transport, medium, OnLoopback.stranger, self.toolstack.store)
        finally:
            path.unlink(missing_ok=True)


def block_backend_process() -> OurProcess[DiskProcess]:
    """Give our block backend as a process."""
    return OurProcess("block-backend-process", "block", DiskProcess)


def _made(transport: Transport, spot: Spot) -> Backend:
    own = Peer(transport.store, spot.back)

    def opened() -> Disk:
        size = own.number("sector-size", 512, 4096, 512)
        return open_disk(own.text("params"), readonly=own.text("mode") == "r", sector_size=size)

    return Backend(transport, spot, opened)


if __name__ == "__main__":
    served_until_told(Path(sys.argv[1]), HOME, BACK, _made)
