"""Our backend of vifs in a process of its own; see `process`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.net.subject import ServedVif, Vif
from pvdrivers.net.back.backend import Backend
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import NET_BACK
from xentool.tools.conformance.far import SocketFar, SocketPort
from xentool.tools.conformance.our_vifs import HOME, nodes
from xentool.tools.conformance.process import OurProcess, ProcessBench, served_until_told
from xentool.tools.conformance.worlds import OnLoopback

#: The backend's node that says where its far side is.
_FAR = "port"


class VifProcess(ProcessBench):
    """The process, and vifs for it; see `pvdrivers.conformance.net.subject.VifBackBench`."""

    home = HOME
    module = "xentool.tools.conformance.vif_process"

    @contextmanager
    def served(self, vif: Vif) -> Iterator[ServedVif]:
        """Plug in a vif."""
        spot = self.spot()
        path = self.folder / f"far-{spot.devid}"
        far = SocketFar(path)
        back, front = nodes(spot, vif)
        try:
            with self.plugged(spot, {**back, _FAR: str(path)}, front) as transport:
                yield ServedVif(spot, transport, far, OnLoopback.stranger, self.toolstack.store)
        finally:
            far.close()


def net_backend_process() -> OurProcess[VifProcess]:
    """Give our backend of vifs as a process."""
    return OurProcess("net-backend-process", "net", VifProcess)


def _made(transport: Transport, spot: Spot) -> Backend:
    return Backend(transport, spot, SocketPort(Path(Peer(transport.store, spot.back).text(_FAR))))


if __name__ == "__main__":
    served_until_told(Path(sys.argv[1]), HOME, NET_BACK, _made)
