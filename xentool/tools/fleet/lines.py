"""Rows of any number, on disk: what is kept of each capture takes no memory of the process that gathers them."""

import json
import tempfile
import weakref
from array import array
from collections.abc import Iterator
from typing import Any

#: Bytes until which no file is made.
_SMALL = 1 << 20


class Lines:
    """JSON documents, a line each, in order; 8 bytes of memory for each."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_SMALL)  # noqa: SIM115 - it has no name, and goes with this object
        weakref.finalize(self, self._file.close)
        self._starts = array("q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, row: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Add a row."""
        data = json.dumps(row).encode() + b"\n"
        self._file.seek(self._end)
        self._file.write(data)
        self._starts.append(self._end)
        self._end += len(data)

    def __getitem__(self, at: int) -> Any:  # noqa: ANN401 - see above
        self._file.seek(self._starts[at])
        return json.loads(self._file.readline())

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(len(self._starts)))
