"""Backends of this dom0 that are not ours, with the kit's frontends in dom0 as well: what those of any device have."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pvdrivers.conformance.subject import Resources
from xentool.hosts.local import LocalHost
from xentool.tools.conformance.xen.devices import PREFIX, Devices, Kind, mark
from xentool.tools.conformance.xen.held import held
from xentool.tools.conformance.xen.world import dom0

_Bench = TypeVar("_Bench", bound="BackendBench")


class BackendBench:
    """A backend, and a folder for what its devices need; see `pvdrivers.conformance.subject.Bench`."""

    def __init__(self, devices: Devices, folder: Path) -> None:
        self.devices, self.folder = devices, folder
        self._host = LocalHost()

    def resources(self) -> Resources:
        """Tell what is in use between dom0 and itself: all of it is the kit's and its driver's."""
        return held(self._host, [0], (0, 0))


@contextmanager
def bench(make: type[_Bench], kind: Kind) -> Iterator[_Bench]:
    """Have a bench whose devices are gone at the end.

    :raises MachineError: this is no dom0
    """
    prefix = f"{PREFIX}{mark(os.getpid())}-"
    with dom0() as transport, tempfile.TemporaryDirectory(prefix=prefix) as folder:
        yield make(Devices(transport.store, kind, 0), Path(folder))
