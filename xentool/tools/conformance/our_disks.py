"""Our own drivers of disks under test; see `ours`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pvdrivers.block.back.backend import Backend, Options
from pvdrivers.block.front import frontend
from pvdrivers.block.front.client import Client, Geometry
from pvdrivers.conformance.block.subject import Disk, Served, Used
from pvdrivers.xenbus import BACK as BACK_TABLE
from pvdrivers.xenbus import FRONT as FRONT_TABLE
from pvdrivers.xenbus import Role
from xentool.tools.conformance.media import FileMedium, WatchedMedium
from xentool.tools.conformance.ours import Home, OurBench, Ours
from xentool.tools.conformance.user import User
from xentool.tools.conformance.worlds import Where, World, on_loopback

#: What the directories of either end are called.
HOME = Home("uvbd", "udisk", 51712)


class DiskBench(OurBench):
    """Has disks."""

    home = HOME


class BackendBench(DiskBench):
    """Our block backend, and disks for it."""

    options = Options()

    @contextmanager
    def served(self, disk: Disk) -> Iterator[Served]:
        """Plug in a disk for our backend."""
        spot = self.spot()
        path = self.folder / f"disk-{spot.devid}"
        medium = WatchedMedium(disk) if disk.watched else FileMedium(path, disk)
        device = Backend(self.transport, spot, medium.opened, self.options)
        nodes = {"mode": "r" if disk.readonly else "w"}
        with (
            self.plugged(spot, Role.BACK, BACK_TABLE, device, nodes),
            self.world.join(self.world.front) as transport,
        ):
            yield Served(spot, transport, medium, self.world.stranger, self.toolstack.store)
        path.unlink(missing_ok=True)


class FrontendBench(DiskBench):
    """Our block frontend, and disks for it."""

    options = frontend.Options()

    @contextmanager
    def used(self) -> Iterator[Used]:
        """Plug in a disk for our frontend."""
        spot = self.spot()
        with Client([], Geometry(0)) as client:
            device = frontend.Frontend(self.transport, spot.back, spot.back_domid, client, self.options)
            with (
                self.plugged(spot, Role.FRONT, FRONT_TABLE, device, {}),
                self.world.join(self.world.back) as transport,
            ):
                yield Used(spot, transport, User(client))


def block_backend(
    options: Options | None = None, name: str = "block-backend", where: Where = on_loopback
) -> Ours[BackendBench]:
    """Give our block backend."""

    def make(world: World, folder: Path, domid: int, stack: ExitStack) -> BackendBench:
        bench = BackendBench(world, folder, domid, stack)
        bench.options = options or bench.options
        return bench

    return Ours(name, "block", Role.BACK, make, where)


def block_frontend(
    options: frontend.Options | None = None, name: str = "block-frontend", where: Where = on_loopback
) -> Ours[FrontendBench]:
    """Give our block frontend."""

    def make(world: World, folder: Path, domid: int, stack: ExitStack) -> FrontendBench:
        bench = FrontendBench(world, folder, domid, stack)
        bench.options = options or bench.options
        return bench

    return Ours(name, "block", Role.FRONT, make, where)
