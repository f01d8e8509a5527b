"""A QEMU whose backends serve dom0's devices, as a process of the kit's.

Ref: QEMU hw/xen/xen-bus.c; xen/tools/hotplug/Linux/systemd/xen-qemu-dom0-disk-backend.service
"""

import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from xentool.tools.conformance.spent import spent
from xentool.tools.conformance.xen.bench import BackendBench

#: Where distributions put the one that knows Xen.
_PROGRAMS = (
    "/usr/libexec/xen-qemu-system-i386",
    "/usr/lib/xen/bin/qemu-system-i386",
    "/usr/libexec/xen/bin/qemu-system-i386",
    "qemu-system-i386",
    "qemu-system-x86_64",
)
_WORDS = (
    *("-xen-domid", "0", "-xen-attach", "-name", "xentool-conformance", "-M", "xenpv", "-nographic", "-nodefaults"),
    *("-no-user-config", "-monitor", "none", "-serial", "none", "-parallel", "none"),
)
#: Seconds that it may take to end.
_PATIENCE = 15.0


def program() -> str | None:
    """Find a QEMU that may know Xen; None if there is none."""
    return next((found for each in _PROGRAMS if (found := shutil.which(each))), None)


def version() -> str:
    """Give QEMU's version, as its package is called where a distribution made it; empty if there is none."""
    if (found := program()) is None:
        return ""
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version ([\d.]+)(?: \(Debian \d*:?([^)]+)\))?", said)
    return (match[2] or match[1]) if match else ""


def attached(argv: bytes) -> bool:
    """Tell of a process's command line whether it is a QEMU that serves dom0's devices."""
    words = argv.split(b"\0")
    return (b"-xen-domid", b"0") in itertools.pairwise(words)


class Qemu:
    """The process."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
        self._process, self._said = process, said

    def descriptors(self) -> Resources:
        """Tell how many files it has open; nothing if it has ended."""
        with suppress(OSError):
            return {"descriptors": len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))}
        return {}

    def ended(self) -> str | None:
        """Tell how the process ended, if it has."""
        if (status := self._process.poll()) is None:
            return None
        self._said.seek(0)
        last = self._said.read().decode(errors="replace").strip().rpartition("\n")[2]
        return f"QEMU has ended with {status}" + (f": {last}" if last else "")

    def effort(self) -> float:
        """Give its processor time."""
        return spent(self._process.pid)


class QemuBench(BackendBench):
    """A QEMU, and devices for it."""

    qemu: Qemu

    def resources(self) -> Resources:
        """Tell what is in use of pages and channels, and what files it has open."""
        return {**super().resources(), **self.qemu.descriptors()}

    def ended(self) -> str | None:
        """Tell how the process ended, if it has."""
        return self.qemu.ended()

    def effort(self) -> float:
        """Give its processor time."""
        return self.qemu.effort()


@contextmanager
def running(folder: Path, frontend: str, *words: str) -> Iterator[Qemu]:
    """Have it run.

    :param folder: for what it says
    :param frontend: Linux's driver that would take the kit's devices from it: vbd, vif
    :param words: what else it is told
    :raises MachineError: there is none, or not alone
    """
    if (found := program()) is None:
        raise MachineError("there is no QEMU that knows Xen (Debian's is in qemu-system-xen)")
    if Path(f"/sys/bus/xen/drivers/{frontend}").exists():
        raise MachineError(f"this dom0's kernel has a frontend (driver {frontend}), which would take the kit's devices")
    if any(attached(argv) for argv in _command_lines()):
        raise MachineError("a QEMU serves dom0's devices already, and would take the kit's")
    with (folder / "qemu.log").open("w+b") as said:
        process = subprocess.Popen(
            [found, *_WORDS, *words], stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder
        )
        try:
            yield Qemu(process, said)
        finally:
            _end(process)


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
