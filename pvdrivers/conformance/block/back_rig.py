"""What a case of a disk's frontend gets: disks of the driver under test, and the kit's backends for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from pvdrivers.bus.device import Nodes
from pvdrivers.conformance.block.back import BlockBack
from pvdrivers.conformance.block.subject import FrontBench
from pvdrivers.conformance.half import leaving
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Seen
from pvdrivers.conformance.rig import Probe


class BlockBackRig:
    """What a case of a frontend gets: disks that the driver under test uses."""

    def __init__(self, bench: FrontBench, level: Level, chance: Random) -> None:
        self.bench, self.level, self.chance = bench, level, chance

    @contextmanager
    def plugged(self) -> Iterator[BlockBack]:
        """Have a disk, and a backend that has done nothing yet."""
        with self.bench.used() as used, leaving(BlockBack(used, self.level, self.chance)) as back:
            yield back

    @contextmanager
    def joined(
        self, first: Nodes | None = None, then: Nodes | None = None, *, order: int = 0, queues: int = 1
    ) -> Iterator[BlockBack]:
        """Have a disk that is served, and used; see `BlockBack.served`."""
        with self.plugged() as back:
            yield back.served(first, then, order=order, queues=queues)

    @contextmanager
    def sibling(self) -> Iterator[Probe]:
        """Have a disk that stays, and a way to tell whether its frontend is well."""
        with self.joined() as back:

            def probe() -> Seen:
                return back.read(16)

            yield probe
