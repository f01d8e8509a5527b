"""A load on a disk through our frontend: served by a loopback, by a process of our own, or by a kernel's backend."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvdrivers.block.back.stats import Stats
from pvdrivers.block.front import frontend
from pvdrivers.block.front.client import Geometry
from pvdrivers.block.front.frontqueue import FrontQueue
from pvdrivers.block.load import bench
from pvdrivers.bus.nodes import Peer
from pvdrivers.errors import DriverError, MachineError, PeerError
from pvdrivers.transport.base import Transport
from pvdrivers.xenstore.client import NoStore, XenStoreError
from xentool.errors import PeerError as Broken
from xentool.errors import Unavailable, XentoolError
from xentool.tools.block import kernel
from xentool.tools.block.disks import USER
from xentool.tools.devices import vdev
from xentool.tools.transports import loopbacks
from xentool.tools.transports.ended import reason

OPERATIONS = tuple(bench.OPERATIONS)
#: Seconds that a backend process may take to start.
_PATIENCE = 15.0
#: What becomes of a measurement whose backend is plugged out.
_PARTED = "the backend has parted"
#: What "mem" and "null" mean: enough to be out of every cache, little enough for every machine.
_SIZES = {"mem": "mem:256M", "null": "null:1T"}


@dataclass(frozen=True)
class Workload:
    """What to do, to which disk; see ``xentool block bench``.

    :param loopback: a loopback's name; None for a process of our own
    :param front: a frontend's directory on Xen instead
    :param blkback: a file or block device that the kernel's own backend in this dom0 is to serve instead
    :param disk: what our own process serves
    """

    op: str = "randread"
    bs: int = 4096
    depth: int = 32
    seconds: float = 5.0
    disk: str = "mem"
    device: str = "xvda"
    loopback: str | None = None
    front: str | None = None
    blkback: str | None = None
    queues: int = 1
    order: int = 4
    indirect: int = 256
    persistent: bool = True
    grants: str = "copy"


class _Queues(bench.Owner):
    # The user of a frontend's queues (`frontend.User`): keeps them for the load.

    def __init__(self) -> None:
        self.error: DriverError | None = None
        self.geometry = Geometry(0)
        self.queues: list[FrontQueue] = []
        self._lent = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[Sequence[FrontQueue]]:
        """Give the queues for as long as the context lasts: they are not taken back under it."""
        with self._lent:
            yield self.queues

    def resume(self, queues: Sequence[FrontQueue], geometry: Geometry | None = None) -> None:
        self.geometry = geometry or self.geometry
        self.queues = list(queues)
        # A frontend that takes up where a former one was parts first.
        self.parted = None

    def suspend(self, gone: DriverError | None = None) -> None:
        self.error = gone or self.error
        self.parted = gone or MachineError(_PARTED)
        with self._lent:
            queues, self.queues = self.queues, []
            for queue in queues:
                queue.close()

    def fail(self, error: DriverError) -> None:
        self.error = error


def measure(load: Workload) -> dict[str, Any]:
    """Run a load and give what was measured.

    :raises XentoolError: it cannot be, or the backend is not there
    :raises xentool.errors.PeerError: the backend broke the protocol
    """
    with ExitStack() as stack:
        transport: Transport | None = None
        try:
            transport, here = stack.enter_context(_way(load))
            return _run(transport, here, load)
        except PeerError as error:
            raise Broken(str(error)) from error
        except (DriverError, XenStoreError, ValueError) as error:
            raise XentoolError(reason(transport, error)) from error


def _run(transport: Transport, here: str, load: Workload) -> dict[str, Any]:
    user = _Queues()
    options = frontend.Options(
        load.order,
        load.queues,
        load.indirect,
        load.persistent,
        data_pages=bench.data_pages(load.bs, load.depth, load.indirect),
    )
    with frontend.joined(transport, here, user, options) as end:
        # One that has told nothing yet has done nothing, if it counts at all.
        before = _backend(transport, end.there) or Stats()
        with user.lent() as queues:
            if not queues:
                raise user.parted or MachineError(_PARTED)
            result = bench.run(
                queues,
                user.geometry,
                user,
                op=load.op,
                bs=load.bs,
                depth=load.depth,
                seconds=load.seconds,
            )
        after = _settled(transport, end.there)
        if user.parted:
            # What it counted is gone with it.
            raise user.parted
    done = after and Stats(**{name: number - before.document()[name] for name, number in after.document().items()})
    asked = {"op": load.op, "bs": load.bs, "depth": load.depth}
    return {"schema": "xentool.block.bench/1", **asked, **result.document(done)}


def _settled(transport: Transport, there: str) -> Stats | None:
    # A backend of ours tells what it has done every now and then: until that is all of it.
    deadline = time.monotonic() + 3
    last = _backend(transport, there)
    while last and time.monotonic() < deadline:
        time.sleep(1.1)
        now = _backend(transport, there)
        if now == last:
            break
        last = now
    return last


def _backend(transport: Transport, there: str) -> Stats | None:
    # None for backends that count nothing, and for one that has been plugged out.
    told = Peer(transport.store, there).numbers("statistics", 0, 2**63)
    return None if told is None else Stats(**{name: told.get(name.replace("_", "-"), 0) for name in Stats().document()})


@contextmanager
def _way(load: Workload) -> Iterator[tuple[Transport, str]]:
    if load.front is not None or load.blkback is not None:
        from pvdrivers.transport.xen import Xen  # noqa: PLC0415 - whoever starts a driver chooses

        try:
            xen = Xen()
        except (MachineError, NoStore) as error:
            raise Unavailable(str(error)) from error
        with xen:
            if load.blkback is not None:
                with kernel.served(xen, load.blkback) as spot:
                    yield xen, spot.front
            else:
                yield xen, _frontend(xen, load.front or "")
        return
    from pvdrivers.transport.loopback import Loopback  # noqa: PLC0415 - one transport is needed

    with ExitStack() as stack:
        directory = (
            loopbacks.directory(load.loopback) if load.loopback is not None else stack.enter_context(_process(load))
        )
        try:
            loopback = stack.enter_context(Loopback(directory, loopbacks.GUEST))
        except MachineError as error:
            raise XentoolError(f"{error}; `xentool block serve --loopback NAME --disk ...` is one") from error
        here = f"/local/domain/{loopbacks.GUEST}/device/vbd/{vdev.number(load.device)}"
        stack.enter_context(loopbacks.joining(directory, here))
        yield loopback, here


def _frontend(xen: Transport, name: str) -> str:
    home = xen.store.domain_path(xen.domid)
    return name if name.startswith("/") else f"{home}/device/{USER}/{vdev.number(name)}"


@contextmanager
def _process(load: Workload) -> Iterator[Path]:
    disk = _SIZES.get(load.disk, load.disk)
    with tempfile.TemporaryDirectory(prefix="xentool-bench-") as directory:
        argv = [sys.executable, "-m", "xentool", "block", "serve", "--loopback", directory, "--disk", disk]
        argv += ["--queues", str(load.queues), "--grants", load.grants]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr  # noqa: S101 - asked for
        try:
            # It says so once it serves.
            line = process.stderr.readline().decode(errors="replace").strip()
            if "serving" not in line:
                raise XentoolError(line.removeprefix("xentool: ") or "the backend's process ended at once")
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield Path(directory)
        finally:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
