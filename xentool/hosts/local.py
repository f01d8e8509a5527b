"""The machine that runs this program as the host, when it is a dom0."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from xentool.errors import XentoolError
from xentool.hosts import waiting
from xentool.hosts.base import Completed, Stream, checked, run_child, spawn

DOM0_UUID = "00000000-0000-0000-0000-000000000000"


def is_dom0(root: Path = Path("/")) -> bool:
    """Tell whether this machine is a dom0, by xenfs or, where that is not mounted, by sysfs.

    Ref: Linux drivers/xen/xenfs/super.c (capabilities), drivers/xen/sys-hypervisor.c (uuid)
    """
    return "control_d" in _read(root / "proc/xen/capabilities").split() or (
        _read(root / "sys/hypervisor/type") == "xen" and _read(root / "sys/hypervisor/uuid") == DOM0_UUID
    )


def is_kvm_host(root: Path = Path("/")) -> bool:
    """Tell whether KVM can run machines here: its device is there, or its module."""
    return (root / "dev/kvm").exists() or (root / "sys/module/kvm").exists()


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _load() -> str:
    return waiting.load(f"{_read(Path('/proc/loadavg'))} {os.cpu_count() or 1}")


class LocalHost:
    """Commands run here, as the user who runs this program."""

    name = "local"

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float | None = None, check: bool = True
    ) -> Completed:
        """Run a command to its end (see `Host.run`)."""
        completed = run_child(self.name, argv, argv, input=input, timeout=timeout, load=_load)
        return checked(self.name, completed) if check else completed

    def popen(self, argv: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
        """Start a command (see `Host.popen`)."""
        try:
            return spawn(argv, stdin=stdin, stdout=stdout, stderr=stderr)
        except OSError as error:
            raise XentoolError(f"{argv[0]} did not start on {self.name}: {error.strerror}") from error

    def interact(self, argv: Sequence[str]) -> int:
        """Run a command on this program's terminal (see `Host.interact`)."""
        try:
            return subprocess.run(argv, check=False).returncode
        except OSError as error:
            raise XentoolError(f"{argv[0]} did not start on {self.name}: {error.strerror}") from error

    def put(self, source: Path, target: str) -> None:
        """Copy a file (see `Host.put`)."""
        part = Path(f"{target}.part")
        try:
            shutil.copyfile(source, part)
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise XentoolError(f"cannot copy {source} to {target}: {error.strerror}") from error

    def forward(self, path: str) -> Path:
        """Give the socket itself (see `Host.forward`)."""
        return Path(path)

    def close(self) -> None:
        """Do nothing: there is no connection."""
