"""What a fleet needs besides, which may be missing."""

from importlib import import_module
from typing import Any

from xentool import extras
from xentool.errors import XentoolError


def needed(module: str) -> Any:  # noqa: ANN401 - a library that is loaded late
    """Load a library of the extra.

    :raises XentoolError: it is missing; the message says how to get it
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise XentoolError(extras.missing(error.name or module, "fleet")) from error
