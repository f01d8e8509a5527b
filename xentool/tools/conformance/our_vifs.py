"""Our own backend of vifs under test; see `ours`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.net.subject import ServedVif, Vif
from pvdrivers.net.back.backend import OFFER, Backend
from pvdrivers.net.nodes import Offer
from pvdrivers.xenbus import NET_BACK, Role
from xentool.tools.conformance.far import SocketFar, SocketPort
from xentool.tools.conformance.ours import Home, OurBench, Ours
from xentool.tools.conformance.worlds import World

#: What the directories of either end are called.
HOME = Home("uvif", "unet")
_MAC = "00:16:3e:0c:0f:01"


def nodes(spot: Spot, vif: Vif) -> tuple[Nodes, Nodes]:
    """Give what a toolstack writes for the backend, and for the frontend."""
    both: Nodes = {"handle": spot.devid, "mac": _MAC}
    rate: Nodes = {"rate": "{},{}".format(*vif.rate)} if vif.rate else {}
    return {**both, **rate}, {**both, "trusted": 1}


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


def net_backend(offered: Offer = OFFER, *, compiled: bool = True) -> Ours[VifBench]:
    """Give our backend.

    :param compiled: False for its readable way alone, outside its queues
    """

    def make(world: World, folder: Path, domid: int, stack: ExitStack) -> VifBench:
        bench = VifBench(world, folder, domid, stack)
        bench.offered, bench.compiled = offered, compiled
        return bench

    return Ours("net-backend", "net", Role.BACK, make)
