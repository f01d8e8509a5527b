"""A vif that the kernel's own backend in this dom0 serves to a frontend of ours, here or in a guest.

The backend has a network interface, on no bridge: what our frontend sends is what it has received, by its counters, and
what is sent out by it our frontend receives.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pvdrivers.abi.wire import ETHERNET_SIZE
from pvdrivers.bus import toolstack
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Frame
from pvdrivers.net.load.lanes import LoadLane
from pvdrivers.net.ports import link
from pvdrivers.net.ports.base import ALL, PackedLane
from pvdrivers.net.ports.packet import Packet
from pvdrivers.net.record import RECORD
from pvdrivers.transport.base import Transport
from xentool.errors import XentoolError
from xentool.tools.net.far import Counts
from xentool.tools.net.vifs import USER

#: Of the vif in its domain: one that no toolstack gets to.
_HANDLE = 999
_MAC = "00:16:3e:00:03:e7"
_PATIENCE = 10.0
_BATCH = 64
#: Seconds between looks whether frames are to be made.
_PAUSE = 0.001
_MTU = 1500
_NET = Path("/sys/class/net")
#: Where the kernel has IPv6: it asks for routers and tells of groups.
_IPV6 = "/proc/sys/net/ipv6/conf/{}/disable_ipv6"


def spot_of(transport: Transport, domid: int | None = None) -> Spot:
    """Tell where such a vif is.

    :param domid: the frontend's domain; None for this one
    """
    return Spot(USER, "vif", transport.domid, transport.domid if domid is None else domid, _HANDLE)


@contextmanager
def served(transport: Transport, domid: int | None = None) -> Iterator[Spot]:
    """Let the kernel serve a vif as long as the context lasts; give where it is.

    :param domid: the frontend's domain; None for this one
    :raises XentoolError: there is one already
    """
    spot = spot_of(transport, domid)
    # Without a script nobody would tell the backend that it is joined to a network; it asks for the name of one.
    back: Nodes = {"script": "", "handle": _HANDLE, "mac": _MAC, "hotplug-status": "connected"}
    if not toolstack.plug(transport.store, spot, back, {"handle": _HANDLE, "mac": _MAC}):
        raise XentoolError(f"{spot.front} is there already: another `xentool net bench --netback` runs, or died")
    try:
        yield spot
    finally:
        toolstack.part(transport.store, spot)
        toolstack.parted(transport.store, spot, _PATIENCE)
        toolstack.remove(transport.store, spot)


@dataclass
class _Kernel:
    # The backend's interface, which counts, and a lane that makes frames for it, if any are to be sent.

    counters: Path
    made: LoadLane | None
    tells = True

    def tell(self, word: str) -> None:
        if self.made:
            getattr(self.made, word)()

    def count(self) -> Counts:
        frames, size = (int((self.counters / name).read_text()) for name in ("rx_packets", "rx_bytes"))
        # netback counts what is within Ethernet's header.
        return Counts(self.made.made if self.made else 0, frames, size + frames * ETHERNET_SIZE)


@contextmanager
def far_end(spot: Spot, frame: Frame, *, sends: bool) -> Iterator[_Kernel]:
    """Use the interface of a backend that is connected.

    :param frame: that is sent, if it is to send
    :raises XentoolError: it has none
    :raises pvdrivers.errors.MachineError: nobody may send by it
    """
    name = f"vif{spot.domid}.{spot.devid}"
    whole = len(frame.data) - ETHERNET_SIZE
    try:
        # All that goes over it is the load.
        with suppress(FileNotFoundError):
            Path(_IPV6.format(name)).write_text("1")
        # What is to be cut may be longer.
        mtu = whole if sends and not frame.offload.gso and whole > _MTU else None
        link.bring_up(socket.if_nametoindex(name), mtu=mtu)
    except OSError as error:
        raise XentoolError(f"{name}, the kernel's end, cannot be set up: {error.strerror}") from error
    counters = _NET / name / "statistics"
    if not sends:
        yield _Kernel(counters, None)
        return
    port = Packet(name)
    made = LoadLane(frame)
    (lane,) = port.open(1, ALL)
    assert isinstance(lane, PackedLane)  # noqa: S101 - compiled, as no other was asked for
    ending = threading.Event()
    pump = threading.Thread(target=_pump, args=[made, lane, ending], daemon=True)
    pump.start()
    try:
        yield _Kernel(counters, made)
    finally:
        ending.set()
        pump.join()
        made.close()
        port.close()


def _pump(made: LoadLane, lane: PackedLane, ending: threading.Event) -> None:
    records = memoryview(bytearray(_BATCH * RECORD.size))
    # An interface that is gone is told by our frontend's end.
    with suppress(MachineError):
        while not ending.is_set():
            if count := made.receive_packed(records):
                lane.send_packed(made.arena, records[: count * RECORD.size])
            else:
                time.sleep(_PAUSE)
