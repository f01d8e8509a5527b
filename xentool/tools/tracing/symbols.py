"""A guest kernel's symbols, from a file that somebody else may have made."""

import io
from pathlib import Path

from traces.errors import SymbolError
from traces.symbols import Symbols
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import beside

#: Linux's with all its modules are a tenth of that.
_BYTES_MAX = 64 << 20


def read(path: Path) -> Symbols:
    """Read the names of functions: System.map, or /proc/kallsyms.

    :raises PeerError: it names none, or is larger than any
    :raises XentoolError: it can't be read
    """
    try:
        # A shell makes a pipe of <(zcat System.map.gz).
        data = beside.contents(path, _BYTES_MAX, pipes=True)
    except FileNotFoundError as error:
        raise XentoolError(f"cannot read {path}: {error.strerror}") from error
    try:
        # Line by line, since each takes more memory than it has bytes.
        return Symbols(io.TextIOWrapper(io.BytesIO(data), "ascii", "replace"))
    except SymbolError as error:
        raise PeerError(f"{path} names no functions: {error}") from error
