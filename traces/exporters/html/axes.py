"""Where an axis has its ticks."""

import math
from collections.abc import Iterator

_STEPS = (1, 2, 5, 10)
#: So many decades have room for one label each only.
_WIDE = 3


def ticks(top: float, most: int) -> list[float]:
    """Give round values from 0 to ``top``, about evenly many, ``most`` steps between them."""
    if not 0 < top < math.inf:
        return [0.0]
    size = 10.0 ** math.floor(math.log10(top / most))
    step = next(size * factor for factor in _STEPS if size * factor * most >= top * (1 - 1e-9))
    return [step * index for index in range(int(top / step * (1 + 1e-9)) + 1)]


def decades(low: float, high: float) -> Iterator[tuple[float, bool]]:
    """Give the powers of ten from ``low`` to ``high``, both above 0, and of few also what lies between them.

    :returns: the value, and whether it is a power of ten
    """
    factors = _STEPS[:-1] if high / low < 10**_WIDE else _STEPS[:1]
    for exponent in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1):
        for factor in factors:
            value = factor * 10.0**exponent
            if low <= value <= high:
                yield value, factor == 1
