"""Which Xen comes with which Debian, and the lists and scripts in `data`, which the Vagrantfile reads as well."""

from dataclasses import dataclass
from importlib.resources import files

from xentool.lab.hypervisors import XEN, Hypervisor


@dataclass(frozen=True)
class Release:
    """A version of Xen and the Debian suite that brings it."""

    xen: str
    suite: str


RELEASES = {release.xen: release for release in (Release("4.17", "bookworm"), Release("4.20", "trixie"))}
DEFAULT_XEN = "4.17"
#: Without which this program cannot build a lab, or control it; the kernel of Debian 13 is packed by zstd.
LIBRARIES = {"4.17": ("qemu.qmp",), "4.20": ("qemu.qmp", "zstandard")}
#: Xen's two programs that serve XenStore; Debian's toolstack starts the first.
STORES = ("oxenstored", "xenstored")


def running(under: Hypervisor, xen: str) -> str:
    """Return what a lab of an image runs, in words."""
    return f"Xen {xen}" if under is XEN else f"{under.title} of Debian {RELEASES[xen].suite}"


def data(name: str) -> bytes:
    """Return a file of `data`."""
    return (files("xentool.lab") / "data" / name).read_bytes()


def listed(name: str) -> list[str]:
    """Return the entries of a list in `data`, without its comments."""
    lines = (line.strip() for line in data(name).decode().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def packages(release: Release) -> list[str]:
    """Return the Debian packages of a release's dom0."""
    return [entry.replace("{xen}", release.xen) for entry in listed("packages.list")]
