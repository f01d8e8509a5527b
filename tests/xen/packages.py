"""Debian packages that are in no lab's image, unpacked into one dom0 for a test or a bench that needs them."""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tests.xen.labs import HUNG, Lab
from xentool.hosts import resolve
from xentool.hosts.labs import cache_directory
from xentool.lab import apt
from xentool.lab.releases import RELEASES, Release

#: Where this machine's apt names no mirror.
DEBIAN = "http://deb.debian.org/debian"
#: Nobody reads them there.
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale")


def install(lab: Lab, *packages: str, without: Sequence[str] = UNREAD) -> None:
    """Unpack packages, with the libraries that they lack. None is configured, and dom0's dpkg knows of none.

    :param without: folders that are left out
    """
    with closing(resolve(lab.host)) as host:
        installed = host.run(["cat", "/var/lib/dpkg/status"]).stdout
        archives = _fetched(RELEASES[lab.xen], packages, installed)
        content = b"".join(_unpacked(archive) for archive in sorted(archives.glob("*.deb")))
        # One archive after the other; /lib is a link.
        words = ["--ignore-zeros", "--keep-directory-symlink", *(f"--exclude=./{folder}" for folder in without)]
        host.run(["tar", "-x", "-C", "/", *words], input=content, timeout=HUNG)
        host.run(["ldconfig"])


def _fetched(release: Release, packages: Sequence[str], installed: bytes) -> Path:
    # Fetched once for an image: what is the same in its dom0 is the same in all labs.
    key = hashlib.sha256("\0".join([release.suite, *packages, ""]).encode() + installed).hexdigest()[:16]
    target = cache_directory() / "lab" / "packages" / key
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            _fetch(release, packages, installed, Path(work))
            Path(work, "cache/archives").rename(target)
    return target


def _fetch(release: Release, packages: Sequence[str], installed: bytes, work: Path) -> None:
    # An apt of its own: this machine may be another Debian than dom0.
    for folder in ("state/lists/partial", "cache/archives/partial"):
        Path(work, folder).mkdir(parents=True)
    Path(work, "status").write_bytes(installed)
    sources = apt.lines(apt.of_this_machine(), release.suite) or [f"deb {DEBIAN} {release.suite} main"]
    Path(work, "sources.list").write_text("\n".join(sources) + "\n")
    argv = ["apt-get", *_options(work), "--quiet"]
    wanted = ["install", "--yes", "--no-install-recommends", "--download-only", *packages]
    for words in (["update"], wanted):
        subprocess.run([*argv, *words], stdout=subprocess.DEVNULL, check=True)


def _options(work: Path) -> Iterator[str]:
    for option in (
        f"Dir::State={work}/state",
        f"Dir::State::status={work}/status",
        f"Dir::Cache={work}/cache",
        f"Dir::Etc::sourcelist={work}/sources.list",
        "Dir::Etc::sourceparts=/dev/null",
        "APT::Sandbox::User=root",
        "Debug::NoLocking=1",
    ):
        yield from ("-o", option)


def _unpacked(archive: Path) -> bytes:
    return subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE, check=True).stdout
