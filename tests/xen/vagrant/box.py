"""A Vagrant box of Debian's packages alone, kept in the cache: dom0's packages are in it, and machines are emulated.

python -m tests.xen.vagrant.box [XEN...]

A box of the provider libvirt is a tar of ``metadata.json``, ``Vagrantfile`` and ``box.img``, a qcow2 disk.
Ref: https://vagrant-libvirt.github.io/vagrant-libvirt/boxes.html
"""

import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from tests.xen.vagrant import disk, world
from xentool.hosts.labs import cache_directory
from xentool.lab import apt, bootstrap, locks, logged, qemu, releases
from xentool.lab.progress import SILENT
from xentool.lab.releases import Release

_HERE = Path(__file__).parent
#: An init, ssh, sudo, a boot loader, DHCP, and what Vagrant calls in a machine.
_BASE = (
    *("linux-image-amd64", "initramfs-tools", "zstd", "grub2-common", "grub-pc-bin", "cpio", "ca-certificates"),
    *("systemd-sysv", "udev", "dbus", "openssh-server", "sudo", "procps", "iproute2", "kmod", "e2fsprogs"),
    # By which sessions end before the network does: else a reboot leaves Vagrant waiting on a connection for ever.
    "libpam-systemd",
)
#: What dom0's image leaves out, but for the initramfs, which a box has.
_LEFT_OUT = [pattern for pattern in bootstrap.LEFT_OUT if pattern.startswith(("/usr", "*"))]
_DISK_MIB = 4096
#: With the packages, all that decides what is in a box.
_MADE_BY = ("box.py", "disk.py", "essential.sh", "customize.sh", "Vagrantfile.in")
#: Where Vagrant keeps the key of all boxes' first login.
_KEYS = Path("/usr/share/rubygems-integration/all/gems")


def ensure(release: Release) -> Path:
    """Return the box with a release's dom0, built if it is not in the cache (minutes).

    :raises XentoolError: a program failed; the message ends with the log's last lines
    """
    folder = cache_directory() / "vagrant"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{release.xen}-{_key(release)}.box"
    with locks.wait_for(folder / f"{release.xen}.lock", SILENT, ""):
        if not target.exists():
            for old in folder.glob(f"{release.xen}-*"):
                bootstrap.remove_tree(old) if old.is_dir() else old.unlink()
            work = target.with_suffix(".part")
            work.mkdir()
            _build(release, work).rename(target)
            shutil.rmtree(work)
    return target


def _key(release: Release) -> str:
    words = "\n".join([release.suite, *releases.packages(release), *_LEFT_OUT, qemu.CPU["tcg"]])
    sources = [(_HERE / name).read_bytes() for name in _MADE_BY]
    return hashlib.sha256(b"".join([words.encode(), *sources])).hexdigest()[:12]


def _build(release: Release, work: Path) -> Path:
    def run(argv: Sequence[str]) -> None:
        logged.run(argv, work.with_suffix(".log"), SILENT, {**os.environ, "LC_ALL": "C", "PATH": world.PATH})

    (key,) = _KEYS.glob("vagrant-*/keys/vagrant.pub")
    identity = str(uuid.uuid4())
    tree = work / "tree"
    tree.mkdir()
    run(
        [
            *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"),
            f"--include={','.join([*_BASE, *releases.packages(release)])}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
            f'--essential-hook=sh {_HERE}/essential.sh "$1"',
            f'--customize-hook=sh {_HERE}/customize.sh "$1" {key} {identity} {work}',
            *(release.suite, str(tree)),
            *apt.lines(apt.of_this_machine(), release.suite),
        ]
    )
    # It comes from the kernel.
    shutil.rmtree(tree / "dev")
    (tree / "dev").mkdir()
    disk.make(work / "box.raw", tree, identity, work, _DISK_MIB, run)
    shutil.rmtree(tree)
    run(["qemu-img", "convert", "-O", "qcow2", str(work / "box.raw"), str(work / "box.img")])
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": _DISK_MIB >> 10}
    (work / "metadata.json").write_text(json.dumps(metadata))
    text = (_HERE / "Vagrantfile.in").read_text()
    (work / "Vagrantfile").write_text(text.replace("@CPU@", qemu.CPU["tcg"]))
    run(["tar", "-C", str(work), "-cf", str(work / "box"), "metadata.json", "Vagrantfile", "box.img"])
    return work / "box"


if __name__ == "__main__":
    if (why := world.lacking()) is not None:
        sys.exit(why)
    for xen in sys.argv[1:] or releases.RELEASES:
        print(ensure(releases.RELEASES[xen]))
