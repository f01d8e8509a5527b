"""What a backend's process takes of the machine's memory, by how many frontends it has."""

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pvdrivers.net.front import frontend
from pvdrivers.net.ports import open_port
from pvdrivers.transport.loopback import Loopback
from tests.bench.joined import here
from tests.bench.started import started
from xentool.tools.net.measure import Load, measure
from xentool.tools.transports.loopbacks import GUEST

#: Seconds between looks at a process that works.
_LOOK = 0.05


class Memory(NamedTuple):
    """In MiB.

    :param resident: pages that the process has
    :param share: the same, where each page that others have too is divided among all
    """

    resident: float
    share: float


def memory(pid: int) -> Memory:
    """Ask for a process's."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    found = {name.rstrip(":"): int(kib) / 1024 for name, kib, *_ in lines}
    return Memory(found["Rss"], found["Pss"])


@contextmanager
def serving(directory: str, vifs: int) -> Iterator[int]:
    """Serve so many vifs whose frames are for nobody; give the process."""
    words = [word for number in range(vifs) for word in ("--vif", f"port=null,handle={number}")]
    argv = [sys.executable, "-m", "xentool", "net", "serve", "--loopback", directory, *words]
    with started(argv, "serving") as process:
        yield process.pid


def idle(frontends: int) -> Memory:
    """Give that of a backend whose frontends are joined, and send nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="xentool-bench-") as directory,
        serving(directory, frontends) as pid,
        Loopback(Path(directory), GUEST) as transport,
    ):
        return _joined(transport, frontends, pid)


def _joined(transport: Loopback, left: int, pid: int) -> Memory:
    if not left:
        return memory(pid)
    with frontend.joined(transport, here(left - 1), open_port("null")):
        return _joined(transport, left - 1, pid)


def saturated(seconds: float) -> Memory:
    """Give the most that a backend has while its one frontend sends as fast as it can; later it has given that back."""
    with (
        tempfile.TemporaryDirectory(prefix="xentool-bench-") as directory,
        serving(directory, 1) as pid,
        ThreadPoolExecutor(1) as pool,
    ):
        load = pool.submit(measure, Load(seconds=seconds, size=65535, gso=True, loopback=directory))
        found = [memory(pid)]
        while not load.done():
            time.sleep(_LOOK)
            found.append(memory(pid))
        load.result()
        return max(found)
