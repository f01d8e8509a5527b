"""Where this user's own folder for what runs is: sockets that lead to a dom0, loopbacks by name."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pvdrivers.private import distrusted

# Where logins have a folder of their own, and where root has.
_LOGINS, _ROOTS = Path("/run/user"), Path("/run")


def folders(environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Give the places for it, best first, there or not: in folders that are this user's alone to write to.

    The same ones in a login, in a cron job and under sudo. The last one is in /tmp, where anybody may have made it
    before: whoever takes it looks (`pvdrivers.private.distrusted`).
    """
    user = os.geteuid()
    named = environ.get("XDG_RUNTIME_DIR")
    for place in ([Path(named)] if named else []) + [_LOGINS / str(user)] + ([] if user else [_ROOTS]):
        with suppress(OSError):
            if place.is_absolute() and not distrusted(place):
                yield place / "xentool"
    yield Path(tempfile.gettempdir(), f"xentool-{user}")
