"""Small files that lie beside a trace, or are said to belong to it: whoever sent the trace may have made them, too."""

import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from xentool.errors import PeerError, XentoolError


def contents(path: Path, most: int, *, pipes: bool = False) -> bytes:
    """Read a file of at most ``most`` bytes.

    :param pipes: whether it may be a pipe, which somebody has named on purpose
    :raises FileNotFoundError: there is none
    :raises PeerError: it is larger, or nothing that has an end
    :raises XentoolError: it can't be read
    """
    try:
        # To open a device may already do something, and to open a pipe may wait for ever.
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not (pipes and stat.S_ISFIFO(kind)):
            raise PeerError(f"{path} is no regular file; remove it, or give another")
        flags = os.O_RDONLY | os.O_CLOEXEC | (0 if pipes else os.O_NONBLOCK)
        with os.fdopen(os.open(path, flags), "rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise XentoolError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > most:
        raise PeerError(f"{path} has more than {most >> 20} MiB; no such file needs that")
    return data


def parsed(data: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read a JSON document, in which every text is Unicode and every number one.

    :raises ValueError: it is none
    """
    import json  # noqa: PLC0415 - most traces have no such file

    try:
        document = json.loads(data.decode(), parse_constant=_refuse)
        # Half of a character is no text that could be written again.
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
