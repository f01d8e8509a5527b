"""Our own drivers of vifs under test; see `ours`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.net.subject import ServedVif, UsedVif, Vif
from pvdrivers.net.back.backend import OFFER, Backend
from pvdrivers.net.front import frontend
from pvdrivers.net.nodes import Offer
from pvdrivers.xenbus import NET_BACK, NET_FRONT, Role
from xentool.tools.conformance.far import SocketFar, SocketPort
from xentool.tools.conformance.ours import Home, OurBench, Ours
from xentool.tools.conformance.worlds import Where, World, on_loopback

#: What the directories of either end are called.
HOME = Home("uvif", "unet")
MAC = "00:16:3e:0c:0f:01"


def nodes(spot: Spot, vif: Vif, *, trusted: bool = True) -> tuple[Nodes, Nodes]:
    """Give what a toolstack writes for the backend, and for the frontend."""
    both: Nodes = {"handle": spot.devid, "mac": MAC}
    rate: Nodes = {"rate": "{},{}".format(*vif.rate)} if vif.rate else {}
    return {**both, **rate}, {**both, "trusted": int(trusted)}


class VifBench(OurBench):
    """Our backend, and vifs for it."""

    home = HOME
    offered = OFFER
    compiled = True

    @contextmanager
    def served(self, vif: Vif) -> Iterator[ServedVif]:
        """Plug in a vif for our backend."""
        spot = self.spot()
        with ExitStack() as stack:
            path = self.folder / f"far-{spot.devid}"
            far = SocketFar(path)
            stack.callback(far.close)
            device = Backend(self.transport, spot, SocketPort(path, compiled=self.compiled), self.offered)
            back, front = nodes(spot, vif)
            stack.enter_context(self.plugged(spot, Role.BACK, NET_BACK, device, back, front))
            transport = stack.enter_context(self.world.join(self.world.front))
            yield ServedVif(spot, transport, far, self.world.stranger, self.toolstack.store)


def net_backend(
    offered: Offer = OFFER, *, compiled: bool = True, name: str = "net-backend", where: Where = on_loopback
) -> Ours[VifBench]:
    """Give our backend.

    :param compiled: False for its readable way alone, outside its queues
    """

    def make(world: World, folder: Path, domid: int, stack: ExitStack) -> VifBench:
        bench = VifBench(world, folder, domid, stack)
        bench.offered, bench.compiled = offered, compiled
        return bench

    return Ours(name, "net", Role.BACK, make, where)


class VifFrontendBench(OurBench):
    """Our frontend, and vifs for it."""

    home = HOME
    options = frontend.Options()
    compiled = True

    @contextmanager
    def used(self, *, trusted: bool = True) -> Iterator[UsedVif]:
        """Plug in a vif for our frontend."""
        spot = self.spot()
        with ExitStack() as stack:
            path = self.folder / f"user-{spot.devid}"
            user = SocketFar(path)
            stack.callback(user.close)
            port = SocketPort(path, compiled=self.compiled)
            device = frontend.Frontend(self.transport, spot.back, spot.back_domid, port, self.options)
            back, front = nodes(spot, Vif(), trusted=trusted)
            stack.enter_context(self.plugged(spot, Role.FRONT, NET_FRONT, device, back, front))
            yield UsedVif(spot, stack.enter_context(self.world.join(self.world.back)), user)


def net_frontend(
    options: frontend.Options | None = None,
    *,
    compiled: bool = True,
    name: str = "net-frontend",
    where: Where = on_loopback,
) -> Ours[VifFrontendBench]:
    """Give our frontend.

    :param compiled: False for its readable way alone, outside its queues
    """

    def make(world: World, folder: Path, domid: int, stack: ExitStack) -> VifFrontendBench:
        bench = VifFrontendBench(world, folder, domid, stack)
        bench.options, bench.compiled = options or bench.options, compiled
        return bench

    return Ours(name, "net", Role.FRONT, make, where)
