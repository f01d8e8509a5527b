"""Charts of values over time and of durations, as SVG that stretches with the page while its text stays as it is.

What is drawn in columns lies in an inner picture that is stretched; text and lines stand at percentages of the width.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from traces.counting.latencies import QUANTILES, Distribution
from traces.exporters.html.axes import decades, ticks
from traces.exporters.html.course import Series
from traces.exporters.html.svg import element, percent, steps
from traces.exporters.words import duration, seconds

_ROW_HEIGHT = 28
_PLOT_HEIGHT = 168
_BARS_TOP, _BARS_BOTTOM = 28, 124
#: Of its range; and in height, so that a single long one is seen.
_BAR_WIDTH, _BAR_MIN = 0.9, 1.5
_AXIS_HEIGHT = 20
_PERCENT = 100
_X_TICKS, _Y_TICKS = 6, 4
#: A share of the width below which a label would leave the picture.
_MARGIN = 0.02


@dataclass(frozen=True)
class Layer:
    """A layer of a stack: what it is, its style class, what it adds up to, and the height of its upper line."""

    name: str
    style: str
    total: float
    heights: NDArray[np.int64]


def _stacked(
    names: Sequence[str], styles: Sequence[str], totals: Iterable[float], values: NDArray[np.int64]
) -> list[Layer]:
    """Put series (a row each) on top of each other, without those that are nowhere."""
    heights = np.cumsum(values, axis=0)
    rows = zip(names, styles, totals, heights, strict=True)
    return [Layer(*row) for row, value in zip(rows, values, strict=True) if value.any()]


def share_layers(
    names: Sequence[str], styles: Sequence[str], shares: NDArray[np.float64], span_s: float
) -> list[Layer]:
    """Stack shares (a row each); each layer's total is its seconds."""
    heights = np.rint(np.cumsum(shares, axis=0) * _PERCENT).astype(np.int64)
    values = np.diff(heights, axis=0, prepend=0)
    seconds = shares.sum(axis=1) * span_s / max(shares.shape[1], 1)
    return _stacked(names, styles, seconds.tolist(), values)


def count_layers(series: Series) -> list[Layer]:
    """Stack counts; the last of the series is the rest."""
    styles = [*(f"s{index}" for index in range(len(series.names) - 1)), "rest"]
    return _stacked(series.names, styles, series.counts.sum(axis=1).tolist(), series.counts)


def share_row(layers: Sequence[Layer], columns: int, span_s: float, label: str) -> Markup:
    """Draw shares as one row of a timeline."""
    return _stack(layers, columns, _PERCENT, span_s, "share", height=_ROW_HEIGHT, role="img", aria_label=label)


def rates(layers: Sequence[Layer], columns: int, span_s: float, label: str) -> Markup:
    """Draw counts as rates, with axes."""
    top = int(max(layer.heights.max() for layer in layers))
    width_s = span_s / columns
    lines = []
    for rate in ticks(top / width_s, _Y_TICKS):
        y = _PLOT_HEIGHT * (1 - rate * width_s / top)
        lines.append(_level(y, "grid"))
        if rate:
            lines.append(element("text", f"{rate:,.6g}/s", y=y, class_="height"))
    picture = _stack(layers, columns, top, span_s, "rate", height=_PLOT_HEIGHT)
    return _plot(_PLOT_HEIGHT + _AXIS_HEIGHT, label, [picture, *lines, *_time_labels(span_s, _PLOT_HEIGHT)])


def time_axis(span_s: float) -> Markup:
    """Draw the time axis below rows."""
    return _plot(_AXIS_HEIGHT, "time axis", _time_labels(span_s, 0))


def histogram(found: Distribution, label: str) -> Markup:
    """Draw how durations are distributed, on a logarithmic axis, with the quantiles as lines."""
    # A range that begins at 0 has no logarithm; it is drawn an octave wide.
    low = min(begin or end / 2 for begin, end in found.counts)
    high = max(end for _, end in found.counts)

    def place(seconds: float) -> float:
        return math.log(max(seconds, low) / low) / math.log(high / low)

    parts = []
    for at, whole in decades(low, high):
        parts.append(_upright(place(at), _BARS_TOP, "grid"))
        style = None if whole else "between"
        parts.append(_label(place(at), _BARS_BOTTOM + 14, duration(at, digits=1), style))
    parts += [_bar(one, count, found, place) for one, count in sorted(found.counts.items())]
    for index, (name, share) in enumerate(QUANTILES.items()):
        # In turns higher and lower, since they may lie close together.
        at, y = place(found.quantile(share)), 10 + 13 * (index % 2)
        parts += [_upright(at, y + 4, "quantile"), _label(at, y, name)]
    parts.append(_level(_BARS_BOTTOM, "axis"))
    return _plot(_BARS_BOTTOM + _AXIS_HEIGHT, label, parts)


def _bar(ends: tuple[float, float], count: int, found: Distribution, place: Callable[[float], float]) -> Markup:
    height = max((_BARS_BOTTOM - _BARS_TOP) * count / max(found.counts.values()), _BAR_MIN)
    begin, end = map(place, ends)
    return element(
        "rect",
        element("title", f"{duration(ends[0])} to {duration(ends[1])}: {count:,}"),
        x=percent(begin),
        width=percent((end - begin) * _BAR_WIDTH),
        y=_BARS_BOTTOM - height,
        height=height,
        class_="bar",
        data_count=count,
    )


def _stack(
    layers: Sequence[Layer], columns: int, full: float, span_s: float, kind: str, **attributes: object
) -> Markup:
    # The highest first: each lower layer covers what is below it.
    paths = [
        element(
            "path",
            class_=layer.style,
            d=steps(layer.heights, full),
            data_name=layer.name,
            data_total=repr(layer.total),
        )
        for layer in reversed(layers)
    ]
    # Where nothing is drawn, the pointer is still on the chart.
    ground = element("rect", width=columns, height=full, class_="ground")
    return element(
        "svg",
        ground,
        *paths,
        class_="stack",
        viewBox=f"0 0 {columns} {full}",
        preserveAspectRatio="none",
        width="100%",
        data_kind=kind,
        data_span=repr(span_s),
        **attributes,
    )


def _plot(height: int, label: str, content: Iterable[Markup]) -> Markup:
    return element("svg", *content, class_="plot", width="100%", height=height, role="img", aria_label=label)


def _time_labels(span_s: float, y: int) -> list[Markup]:
    at = ticks(span_s, _X_TICKS)
    digits = max(0, -math.floor(math.log10(at[1]) + 1e-9)) if len(at) > 1 else 0
    return [
        _level(y, "axis"),
        *(_label(one / span_s if span_s else 0, y + 14, seconds(one, digits)) for one in at),
    ]


def _level(y: float, style: str) -> Markup:
    return element("line", x1=0, x2="100%", y1=y + 0.5, y2=y + 0.5, class_=style)


def _upright(place: float, top: float, style: str) -> Markup:
    return element("line", x1=percent(place), x2=percent(place), y1=top, y2=_BARS_BOTTOM, class_=style)


def _label(place: float, y: int, text: str, style: str | None = None) -> Markup:
    anchor = "start" if place < _MARGIN else "end" if place > 1 - _MARGIN else "middle"
    return element("text", text, x=percent(place), y=y, text_anchor=anchor, class_=style)
