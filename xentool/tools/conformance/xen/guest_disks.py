"""Linux's block frontend in a guest: its disks are used by its dd, past the cache."""

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.conformance.block.subject import NotSupported, Used
from pvdrivers.errors import DriverError, MachineError
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.guests import GuestBench, GuestFront
from xentool.tools.conformance.xen.shell import Shell
from xentool.tools.devices import vdev

#: No kernel looks for backends of this kind. Disks far behind those that a guest has, and each is new to it.
_KIND = Kind("vbd", "ukit", lambda n: vdev.number_of(64 + n))

#: blkfront says that it is connected before Linux has the device.
_THERE = """
tries=400
while [ ! -b /dev/{disk} ] && [ $tries -gt 0 ]; do sleep 0.05; tries=$((tries - 1)); done
"""
#: By operation: its last command's status is the script's. Data are files meanwhile: dd tells what it did.
_SCRIPTS = {
    BlkifOp.READ: """
dd if=/dev/{disk} of=/read.$$ bs={length} count=1 skip={offset} iflag=direct,skip_bytes 2>/said.$$
status=$?
[ $status = 0 ] && cat /read.$$ || cat /said.$$
rm -f /read.$$ /said.$$
exit $status
""",
    BlkifOp.WRITE: """
base64 -d >/write.$$ <<END
{data}
END
dd if=/write.$$ of=/dev/{disk} bs={length} count=1 seek={offset} oflag=direct,seek_bytes conv=notrunc 2>&1
status=$?
rm -f /write.$$
exit $status
""",
    BlkifOp.FLUSH_DISKCACHE: "dd if=/dev/null of=/dev/{disk} count=0 conv=notrunc,fsync 2>&1",
    BlkifOp.DISCARD: "blkdiscard -o {offset} -l {length} /dev/{disk} 2>&1",
}
#: Seconds for what needs no disk.
_SOON = 30.0


class GuestUser:
    """Who uses a disk; see `pvdrivers.conformance.block.subject.DiskUser`.

    :param disk: as the guest calls it
    """

    def __init__(self, shell: Shell, disk: str) -> None:
        self._shell, self._disk = shell, disk

    @property
    def sectors(self) -> int:
        """The disk's size, as the guest's kernel has it; 0 for a disk that is not there."""
        said = self._shell.run(f"cat /sys/block/{self._disk}/size", _SOON)
        return int(said.output) if said.status == 0 else 0

    def start(self, operation: BlkifOp, offset: int = 0, length: int = 0, data: bytes = b"") -> "Future[bytes]":
        """Begin an operation."""
        script = (_THERE + _SCRIPTS[operation]).format(
            disk=self._disk, offset=offset, length=length or len(data), data=base64.encodebytes(data).decode().strip()
        )
        done: Future[bytes] = Future()
        thread = threading.Thread(target=self._do, args=(operation, length, script, done), daemon=True)
        thread.start()
        return done

    def _do(self, operation: BlkifOp, length: int, script: str, done: "Future[bytes]") -> None:
        # A disk that never answers keeps its user for ever: nobody waits for this thread.
        try:
            said = self._shell.run(script)
        except DriverError as error:
            done.set_exception(error)
            return
        if said.status:
            why = said.output.decode(errors="replace").strip().rpartition("\n")[2]
            unsupported = "not supported" in why
            done.set_exception(NotSupported(why) if unsupported else MachineError(why or f"status {said.status}"))
        elif operation != BlkifOp.READ:
            done.set_result(b"")
        elif len(said.output) != length:
            done.set_exception(MachineError(f"{len(said.output)} bytes were read, of {length}"))
        else:
            done.set_result(said.output)


class GuestDisks(GuestBench):
    """A guest's frontend, and disks for it; see `pvdrivers.conformance.block.subject.FrontBench`."""

    kind = _KIND
    counted = {"interrupts": "grep -c blkif /proc/interrupts", "disks": "ls /sys/block | wc -l"}  # noqa: RUF012 - as declared

    @contextmanager
    def used(self) -> Iterator[Used]:
        """Plug in a disk."""
        with self.plugged(lambda spot: ({"mode": "w"}, {"virtual-device": spot.devid, "device-type": "disk"})) as (
            spot,
            transport,
        ):
            yield Used(spot, transport, GuestUser(self.shell, vdev.name(spot.devid)))


def blkfront(domain: str) -> GuestFront[GuestDisks]:
    """Give the block frontend of a guest; see `GuestFront`."""
    return GuestFront("linux-block-frontend", "block", domain, GuestDisks)
