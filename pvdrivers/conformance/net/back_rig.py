"""What a case of a vif's frontend gets: vifs of the driver under test, and the kit's backends for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from pvdrivers.bus.device import Nodes
from pvdrivers.conformance.half import leaving
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.net.back import VifBack
from pvdrivers.conformance.net.subject import VifFrontBench
from pvdrivers.conformance.rig import Probe


class VifBackRig:
    """What a case of a frontend gets: vifs that the driver under test uses."""

    def __init__(self, bench: VifFrontBench, level: Level, chance: Random) -> None:
        self.bench, self.level, self.chance = bench, level, chance

    @contextmanager
    def plugged(self, *, trusted: bool = True) -> Iterator[VifBack]:
        """Have a vif, and a backend that has done nothing yet.

        :param trusted: whether the toolstack says that the backend is
        """
        with self.bench.used(trusted=trusted) as used, leaving(VifBack(used, self.level, self.chance)) as back:
            yield back

    @contextmanager
    def joined(self, first: Nodes | None = None, *, queues: int = 1, trusted: bool = True) -> Iterator[VifBack]:
        """Have a vif that is served, and used; see `VifBack.served`."""
        with self.plugged(trusted=trusted) as back:
            yield back.served(first, queues=queues)

    @contextmanager
    def sibling(self) -> Iterator[Probe]:
        """Have a vif that stays, and a way to tell whether its frontend is well."""
        with self.joined() as back:
            yield back.proves
