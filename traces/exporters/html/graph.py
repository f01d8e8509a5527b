"""Domains as nodes, and what passes between them as arrows with its count."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from traces.exporters.html.svg import element
from traces.foreign import printable

#: More can't be told apart.
NODES_MAX, EDGES_MAX = 12, 36

_NODE_WIDTH, _NODE_HEIGHT = 128.0, 40.0
_NAME_MAX = 13
_LOOP = 46.0
_ACROSS_MIN, _ACROSS_EACH, _FLAT = 140.0, 45.0, 0.5
#: From so many domains on, one is in the middle.
_HUB_MIN = 4
_MARGIN_X, _MARGIN_Y = 110.0, 78.0
_BEND = 0.22


@dataclass(frozen=True)
class Edge:
    """So much from one domain to another (domids), which may be the same."""

    source: int
    target: int
    count: int


@dataclass(frozen=True)
class _Point:
    x: float
    y: float

    def towards(self, other: "_Point", length: float) -> "_Point":
        far = math.hypot(other.x - self.x, other.y - self.y) or 1.0
        return _Point(self.x + (other.x - self.x) * length / far, self.y + (other.y - self.y) * length / far)


def graph(edges: Sequence[Edge], names: Mapping[int, str], styles: Mapping[int, str], label: str) -> Markup:
    """Draw the busiest edges and their domains.

    :param names: of the domains, as far as they have one
    :param styles: classes of the domains that have a colour
    """
    kept, nodes = _busiest(edges)
    places, centre = _places(kept, nodes)
    most = max(edge.count for edge in kept)
    arrows = [_edge(edge, places, centre, most) for edge in kept]
    boxes = [_node(domid, names, styles.get(domid, "rest"), places[domid]) for domid in nodes]
    return element(
        "svg",
        *(line for line, _ in arrows),
        *boxes,
        *(text for _, text in arrows),
        class_="graph",
        viewBox=f"0 0 {2 * centre.x:g} {2 * centre.y:g}",
        role="img",
        aria_label=label,
    )


def _busiest(edges: Sequence[Edge]) -> tuple[list[Edge], list[int]]:
    kept: list[Edge] = []
    nodes: set[int] = set()
    for edge in sorted(edges, key=lambda edge: -edge.count)[:EDGES_MAX]:
        if len(nodes | {edge.source, edge.target}) <= NODES_MAX:
            nodes |= {edge.source, edge.target}
            kept.append(edge)
    return kept, sorted(nodes)


def _places(edges: Sequence[Edge], nodes: Sequence[int]) -> tuple[dict[int, _Point], _Point]:
    # All on an ellipse, since pages are wider than high; of many the one with most neighbours, dom0, in its middle.
    hub = max(nodes, key=lambda domid: sum(domid in (edge.source, edge.target) for edge in edges))
    ring = [domid for domid in nodes if domid != hub] if len(nodes) >= _HUB_MIN else list(nodes)
    across = 0.0 if len(ring) == 1 else max(_ACROSS_MIN, len(ring) * _ACROSS_EACH)
    down = across * _FLAT if len(ring) > 2 else 0.0
    centre = _Point(across + _MARGIN_X, down + _MARGIN_Y)
    # Two lie side by side; more begin at the top.
    turn, first = 2 * math.pi / len(ring), math.pi if len(ring) == 2 else -math.pi / 2
    places = {
        domid: _Point(
            centre.x + across * math.cos(first + index * turn), centre.y + down * math.sin(first + index * turn)
        )
        for index, domid in enumerate(ring)
    }
    return {hub: centre} | places, centre


def _node(domid: int, names: Mapping[int, str], style: str, at: _Point) -> Markup:
    name = printable(names.get(domid, f"d{domid}"))
    short = name if len(name) <= _NAME_MAX else name[: _NAME_MAX - 1] + "…"
    box = element(
        "rect",
        x=at.x - _NODE_WIDTH / 2,
        y=at.y - _NODE_HEIGHT / 2,
        width=_NODE_WIDTH,
        height=_NODE_HEIGHT,
        rx=8,
        class_=f"node {style}",
    )
    texts = [element("text", short, x=at.x, y=at.y + (0 if domid in names else 5), text_anchor="middle", class_="name")]
    if domid in names:
        texts.append(element("text", f"d{domid}", x=at.x, y=at.y + 14, text_anchor="middle"))
    return element("g", element("title", name), box, *texts, data_domid=domid)


def _edge(edge: Edge, places: Mapping[int, _Point], centre: _Point, most: int) -> tuple[Markup, Markup]:
    begin, end = places[edge.source], places[edge.target]
    if edge.source == edge.target:
        path, middle = _loop(begin, centre)
    else:
        # To the right of the straight line, so that both directions have room.
        across = _Point(-(end.y - begin.y) * _BEND, (end.x - begin.x) * _BEND)
        bend = _Point((begin.x + end.x) / 2 + across.x, (begin.y + end.y) / 2 + across.y)
        start, tip = _border(begin, bend), _border(end, bend)
        path = f"M{start.x:.1f} {start.y:.1f}Q{bend.x:.1f} {bend.y:.1f} {tip.x:.1f} {tip.y:.1f}"
        middle = _Point((start.x + 2 * bend.x + tip.x) / 4, (start.y + 2 * bend.y + tip.y) / 4)
    thick = 1.2 + 1.6 * math.log1p(edge.count) / math.log1p(most)
    line = element(
        "path",
        d=path,
        class_="edge",
        stroke_width=thick,
        marker_end="url(#arrow)",
        data_from=edge.source,
        data_to=edge.target,
        data_count=edge.count,
    )
    return line, element("text", f"{edge.count:,}", x=middle.x, y=middle.y + 4, text_anchor="middle", class_="count")


def _border(node: _Point, outside: _Point) -> _Point:
    # Where the line from the node's middle leaves its box, and a little beyond.
    across, down = abs(outside.x - node.x) or 1e-9, abs(outside.y - node.y) or 1e-9
    share = min((_NODE_WIDTH / 2 + 4) / across, (_NODE_HEIGHT / 2 + 4) / down)
    return node.towards(outside, math.hypot(across, down) * share)


def _loop(node: _Point, centre: _Point) -> tuple[str, _Point]:
    # Above the upper nodes, below the lower ones.
    up = -1 if node.y < centre.y + 1 else 1
    y = node.y + up * (_NODE_HEIGHT / 2 + 3)
    far = y + up * _LOOP
    return (
        f"M{node.x - 18:.1f} {y:.1f}C{node.x - 34:.1f} {far:.1f} {node.x + 34:.1f} {far:.1f} {node.x + 18:.1f} {y:.1f}",
        _Point(node.x, y + up * _LOOP * 0.75),
    )
