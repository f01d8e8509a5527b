"""A backend and a frontend of ours, on a loopback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pvdrivers.block.back.backend import Backend, Options
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.block.front import frontend
from pvdrivers.block.front.client import Client
from pvdrivers.bus.end import End
from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.xenbus import Role

BACK, GUEST = 0, 5
SPOT = Spot("vbd", "udisk", BACK, GUEST, 51712)


@dataclass
class Bench:
    """A machine with a disk's nodes, and what is run on it."""

    machine: Machine
    dom0: Loopback
    guest: Loopback
    lines: list[str] = field(default_factory=list)

    @contextmanager
    def backend(self, disk: str | Callable[[], Disk] = "mem:16M", options: Options | None = None) -> Iterator[End]:
        opener = disk if callable(disk) else lambda: open_disk(disk)
        device = Backend(self.dom0, SPOT, opener, options or Options())
        end = End(self.dom0.store, SPOT.back, SPOT.front, device, role=Role.BACK, log=self.lines.append)
        end.start()
        try:
            yield end
        finally:
            end.stop()
            end.join()

    @contextmanager
    def disk(self, options: frontend.Options | None = None) -> Iterator[Client]:
        with frontend.disk(self.guest, SPOT.front, options) as client:
            yield client


@contextmanager
def bench(directory: Path) -> Iterator[Bench]:
    with (
        machine(directory, [BACK, GUEST]) as running,
        Loopback(directory, BACK) as dom0,
        Loopback(directory, GUEST) as guest,
    ):
        plug(dom0.store, SPOT, {"mode": "w"}, {})
        yield Bench(running, dom0, guest)
