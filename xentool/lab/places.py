"""Where labs keep their files: images, wheels, snapshots and one run folder per lab, all under the cache."""

import re
from pathlib import Path

from xentool.errors import XentoolError
from xentool.hosts.labs import cache_directory

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
DATA_IN_DOM0 = "/usr/lib/xentool-lab"


def images() -> Path:
    """Return the folder of the images."""
    return _made("images")


def wheels() -> Path:
    """Return the folder of the project's own wheels."""
    return _made("wheels")


def snapshots() -> Path:
    """Return the folder of what labs were right after their boots."""
    return _made("snapshots")


def runs() -> Path:
    """Return the folder that holds one run folder per lab."""
    return _made("run")


def probe() -> Path:
    """Return the file that remembers whether KVM runs guests here."""
    return _made(".") / "kvm-probe.json"


def run_folder(name: str) -> Path:
    """Return a lab's own folder, which need not exist.

    :raises XentoolError: that cannot be the name of a lab
    """
    return runs() / checked_name(name, "lab")


def checked_name(name: str, what: str) -> str:
    """Return ``name`` if it can go into paths, configuration files and command lines as it is."""
    if not _NAME.fullmatch(name):
        raise XentoolError(f"{name!r} is no name for a {what}: use up to 40 letters, digits, '.', '_' and '-'")
    return name


def _made(part: str) -> Path:
    folder = cache_directory() / "lab" / part
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XentoolError(f"cannot make the lab's folder {folder}: {error.strerror}") from error
    return folder
