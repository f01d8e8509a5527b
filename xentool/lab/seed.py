"""The seed: a tar that a host unpacks over its root while it boots, with all that is the project's or this lab's own.

Being apart from the image, it makes a change of code cost seconds, and the image the same for all labs.
"""

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xentool.lab import initramfs, parts, payload, places, releases
from xentool.lab.hypervisors import Hypervisor
from xentool.lab.image import Image
from xentool.lab.progress import Progress

_SCRIPTS = (
    "bridge.sh",
    "console-end.sh",
    "dom0-consoled.sh",
    "dom0-start.sh",
    "dom0-stop.sh",
    "guest-number.sh",
    "guest-start.sh",
    "guest-stop.sh",
    "host-install.sh",
    "host-start.sh",
    "host-wake.sh",
    "kvm-guest-list.sh",
    "kvm-guest-start.sh",
    "kvm-guest-stop.sh",
    "kvm-start.sh",
    "kvm-stop.sh",
    "tap-up.sh",
)
_LISTS = ("dom0-modules.list", "kvm-modules.list")
_HOTPLUG = ("block-xentool", "vif-xentool")
_SECTOR = 512
#: What the host sees of the disk, whatever is on it: one that was saved gets another disk, and does not look anew.
_DISK_BYTES = 1 << 27
# Files that are neither programs nor secret are readable for all.
_PRIVATE = ("root/.ssh/", "etc/ssh/ssh_host_ed25519_key")


@dataclass(frozen=True)
class Keys:
    """Contents of OpenSSH key files: who may log in, and who dom0 is."""

    authorized: bytes
    host_private: bytes
    host_public: bytes


def system(image: Image) -> dict[str, bytes]:
    """Return the files that are the same in all labs of an image, but for xentool: scripts, the guest's archive."""
    here = places.DATA_IN_DOM0.lstrip("/")
    kernel = parts.UNPACKED.format(image.kernel)
    settings = f"XEN_BIN=/usr/lib/xen-{image.release.xen}/bin\nKERNEL={kernel}\n"
    return {
        **{f"{here}/{name}": releases.data(name) for name in (*_SCRIPTS, *_LISTS)},
        **{f"etc/xen/scripts/{name}": releases.data(f"{name}.sh") for name in _HOTPLUG},
        "etc/default/xentool-lab": settings.encode(),
        "etc/ssh/sshd_config.d/xentool.conf": releases.data("sshd.conf"),
        f"{here}/guest-initrd": initramfs.make(
            image.folder,
            "guest",
            "guest.init",
            {"more": "root", "virtio": "virtio", "emulated": "emulated"},
            programs=["work"],
        ),
    }


def software(image: Image, progress: Progress) -> dict[str, bytes]:
    """Return these, and xentool itself."""
    return {**system(image), **payload.collect(image.python, progress)}


def settings(under: Hypervisor, store: str, hvm_cpus: str) -> dict[str, bytes]:
    """Return the files that say what kind of lab it is.

    :param under: what it boots
    :param store: the program that is its XenStore, under Xen
    :param hvm_cpus: where hardware-assisted guests may run, as xl.conf(5) and taskset(1) have it
    """
    return {
        "etc/inittab": releases.data(under.inittab),
        "etc/default/xentool-guests": f"GUEST_CPUS={hvm_cpus}\n".encode(),
        "etc/xen/xl.conf": f'vm.hvm.cpumask="{hvm_cpus}"\n'.encode(),
        "etc/default/xenstored": f"XENSTORED={store}\n".encode(),
    }


def identity(name: str, keys: Keys) -> dict[str, bytes]:
    """Return the files that are one lab's own."""
    return {
        "etc/hostname": f"{name}\n".encode(),
        "root/.ssh/authorized_keys": keys.authorized,
        "etc/ssh/ssh_host_ed25519_key": keys.host_private,
        "etc/ssh/ssh_host_ed25519_key.pub": keys.host_public,
    }


def write(disk: Path, files: Mapping[str, bytes]) -> None:
    """Make the disk with a tar of files."""
    disk.write_bytes(pack(files))
    os.truncate(disk, max(disk.stat().st_size, _DISK_BYTES))


def pack(files: Mapping[str, bytes]) -> bytes:
    """Make a tar, root's and without times, that fills whole disk sectors."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mode = _mode(path, content)
            tar.addfile(member, io.BytesIO(content))
    packed = buffer.getvalue()
    return packed + bytes(-len(packed) % _SECTOR)


def _mode(path: str, content: bytes) -> int:
    if path.startswith(_PRIVATE):
        return 0o600
    return 0o755 if content.startswith(b"#!") else 0o644
