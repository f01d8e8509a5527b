"""Loopbacks of this machine by name: where their sockets are."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from xentool.errors import XentoolError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
#: What its disks' frontends are, unless one says otherwise; backends are domain 0.
GUEST = 1


def directory(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give where a loopback is; a name with a slash is that place itself.

    :raises XentoolError: it is no name
    """
    if "/" in name:
        return Path(name)
    if not _NAME.fullmatch(name):
        raise XentoolError(f"{name!r} is no name for a loopback: letters, digits, '_', '.' and '-', 40 at most")
    base = environ.get("XDG_RUNTIME_DIR") or f"{tempfile.gettempdir()}/xentool-{os.getuid()}"
    return Path(base, "xentool", "loopback", name)
