"""What a value means, where a node's place tells."""

import re

from pvdrivers.abi.xenbus import XenbusState

# Not libxl's own record of a device, whose state stays what it was at first.
_XENBUS_STATE = re.compile(r"(?:/local/domain/\d+/)?(?:device|backend)/.+/state")
_NAMES = {str(state.value).encode(): state.name.title().replace("_", "") for state in XenbusState}


def meaning(path: str, value: bytes | None) -> str | None:
    """Name the state of a device's end: ``InitWait``; None for all else."""
    return _NAMES.get(value) if value is not None and _XENBUS_STATE.fullmatch(path) else None
