"""Disks for backends in this dom0 that are not ours."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk, Served
from pvdrivers.transport.xen import Xen
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.xen.bench import BackendBench
from xentool.tools.conformance.xen.world import STRANGER


class DiskBench(BackendBench):
    """A backend, and disks for it; see `pvdrivers.conformance.block.subject.BackBench`."""

    def medium(self, path: Path, disk: Disk) -> AbstractContextManager[FileMedium]:
        """Have what a disk lies on, in a new file: the file itself."""
        return _file(path, disk)

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

            spot = stack.enter_context(self.devices.plugged(nodes))
            with Xen() as transport:
                yield Served(spot, transport, media[-1], STRANGER, self.devices.store)


@contextmanager
def _file(path: Path, disk: Disk) -> Iterator[FileMedium]:
    try:
        yield FileMedium(path, disk)
    finally:
        path.unlink(missing_ok=True)
