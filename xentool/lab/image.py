"""A lab's image: what is in one, under which key it is cached, and how to find or build it.

An image is a folder: ``root.ext4`` (dom0's root disk, never written to), ``xen.elf``, ``vmlinux``, ``busybox``,
``modules/`` (what goes into start-up archives) and ``image.json``. The project's own files are not in it (see `seed`),
so that a change of code costs no rebuild.
"""

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xentool.lab import apt, bootstrap, locks, parts, places, releases
from xentool.lab.progress import SILENT, Progress
from xentool.lab.releases import Release

# Counts changes of the build's code that change its result.
_BUILD_VERSION = 2
_KEPT_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Image:
    """A built image.

    :param kernel: the kernel's release, such as 6.1.0-50-amd64
    :param python: dom0's Python, such as 3.11
    """

    folder: Path
    release: Release
    kernel: str
    python: str


def inputs(release: Release) -> dict[str, Any]:
    """Return all that decides what is in an image."""
    return {
        "version": _BUILD_VERSION,
        "release": asdict(release),
        "packages": releases.packages(release),
        "modules": {name: releases.listed(f"{name}-modules.list") for name in parts.ARCHIVES},
        "left_out": bootstrap.LEFT_OUT,
    }


def key(release: Release) -> str:
    """Return the name of a release's image in the cache: a hash of its inputs."""
    canonical = json.dumps(inputs(release), sort_keys=True).encode()
    return f"{release.xen}-{hashlib.sha256(canonical).hexdigest()[:12]}"


def find(release: Release) -> Image | None:
    """Return the cached image, None when it has to be built."""
    folder = places.images() / key(release)
    try:
        found = json.loads((folder / "image.json").read_bytes())
    except FileNotFoundError:
        return None
    os.utime(folder)  # `_prune` goes by when an image was last used
    return Image(folder, release, found["kernel"], found["python"])


def ensure(release: Release, progress: Progress = SILENT) -> Image:
    """Return the image, building it first when it is not cached (a minute or two).

    :raises XentoolError: a step failed; the message ends with the build log's last lines
    """
    lock = places.images() / f"{release.xen}.lock"
    with locks.wait_for(lock, progress, f"waiting for another xentool that builds the Xen {release.xen} image"):
        image = find(release)
        if image is None:
            image = _build(release, progress)
            _prune(release)
    return image


def _build(release: Release, progress: Progress) -> Image:
    target = places.images() / key(release)
    work = target.with_name(f"{target.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    log = places.images() / f"build-{release.xen}.log"
    log.unlink(missing_ok=True)
    try:
        archive = work / "root.tar"
        bootstrap.make_archive(release, apt.lines(apt.of_this_machine(), release.suite), archive, log, progress)
        progress.step("unpacking Xen, the kernel and its modules")
        kernel, python = parts.extract(archive, work)
        bootstrap.make_disk(archive, work / "root.ext4", log, progress)
        archive.unlink()
        meta = {"kernel": kernel, "python": python, "built": time.time(), "inputs": inputs(release)}
        (work / "image.json").write_text(json.dumps(meta, indent=1))
        work.rename(target)
    except BaseException:
        bootstrap.remove_tree(work)
        raise
    return Image(target, release, kernel, python)


def _prune(release: Release) -> None:
    # Whoever works on the lists makes many images; a running lab keeps the files that it has open.
    for folder in places.images().glob(f"{release.xen}-*"):
        if folder.name != key(release) and time.time() - folder.stat().st_mtime > _KEPT_S:
            bootstrap.remove_tree(folder)
