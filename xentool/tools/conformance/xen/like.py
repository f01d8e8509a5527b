"""Whatever serves a device that is in XenStore: the kit plugs more like it, on files of its own, and dom0 uses them.

Its toolstack's nodes are what those have, but for what is of the device alone.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk
from pvdrivers.conformance.subject import Subject
from pvdrivers.errors import MachineError
from pvdrivers.transport.xen import Xen
from pvdrivers.xenbus import Role
from pvdrivers.xenstore.client import Client, NotFound, XenStoreError
from xentool.errors import Unavailable
from xentool.tools.conformance.spent import busy
from xentool.tools.conformance.xen.bench import bench
from xentool.tools.conformance.xen.blkback import Blkback
from xentool.tools.conformance.xen.devices import MARK, Kind
from xentool.tools.conformance.xen.disks import DiskBench
from xentool.tools.conformance.xen.netback import Netback
from xentool.tools.devices import vdev

_PATH = re.compile(r"/local/domain/0/backend/(?P<backend>[^/]+)/\d+/\d+")
#: What a device has for itself alone, and what its backend says.
_OWN = re.compile(
    rf"frontend(-id)?|state|online|params|mode|dev|hotplug-\w+|physical-device.*|{MARK}|"
    r"sectors|sector-size|info|(feature|max|multi-queue|discard)-(?!enable).*"
)
#: A way to a file, behind what says how it is read: ``aio:/disk.img``.
_PARAMS = re.compile(r"(?P<how>(?:[^/]*:)?)/.*")


class Model(NamedTuple):
    """A device that is there.

    :param front: what its frontend's directory calls it
    :param nodes: what more of its kind have, too
    :param how: what stands before a file's name
    """

    backend: str
    front: str
    nodes: dict[str, str]
    how: str


class LikeBench(DiskBench):
    """More disks."""

    model: Model

    def nodes(self, spot: Spot, disk: Disk, target: Path) -> tuple[Nodes, Nodes]:
        """Give the model's nodes, of another file."""
        own: Nodes = {
            "params": f"{self.model.how}{target}",
            "mode": "r" if disk.readonly else "w",
            "dev": vdev.name(spot.devid),
        }
        return {**self.model.nodes, **own}, {"virtual-device": spot.devid, "device-type": "disk"}

    def ended(self) -> str | None:
        """Say nothing: whose driver it is is not known."""
        return None

    def effort(self) -> float:
        """Give the processor time of this dom0 but for the kit's."""
        return busy() - time.process_time()


class Like:
    """A driver, by a disk that it serves; see `pvdrivers.conformance.subject.Subject`."""

    role = Role.BACK
    device = "block"
    #: As far as is known.
    kernel = True
    version = ""

    def __init__(self, path: str, model: Model) -> None:
        self.name, self._model = f"{model.backend}@{path}", model

    @contextmanager
    def running(self) -> Iterator[LikeBench]:
        """Have more disks, which are gone at the end.

        :raises MachineError: this dom0's kernel would take them from the kit
        """
        if Path(f"/sys/bus/xen/drivers/{self._model.front}").exists():
            raise MachineError(
                f"this dom0's kernel has a frontend (driver {self._model.front}), which would take the kit's"
            )
        kind = Kind(self._model.front, self._model.backend, lambda n: 202 << 8 | n % 256)
        with bench(LikeBench, kind) as made:
            made.model = self._model
            yield made


def model(store: Client, path: str) -> Model:
    """Read a device.

    :raises MachineError: it is none that more can be made of
    """
    found = _PATH.fullmatch(path)
    if not found:
        raise MachineError("give a backend's directory: /local/domain/0/backend/KIND/DOMID/DEVID")
    nodes: dict[str, str] = {}
    for name in store.directory(path):
        with suppress(NotFound):
            nodes[name] = store.read(f"{path}/{name}").decode("ascii", "replace")
    params = _PARAMS.fullmatch(nodes.get("params", ""))
    front = nodes.get("frontend", "").split("/")
    if found["backend"] not in KERNELS and (not params or len(front) < 2):
        raise MachineError("its nodes name no file (`params`): nobody but its driver knows what it lies on")
    kept = {name: value for name, value in nodes.items() if not _OWN.fullmatch(name)}
    return Model(found["backend"], front[-2] if len(front) > 1 else "", kept, params["how"] if params else "")


#: What the kernel serves, and is known by name.
KERNELS: Mapping[str, Callable[[], Subject]] = {"vbd": Blkback, "vif": Netback}


def like(path: str) -> Subject:
    """Give the driver that serves a device.

    :raises Unavailable: there is no such device, or no more of its kind can be made
    """
    try:
        with Xen() as transport:
            found = model(transport.store, path)
    except (MachineError, XenStoreError) as error:
        raise Unavailable(f"no {path}: {error}") from error
    kernel = KERNELS.get(found.backend)
    return kernel() if kernel else Like(path, found)
