"""From Debian packages to dom0's root disk, as root or, in a user namespace, as an ordinary user."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from xentool.errors import Unavailable
from xentool.hosts.labs import cache_directory
from xentool.lab import logged, releases
from xentool.lab.progress import Progress
from xentool.lab.releases import Release

# Nobody reads them in dom0, or no device of theirs exists there; the first line also skips making an initramfs,
# which takes longer than all else and is not booted from.
LEFT_OUT = [
    "/etc/kernel/postinst.d/initramfs-tools",
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    *(f"*/lib/modules/*/kernel/{part}/*" for part in ("drivers/gpu", "drivers/media", "drivers/infiniband", "sound")),
]
_DISK_SIZE = "3G"  # sparse: it takes what the files take
_NAMESPACE = ["unshare", "--user", "--map-root-user", "--map-auto", "--"]


def make_archive(release: Release, sources: Sequence[str], target: Path, log: Path, progress: Progress) -> None:
    """Make a tar of a root with the release's packages.

    :param sources: lines for sources.list; none for Debian's default mirror
    :raises XentoolError: mmdebstrap failed
    :raises Unavailable: this user can make no root on this machine
    """
    _as_root()
    progress.step(f"installing Debian {release.suite} packages (mmdebstrap)")
    argv = [
        "mmdebstrap",
        f"--mode={'auto' if os.geteuid() == 0 else 'unshare'}",
        "--variant=minbase",
        f"--include={','.join(releases.packages(release))}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        release.suite,
        str(target),
        *sources,
    ]
    logged.run(argv, log, progress, {**os.environ, "LC_ALL": "C"})


def make_disk(archive: Path, target: Path, log: Path, progress: Progress) -> None:
    """Make an ext4 file system of a tar, without mounting anything."""
    prefix = _as_root()
    tree = target.with_name("tree")
    tree.mkdir()
    progress.step("making dom0's root disk (mke2fs)")
    # /dev comes from the kernel, and device nodes cannot be made in a user namespace.
    logged.run([*prefix, "tar", "-x", "-f", str(archive), "-C", str(tree), "--exclude=./dev/*"], log, progress)
    # No journal: the disk is only ever run on a throw-away overlay.
    options = ["-O", "^has_journal", "-E", "lazy_itable_init=1,root_owner=0:0", "-m", "0"]
    make = ["mke2fs", "-q", "-t", "ext4", *options, "-d", str(tree), str(target), _DISK_SIZE]
    # /usr/sbin is not on every user's PATH.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    logged.run([*prefix, "env", f"PATH={path}", *make], log, progress)
    remove_tree(tree)


def remove_tree(folder: Path) -> None:
    """Remove a folder, also when another user of the namespace owns what is in it; nothing is said if that fails."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and os.geteuid() != 0:
        subprocess.run([*_NAMESPACE, "rm", "-rf", str(folder)], capture_output=True, check=False)


def _as_root() -> list[str]:
    # The words before a command that make it run as root, in a namespace if need be.
    if os.geteuid() == 0:
        return []
    if not _has_namespaces():
        raise Unavailable(
            "an image needs user namespaces (package uidmap, a range in /etc/subuid) or root: "
            f"`sudo env XENTOOL_CACHE={cache_directory()} xentool lab build`"
        )
    return _NAMESPACE


def _has_namespaces() -> bool:
    # No pipes: where unshare is refused (in a chroot, say), the child that would have mapped ids holds them for ever.
    try:
        with subprocess.Popen(
            [*_NAMESPACE, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as tried:
            try:
                return tried.wait(timeout=10) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(tried.pid, signal.SIGKILL)
    except FileNotFoundError:
        raise Unavailable("unshare is not installed; it is in Debian's package util-linux") from None
