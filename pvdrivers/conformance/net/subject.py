"""What a vif's driver under test is to the kit: vifs that it serves, and what lies behind them.

Law: these are protocols, as `pvdrivers.conformance.subject` has them.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.net.frames import Carried
from pvdrivers.conformance.subject import Bench
from pvdrivers.transport.base import Transport
from pvdrivers.xenstore.client import Client

#: Frames that may be on their way to either side at once: more may be lost, as on any wire.
BURST = 8
#: Bytes of payload of the longest frame that may come in: Linux's interfaces of vifs leave room for a VLAN's tag.
LONGEST = 65517


@dataclass(frozen=True)
class Vif:
    """A vif that a case wants served.

    :param rate: what its frontend may send: bytes in so many microseconds; None for as much as it likes
    :param scripted: whether the case says what a toolstack's script says (`ServedVif.hotplug`), which is done else
    """

    rate: tuple[int, int] | None = None
    scripted: bool = False


class FarSide(Protocol):
    """What is behind a driver under test: where its peer's frames come out, and those for that go in.

    A TAP's or a packet socket's other end, say: what is said of a frame is what virtio_net_hdr has words for. Only
    frames of the kit's own are given.
    """

    def send(self, frame: Carried) -> bool:
        """Let a frame come in; tell whether it was taken. One is not as long as others wait for the peer."""
        ...

    def receive(self, seconds: float) -> Carried | None:
        """Give the next frame that has come out; None if none does within a time."""
        ...


@dataclass(frozen=True)
class ServedVif:
    """A vif whose backend is under test; the frontend's half is the kit's.

    :param transport: of the frontend's domain, for this vif alone: its end is the frontend's death
    :param stranger: a domain that is neither end's
    :param toolstack: XenStore as the backend's domain sees it
    :param hotplug: says what a toolstack's script says when it is done (``hotplug-status``), of a backend that waits
        for that; None for one that does not
    :param cut_off: tells whether the far side has no link any more, where a backend says so that has given its vif up,
        and says it nowhere else
    """

    spot: Spot
    transport: Transport
    far: FarSide
    stranger: int
    toolstack: Client
    hotplug: Callable[[str], object] | None = None
    cut_off: Callable[[], bool] = lambda: False


class VifBackBench(Bench, Protocol):
    """A backend of vifs under test."""

    def served(self, vif: Vif) -> AbstractContextManager[ServedVif]:
        """Plug in a vif; it is gone at the end."""
        ...


@dataclass(frozen=True)
class UsedVif:
    """A vif whose frontend is under test; the backend's half is the kit's.

    :param transport: of the backend's domain, for this vif alone: its end is the backend's death
    :param user: of the frontend: what it sends goes to the backend
    :param resumed: has the guest begin again where it is, as after it was suspended; None where that cannot be
    :param cut_off: tells whether a frontend uses its vif no more that says so to nobody but its guest
    """

    spot: Spot
    transport: Transport
    user: FarSide
    resumed: Callable[[], object] | None = None
    cut_off: Callable[[], bool] = lambda: False


class VifFrontBench(Bench, Protocol):
    """A frontend of vifs under test."""

    def used(self, *, trusted: bool = True) -> AbstractContextManager[UsedVif]:
        """Plug in a vif without a backend; it is gone at the end.

        :param trusted: whether the toolstack says that the backend is
        """
        ...
