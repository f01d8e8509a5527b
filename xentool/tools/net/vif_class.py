"""Vifs as a class of devices that a daemon serves."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import MachineError
from pvdrivers.net.back.backend import OFFER, Backend
from pvdrivers.net.frame import Abilities
from pvdrivers.net.ports import Port, open_port
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import NET_BACK
from xentool.errors import XentoolError
from xentool.tools.net.dump.audience import Audience
from xentool.tools.net.dump.records import Vif
from xentool.tools.net.vifs import USER, Wanted, nodes, numbers, port
from xentool.tools.serving.classes import DeviceClass, Home


class Vifs(DeviceClass[Wanted, Backend]):
    """The class.

    :param locks: where it is noted which are served, and below it what a successor needs when this process is killed;
        None where no other process can serve them
    :param audience: who may watch them
    """

    noun = "vif"
    kernels = Home("uvif", "vif")
    programs = Home("unet", USER)
    table = NET_BACK
    told = "port"
    key = "handle"
    schema = "xentool.served.vif/1"
    whose = "whose vif is it? give --vif domain=NAME,port=... or --loopback NAME"

    def __init__(self, locks: Path | None = None, audience: Audience | None = None) -> None:
        self._locks, self._audience = locks, audience or Audience()
        # A file that is written goes on from one frontend to the next, as long as its port is the same.
        self._ports: dict[Spot, Port] = {}

    def name(self, spot: Spot) -> str:
        """Give vif0 for 0."""
        return f"{spot.kind}{spot.devid}"

    def numbers(self, wanted: Sequence[Wanted], taken: Collection[int]) -> list[int]:
        """See `vifs.numbers`."""
        return numbers(wanted, taken)

    def said(self, spot: Spot, wanted: Wanted) -> str:
        """See `vifs.port`."""
        return port(wanted, spot.domid, spot.devid)

    def nodes(self, spot: Spot, wanted: Wanted) -> tuple[Nodes, Nodes]:
        """See `vifs.nodes`."""
        return nodes(wanted, spot.domid, spot.devid)

    def _port(self, spot: Spot, wanted: Wanted) -> Port:
        if spot not in self._ports:
            self._ports[spot] = open_port(self.said(spot, wanted))
        return self._ports[spot]

    @contextmanager
    def tried(self, spot: Spot, wanted: Wanted) -> Iterator[None]:
        """Open the port, as it is whenever a guest connects.

        :raises MachineError: it cannot be had; the message says what to do
        """
        opened = self._port(spot, wanted)
        opened.open(1, Abilities())
        try:
            yield
        finally:
            opened.close()

    def use(self, spot: Spot, wanted: Wanted) -> ExitStack:
        """Note that it is served, and let it be watched.

        :raises XentoolError: another process serves it
        """
        del wanted
        held = ExitStack()
        if self._locks is not None:
            lock = Journal(self._locks, spot)
            try:
                lock.hold()
            except MachineError as error:
                raise XentoolError(str(error)) from error
            held.callback(lock.remove)
        self._audience.plugged(_watched(spot))
        held.callback(self._audience.gone, _watched(spot))
        return held

    def elsewhere(self, spot: Spot) -> bool:
        """Ask whether somebody has noted so."""
        return self._locks is not None and Journal(self._locks, spot).in_use()

    def backend(self, transport: Transport, spot: Spot, wanted: Wanted) -> Backend:
        """Make the backend."""
        offered = OFFER if wanted.queues is None else OFFER._replace(max_queues=wanted.queues)
        seen = self._audience.plugged(_watched(spot))
        journal = Journal(self._locks / "kept", spot) if self._locks else None
        return Backend(transport, spot, self._port(spot, wanted), offered, seen, journal=journal)


def _watched(spot: Spot) -> Vif:
    return Vif(spot.domid, spot.devid)
