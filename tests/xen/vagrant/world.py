"""Namespaces with a libvirtd of their own, for programs that would make machines and networks."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

#: What must be installed, and which of Debian's packages brings it.
PROGRAMS = {
    "vagrant": "vagrant",
    "libvirtd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "dnsmasq": "dnsmasq-base",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
}
#: Not every user's PATH has them.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_UNSHARE = ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--mount-proc", "--propagation", "private", "--"]
_SCRIPT = Path(__file__).with_name("namespace.sh")


def lacking() -> str | None:
    """Say what this machine lacks for such namespaces, if anything."""
    if os.geteuid() != 0:
        return "a libvirtd in namespaces of its own needs root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun, by which libvirt's machines reach their network"
    packages = sorted(package for program, package in PROGRAMS.items() if shutil.which(program, path=PATH) is None)
    if not packages and not _has_plugin():
        packages = ["vagrant-libvirt"]
    return f"not installed: {', '.join(packages)}; `make setup` brings them" if packages else None


def _has_plugin() -> bool:
    asked = ["dpkg-query", "-W", "-f=${db:Status-Status}", "vagrant-libvirt"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout == "installed"


class World:
    """The namespaces, while they are there.

    :param pid: of their first process
    :param environ: what programs there find in their environment
    """

    def __init__(self, pid: int, environ: Mapping[str, str]) -> None:
        self._enter = ["nsenter", "--target", str(pid), "--net", "--mount", "--pid", "--ipc"]
        self._environ = {**os.environ, "PATH": PATH, **environ}

    def run(self, *argv: str, folder: Path, timeout: float) -> "subprocess.CompletedProcess[str]":
        """Run a program there to its end.

        :param folder: its working directory
        :param timeout: seconds after which it counts as hung
        """
        return subprocess.run(
            [*self._enter, f"--wd={folder}", "--", *argv],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


@contextmanager
def made(work: Path, environ: Mapping[str, str]) -> Iterator[World]:
    """Make the namespaces; with them ends all that was started there.

    :param work: an empty folder for libvirt's files, of which machines' disks take gigabytes
    """
    with (work / "libvirtd.log").open("wb") as log:
        # It reads until this process closes its input, or is no more.
        holder = subprocess.Popen(
            [*_UNSHARE, "sh", str(_SCRIPT), str(work)],
            env={**os.environ, "PATH": PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            lines = iter(holder.stdout.readline, "")
            assert "ready\n" in lines, (work / "libvirtd.log").read_text()
            (inside,) = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
            yield World(int(inside), environ)
        finally:
            holder.stdin.close()
