"""Columns that are filled row by row, for wide tables: null where nothing was put."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray


class Numbers:
    """A column of numbers."""

    def __init__(self, rows: int, kind: DTypeLike) -> None:
        self._values = np.zeros(rows, kind)
        self._null = np.ones(rows, bool)

    def put(self, rows: NDArray[np.intp], value: Any) -> None:  # noqa: ANN401 - a number for all, or an array
        """Fill rows with a number, or with one for each."""
        self._values[rows] = value
        self._null[rows] = False

    put_each = put

    def array(self) -> Any:  # noqa: ANN401 - pyarrow ships no types
        """Give pyarrow's array of it."""
        return pa.array(self._values, mask=self._null)


class Names:
    """A column of names, each stored once."""

    def __init__(self, rows: int) -> None:
        self._codes = np.full(rows, -1, np.int32)
        self._vocabulary: dict[str, int] = {}

    def put(self, rows: NDArray[np.intp], value: str) -> None:
        """Fill rows with a name."""
        self._codes[rows] = self._vocabulary.setdefault(value, len(self._vocabulary))

    def put_each(self, rows: NDArray[np.intp], values: list[str]) -> None:
        """Fill rows with a name for each."""
        vocabulary = self._vocabulary
        self._codes[rows] = [vocabulary.setdefault(value, len(vocabulary)) for value in values]

    def array(self) -> Any:  # noqa: ANN401 - pyarrow ships no types
        """Give pyarrow's array of it."""
        codes = pa.array(self._codes, mask=self._codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(list(self._vocabulary), pa.string()))
