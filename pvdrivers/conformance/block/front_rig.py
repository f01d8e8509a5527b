"""What a case of a disk's backend gets: disks of the driver under test, and the kit's frontends for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from pvdrivers.abi.blkif import ARM, NATIVE, PROTOCOLS, X86_64, Blkif
from pvdrivers.conformance.block.front import BlockFront
from pvdrivers.conformance.block.subject import BackBench, Disk
from pvdrivers.conformance.half import leaving, sound
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Observation, Seen, Unsupported
from pvdrivers.conformance.rig import Probe


class BlockFrontRig:
    """What a case of a backend gets: disks of the driver under test."""

    def __init__(self, bench: BackBench, level: Level, chance: Random) -> None:
        self.bench, self.level, self.chance = bench, level, chance

    @contextmanager
    def plugged(self, disk: Disk | None = None, *, layout: Blkif = X86_64, pages: int = 64) -> Iterator[BlockFront]:
        """Have a disk, and a frontend that has done nothing yet."""
        disk = disk or Disk()
        with (
            self.bench.served(disk) as served,
            leaving(BlockFront(served, disk, self.level, self.chance, pages)) as front,
        ):
            front.layout = layout
            yield front

    @contextmanager
    def joined(
        self,
        disk: Disk | None = None,
        *,
        layout: Blkif = X86_64,
        order: int = 0,
        queues: int = 1,
        persistent: bool = False,
        named: bool = True,
        pages: int = 64,
    ) -> Iterator[BlockFront]:
        """Have a disk, connected; it has served a first request.

        :raises Inconclusive: it does not connect, or does not serve that
        :raises Noticed: it does not serve what it offers, or does what no driver may
        """
        with self.plugged(disk, layout=layout, pages=pages) as front:
            front.begin()
            plain = order == 0 and queues == 1 and not persistent and layout is X86_64
            nodes = front.nodes(order=order, queues=queues, persistent=persistent, named=named)
            front.join(nodes, plain=plain)
            for queue in range(queues):
                sound(front.read(0, 0, queue)._replace(what="a read"))
            front.poison(0)
            yield front

    def layouts(self) -> Iterator[Blkif]:
        """Give the layouts that this backend knows: those of all frontends on its machine, and others if it takes them.

        A backend on x86 need not know ARM's, nor one there x86's: none of their guests can be its own.
        """
        for layout in PROTOCOLS.values():
            if (layout is ARM) != (NATIVE is ARM):
                with self.plugged(layout=layout) as front:
                    front.begin()
                    if front.publish(front.nodes()).observation is not Observation.SERVED:
                        continue
            yield layout

    def needs(self, front: BlockFront, feature: str) -> None:
        """Go on only if the backend offers a feature.

        :raises Unsupported: it does not
        """
        if not front.offered(feature):
            raise Unsupported(f"{feature} is not offered")

    @contextmanager
    def sibling(self) -> Iterator[Probe]:
        """Have a disk that stays, and a way to tell whether it is served."""
        with self.joined() as front:

            def probe() -> Seen:
                seen = front.read(8, 0)
                front.poison(0)
                return seen

            yield probe
