"""Images of QEMU's format, by a qemu-nbd of our own: nobody should parse that format a second time."""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from pvdrivers.abi.blkif import SECTOR_SIZE
from pvdrivers.block.disks.nbd import Nbd
from pvdrivers.block.errors import NoDisk

#: Seconds that it may take to open an image.
_PATIENCE = 10.0
#: Seconds between the end of its connection and its own.
_END = 1.0


class Qcow2(Nbd):
    """An image. Its server ends when its only client is gone, however that ends.

    :raises NoDisk: there is no such image, or no qemu-nbd
    """

    #: Of the clusters that images have unless somebody wants others.
    granularity = 64 << 10

    def __init__(self, path: Path, *, readonly: bool = False, sector_size: int = SECTOR_SIZE) -> None:
        self._path = path
        if not path.exists():
            raise NoDisk(f"cannot open {path}: No such file or directory")
        program = shutil.which("qemu-nbd")
        if not program:
            raise NoDisk(f"{path} needs qemu-nbd (Debian's package qemu-utils)")
        with tempfile.TemporaryDirectory(prefix="xentool-nbd-") as folder:
            place = Path(folder) / "socket"
            argv = [program, "--format=qcow2", "--discard=unmap", f"--socket={place}", *(["--read-only"] * readonly)]
            self._server = subprocess.Popen(
                [*argv, "--", str(path.absolute())], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            self._connect(path, place, readonly, sector_size)

    def _connect(self, path: Path, place: Path, readonly: bool, sector_size: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                super().__init__(place, readonly=readonly, sector_size=sector_size)
            except NoDisk as error:
                # Not listening yet, or not any more.
                if self._server.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                self._server.kill()
                said = self._server.communicate()[1].decode(errors="replace").strip().splitlines()
                raise NoDisk(f"qemu-nbd does not serve {path}: {said[-1] if said else error}") from None
            return

    def _ended(self, error: OSError) -> str:
        # It may be on its way out, or deaf to us alone.
        try:
            code = self._server.wait(_END)
        except subprocess.TimeoutExpired:
            return f"qemu-nbd of {self._path}: {super()._ended(error)}"
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
        return f"qemu-nbd of {self._path} has ended {how}: all requests fail"

    def abandon(self) -> None:
        """End the server, even one that was stopped."""
        self._server.kill()

    def close(self) -> None:
        """Part from the server, which then ends."""
        super().close()
        try:
            self._server.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.communicate()
