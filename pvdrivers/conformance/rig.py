"""What a case gets: devices of the driver under test, with the kit's half of them; one kind for each kind of driver."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from random import Random
from typing import Any, Protocol

from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Seen
from pvdrivers.xenbus import Role

#: Uses a device that is known to be sound; tells how that went, or raises `observation.Noticed`.
Probe = Callable[[], Seen]


class Rig(Protocol):
    """What the kit itself asks of a rig; a case asks more of its own."""

    def sibling(self) -> AbstractContextManager[Probe]:
        """Have a device that stays as long as the context lasts.

        :raises Inconclusive: the driver does not serve even that
        """
        ...


#: By device, and the role of the driver under test.
RIGS: Mapping[tuple[str, Role], str] = {
    ("block", Role.BACK): "pvdrivers.conformance.block.front_rig:BlockFrontRig",
    ("block", Role.FRONT): "pvdrivers.conformance.block.back_rig:BlockBackRig",
    ("net", Role.BACK): "pvdrivers.conformance.net.front_rig:VifFrontRig",
    ("net", Role.FRONT): "pvdrivers.conformance.net.back_rig:VifBackRig",
}


def rig(device: str, role: Role, bench: object, level: Level, chance: Random) -> Rig:
    """Make a rig.

    :param bench: of a subject of that kind
    """
    module, _, name = RIGS[device, role].partition(":")
    made: Callable[[Any, Level, Random], Rig] = getattr(import_module(module), name)
    return made(bench, level, chance)
