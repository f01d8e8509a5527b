"""SVG elements as safe markup: whatever is put in, an element is all that comes out."""

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from traces.exporters.templates import shown


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Make an element. Text is made fit to be shown, and escaped; markup is neither.

    ``data_count`` becomes data-count, and ``class_`` class.
    """
    described = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), shown(number(value)))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{}{}>{}</{}>").format(name, described, Markup("").join(map(shown, children)), name)


def number(value: object) -> object:
    """Write a float as short as six digits say it; all else stays."""
    return f"{value:.6g}" if isinstance(value, float) else value


def steps(heights: NDArray[np.int64], full: float) -> str:
    """Draw the area below a line of steps, one unit wide each, as a path.

    The line itself is in relative commands only, from which a script can read the heights back.

    :param full: the height of the picture
    """
    changes = np.flatnonzero(np.diff(heights)) + 1
    starts = [0, *changes.tolist()]
    widths = np.diff([*starts, len(heights)]).tolist()
    rises = np.diff(heights[starts], prepend=0).tolist()
    line = "".join(f"v{-rise}h{width}" for rise, width in zip(rises, widths, strict=True))
    return f"M0 {number(float(full))}{line}V{number(float(full))}z"


def percent(place: float) -> str:
    """Write a place from 0 to 1 as a share of the width."""
    return f"{100 * place:.2f}%"
