"""Machines that were adopted as labs (see `xentool.lab.adopt`): an ssh_config(5) of each says how ssh reaches it."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from xentool.hosts.labs import cache_directory

if TYPE_CHECKING:
    from xentool.hosts.ssh import SshHost

_SUFFIX = ".ssh"


def config(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where a machine's ssh_config is, or would be."""
    return cache_directory(environ) / "lab/adopted" / f"{name}{_SUFFIX}"


def names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of all that were adopted, whether they run or not."""
    paths = sorted(config("*", environ).parent.glob(f"*{_SUFFIX}"))
    return [path.name.removesuffix(_SUFFIX) for path in paths if _is_ours(path)]


def host(name: str, environ: Mapping[str, str] = os.environ) -> "SshHost":
    """Return the dom0 of one of these, as root; nothing is connected to yet."""
    from xentool.hosts.ssh import SshHost  # noqa: PLC0415 - see `labs.ssh_host`

    options = ("-F", str(config(name, environ)), "-o", "BatchMode=yes")
    return SshHost(f"root@{name}", options=options, name=f"lab:{name}")


def _is_ours(path: Path) -> bool:
    # Such a file names programs that ssh runs (ProxyCommand).
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
