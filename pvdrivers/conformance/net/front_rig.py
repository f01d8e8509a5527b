"""What a case of a vif's backend gets: vifs of the driver under test, and the kit's frontends for them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random

from pvdrivers.conformance.half import leaving, sound
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.net.front import VifFront
from pvdrivers.conformance.net.subject import Vif, VifBackBench
from pvdrivers.conformance.observation import Unsupported
from pvdrivers.conformance.rig import Probe

_USUAL = Vif()


class VifFrontRig:
    """What a case of a backend gets: vifs of the driver under test."""

    def __init__(self, bench: VifBackBench, level: Level, chance: Random) -> None:
        self.bench, self.level, self.chance = bench, level, chance

    @contextmanager
    def plugged(self, vif: Vif = _USUAL) -> Iterator[VifFront]:
        """Have a vif, and a frontend that has done nothing yet."""
        with self.bench.served(vif) as served, leaving(VifFront(served, self.level, self.chance)) as front:
            yield front

    @contextmanager
    def joined(
        self,
        vif: Vif = _USUAL,
        *,
        queues: int = 1,
        split: bool = False,
        control: bool = False,
        takes: Mapping[str, object] | None = None,
    ) -> Iterator[VifFront]:
        """Have a vif, connected; frames have gone both ways on each queue.

        :param split: a channel for each ring
        :param control: with the ring for that
        :param takes: what the frontend takes, or not, besides the usual
        :raises Inconclusive: it does not connect, or does not serve that
        :raises Noticed: it does not serve what it offers, or does what no driver may
        """
        with self.plugged(vif) as front:
            front.takes |= takes or {}
            front.begin()
            nodes = front.nodes(queues=queues, split=split) | (front.control_nodes() if control else {})
            front.join(nodes, plain=queues == 1 and not (split or control or takes))
            for queue in range(queues):
                sound(front.proves(queue))
            yield front

    def needs(self, front: VifFront, feature: str) -> int:
        """Go on only if the backend offers a feature; give the number that it is offered by.

        :raises Unsupported: it does not
        """
        number = front.offered(feature)
        if not number:
            raise Unsupported(f"{feature} is not offered")
        return number

    def offers(self, feature: str) -> int:
        """Go on only if a vif of this backend offers a feature; give the number that it is offered by.

        :raises Unsupported: it does not
        """
        with self.plugged() as front:
            front.begin()
            return self.needs(front, feature)

    @contextmanager
    def sibling(self) -> Iterator[Probe]:
        """Have a vif that stays, and a way to tell whether it is served."""
        with self.joined() as front:
            yield front.proves
