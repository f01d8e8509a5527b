"""What a machine tells about itself, read below a root prefix into `Facts`; what it means is not known here.

The prefix may be somebody else's disk: reads are bounded, only plain files are opened, and nothing outside of the
prefix is reached by its symbolic links. A file that is missing or unreadable is an ordinary case.
"""

import os
import re
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from xentool.detect.model import Evidence

_FILE_MAX = 64 << 10
#: Names in a folder, devices on a bus: more tell nothing new.
_NAMES_MAX = 1024
_DEVICES_MAX = 256
_VALUE_MAX = 160

FILES = (
    "/proc/cpuinfo",
    "/proc/xen/capabilities",
    "/proc/1/environ",
    "/proc/2/comm",
    "/proc/self/cgroup",
    "/proc/sys/kernel/osrelease",
    "/proc/device-tree/compatible",
    "/proc/device-tree/hypervisor/compatible",
    "/proc/sysinfo",
    "/run/host/container-manager",
    "/run/systemd/container",
    "/sys/class/dmi/id/bios_vendor",
    "/sys/class/dmi/id/board_name",
    "/sys/class/dmi/id/board_vendor",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/product_version",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource",
    "/sys/firmware/acpi/tables/FACP",
    "/sys/firmware/dmi/entries/0-0/raw",
    "/sys/hypervisor/guest_type",
    "/sys/hypervisor/properties/capabilities",
    "/sys/hypervisor/properties/features",
    "/sys/hypervisor/type",
    "/sys/hypervisor/uuid",
    "/sys/hypervisor/version/extra",
    "/sys/hypervisor/version/major",
    "/sys/hypervisor/version/minor",
    "/sys/module/kvm_amd/parameters/npt",
    "/sys/module/kvm_intel/parameters/ept",
)
FOLDERS = (
    "/proc/device-tree",
    "/sys/class/iommu",
    "/sys/firmware/acpi/tables",
    "/sys/kernel/iommu_groups",
    "/sys/module",
)
#: Paths that matter by being there.
MARKS = (
    "/.dockerenv",
    "/dev/kvm",
    "/dev/lxd/sock",
    "/proc/bc",
    "/proc/device-tree/chosen/qemu,graphic-width",
    "/proc/vz",
    "/proc/xen",
    "/run/.containerenv",
)
BUSES = ("pci", "virtio", "vmbus", "xen", "xen-backend")
NAMESPACES = ("cgroup", "ipc", "pid", "user", "uts")

CPUID = "/dev/cpu/0/cpuid"
#: A hypervisor that shows others' interfaces moves its own leaves up by 0x100 each; three is the most any shows.
CPUID_BASES = range(0x40000000, 0x40000400, 0x100)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Device:
    """A device on a bus.

    :param uevent: its words
    :param functions_max: how many virtual functions it can have
    :param functions: how many it has
    :param group: of the IOMMU's, as its name is; None where the kernel has none
    :param physical: whose virtual function it is
    """

    path: str
    uevent: Mapping[str, str]
    functions_max: int = 0
    functions: int = 0
    group: str | None = None
    physical: str | None = None

    @property
    def name(self) -> str:
        """What it is called on its bus."""
        return self.path.rpartition("/")[2]

    @property
    def driver(self) -> str | None:
        """Which driver has it."""
        return self.uevent.get("DRIVER")


@dataclass(frozen=True)
class Facts:
    """What was read; all paths begin with / and are below the root.

    :param files: text, without the white space and NULs around it; Latin-1, so that binary files survive
    :param namespaces: inode numbers, by kind
    :param cpuid: signatures of hypervisors, by the leaf they stand in
    """

    files: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    devices: Mapping[str, tuple[Device, ...]] = field(default_factory=dict)
    namespaces: Mapping[str, int] = field(default_factory=dict)
    cpuid: Mapping[int, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    def text(self, path: str) -> str:
        """Give what a file holds, or nothing."""
        return self.files.get(path, "")

    def evidence(self, path: str, value: str | None = None) -> Evidence:
        """Cite a file: all it holds, or what in it matters."""
        return Evidence(path, shown(self.text(path) if value is None else value))


def shown(text: str) -> str:
    """Make text from elsewhere fit to be shown: one printable line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: _VALUE_MAX + 1]).split())
    return line if len(text) <= _VALUE_MAX else f"{line[:_VALUE_MAX]}…"


def read(root: Path = Path("/")) -> Facts:
    """Read all that there is to read at once, in some milliseconds."""
    reader = _Reader(root)
    files = {path: text for path in FILES if (text := reader.text(path)) is not None}
    folders = {path: names for path in FOLDERS if (names := reader.names(path, _NAMES_MAX)) is not None}
    devices = {bus: tuple(reader.devices(bus)) for bus in BUSES}
    namespaces = {kind: inode for kind in NAMESPACES if (inode := reader.namespace(kind)) is not None}
    marks = frozenset(path for path in MARKS if reader.exists(path))
    # Only the machine that this runs on has a CPU to ask.
    cpuid = reader.cpuid() if reader.root == "/" else {}
    return Facts(files, folders, marks, devices, namespaces, cpuid, tuple(reader.unread))


class _Reader:
    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self.unread: list[str] = []

    def text(self, path: str) -> str | None:
        return self._try(path, _text)

    def names(self, path: str, limit: int) -> tuple[str, ...] | None:
        return self._try(path, lambda at: _names(at, limit))

    def exists(self, path: str) -> bool:
        return self._try(path, os.stat) is not None

    def namespace(self, kind: str) -> int | None:
        # The link's text is "pid:[4026531836]", and points to nothing.
        link = self._try(f"/proc/self/ns/{kind}", os.readlink, follow=False) or ""
        number = link.removeprefix(f"{kind}:[").removesuffix("]")
        return int(number) if number.isascii() and number.isdigit() and len(number) < 20 else None

    def devices(self, bus: str) -> Iterator[Device]:
        folder = f"/sys/bus/{bus}/devices"
        for name in self.names(folder, _DEVICES_MAX) or ():
            path = f"{folder}/{name}"
            lines = (self.text(f"{path}/uevent") or "").splitlines()
            words = {key: value for key, _, value in (line.partition("=") for line in lines)}
            if bus != "pci":
                yield Device(path, words)
                continue
            total, number = (self._count(f"{path}/{what}") for what in ("sriov_totalvfs", "sriov_numvfs"))
            group, physical = (self._target(f"{path}/{what}") for what in ("iommu_group", "physfn"))
            yield Device(path, words, total, number, group, physical)

    def cpuid(self) -> dict[int, str]:
        return self._try(CPUID, _cpuid_signatures) or {}

    def _target(self, path: str) -> str | None:
        # The link itself tells: what it leads to need not be there.
        name = (self._try(path, os.readlink, follow=False) or "").rpartition("/")[2]
        return name if re.fullmatch(r"[0-9a-f:.]{1,16}", name) else None

    def _count(self, path: str) -> int:
        text = self.text(path) or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0

    def _try(self, path: str, work: Callable[[str], _T], *, follow: bool = True) -> _T | None:
        try:
            return work(self._inside(path, follow=follow))
        except PermissionError:
            self.unread.append(path)
        except (OSError, ValueError):  # ValueError: a NUL in a name
            pass
        return None

    def _inside(self, path: str, *, follow: bool) -> str:
        if self.root == "/":
            return path
        folder, name = os.path.split(self.root + path)
        resolved = os.path.realpath(self.root + path) if follow else f"{os.path.realpath(folder)}/{name}"
        if not resolved.startswith(f"{self.root}/"):
            raise FileNotFoundError(path)
        return resolved


def _text(path: str) -> str | None:
    # Without O_NONBLOCK a FIFO under a hostile prefix would hold us forever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        return file.read(_FILE_MAX).decode("latin-1").strip("\0\n\t ")


def _names(path: str, limit: int) -> tuple[str, ...]:
    with os.scandir(path) as entries:
        return tuple(sorted(entry.name for entry in islice(entries, limit)))


def _cpuid_signatures(path: str) -> dict[int, str]:
    # Ref: Linux arch/x86/kernel/cpuid.c: the position is the leaf; 16 bytes are eax, ebx, ecx, edx
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return signatures({leaf: os.pread(descriptor, 16, leaf) for leaf in (1, *CPUID_BASES)})
    finally:
        os.close(descriptor)


def signatures(leaves: Mapping[int, bytes]) -> dict[int, str]:
    """Find the signatures of hypervisors.

    :param leaves: of CPUID: eax, ebx, ecx, edx, little endian; none counts that is shorter
    """
    words = {leaf: struct.unpack("<4I", data) for leaf, data in leaves.items() if len(data) == struct.calcsize("<4I")}
    if not words.get(1, (0, 0, 0, 0))[2] >> 31:  # CPUID 1 ecx bit 31: a hypervisor is there, and so are its leaves
        return {}
    bases = [leaf for leaf in words if leaf in CPUID_BASES]
    texts = {leaf: struct.pack("<3I", *words[leaf][1:]).decode("latin-1").rstrip("\0") for leaf in bases}
    return {leaf: text for leaf, text in texts.items() if text and text.isascii() and text.isprintable()}
