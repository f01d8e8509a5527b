"""Loopbacks of this machine by name: where their sockets are."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pvdrivers.private import distrusted
from xentool import runtime
from xentool.errors import XentoolError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
#: What its disks' frontends are, unless one says otherwise; backends are domain 0.
GUEST = 1


def directory(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give where a loopback is; a name with a slash is that place itself.

    :raises XentoolError: it is no name, or others have been where it would be
    """
    if "/" in name:
        return Path(name)
    if not _NAME.fullmatch(name):
        raise XentoolError(f"{name!r} is no name for a loopback: letters, digits, '_', '.' and '-', 40 at most")
    return _base(environ) / "loopback" / name


def made(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give where a loopback is to be, a folder that is there by then and this user's alone to write to.

    :raises XentoolError: as `directory`, or it cannot be
    """
    place = directory(name, environ)
    try:
        for each in (*reversed(place.parents), place):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
        reason = distrusted(place)
    except OSError as error:
        raise XentoolError(f"cannot make {place}: {error.strerror}") from error
    if reason:
        raise XentoolError(f"no loopback can be there: {reason}")
    # Somebody may have been faster with the first of those folders.
    return directory(name, environ)


def _base(environ: Mapping[str, str]) -> Path:
    base = next(runtime.folders(environ))
    with suppress(FileNotFoundError):
        if reason := distrusted(base):
            raise XentoolError(f"loopbacks have no place: {reason}; $XDG_RUNTIME_DIR can name another")
    return base
