"""The answer for people: a headline, the layers, the textbook's map with this machine on it, and all reasons."""

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from traces.plural import plural
from xentool.detect.model import Answer, Evidence, Kind, Layer, Statement, Technique
from xentool.detect.rules import UNKNOWN

_KINDS: dict[Kind, str] = {
    "type-1": "Type-1 hypervisor",
    "type-2": "Type-2 hypervisor",
    "container": "container",
    "unknown": "hypervisor, type not known",
}
_AREAS = {"cpu": "CPU", "memory": "Memory", "io": "I/O", "isolation": "Isolation"}
#: What a textbook calls them besides.
_ALSO = {"hardware-assisted": "VT-x, AMD-V", "nested paging": "EPT, NPT"}
#: Of words that begin with a vowel's sound.
_VOWEL = re.compile("[aeioAEIO]|unknown|HVM|LXC")
_STATES = {"yes": "yes", "implied": "implied", "no": "no", "unknown": "?"}


def lines(answer: Answer, width: int | None = None, *, why: bool = False) -> Iterator[str]:
    """Write the answer.

    :param width: columns of the terminal; None leaves lines as long as they are
    :param why: with the evidence for each statement
    """
    yield from _wrapped(headline(answer), width)
    if answer.layers:
        yield from ("", "Layers, outermost first")
        for number, layer in enumerate(answer.layers, 1):
            yield from _layer(number, layer, width, why=why)
    yield from ("", *_map(answer, width))
    if why:
        yield from _why(answer, width)
    if answer.contradictions:
        yield from ("", "Contradictions")
        for contradiction in answer.contradictions:
            yield from _wrapped(contradiction.text, width, "  ")
            yield from _evidence(contradiction.evidence if why else (), width)
    if answer.unread:
        unread = ", ".join(answer.unread) if why else plural(len(answer.unread), "source")
        yield ""
        yield from _wrapped(f"Not readable by this user: {unread}", width)
    if not why:
        yield from ("", "--why tells by which evidence")


def _why(answer: Answer, width: int | None) -> Iterator[str]:
    yield from ("", "Why")
    for technique in answer.techniques:
        yield from _reasons(technique, width)
    for layer in answer.hosted:
        yield from _wrapped(f"{layer.name} could run guests here", width, "  ")
        yield from _evidence(layer.evidence, width)


def headline(answer: Answer) -> str:
    """Say it in one line, from the inside out."""
    if answer.layers:
        words = ", in ".join(_phrase(layer) for layer in reversed(answer.layers))
        return words[0].upper() + words[1:]
    if answer.virtualized is False:
        seen = "; ".join(f"{each.source}: {each.value}" for each in answer.bare)
        return f"No virtualization found: this is a bare machine, or a hypervisor that hides ({seen})"
    return "Nothing that could be read here tells whether this machine is virtual"


def _phrase(layer: Layer) -> str:
    if layer.kind == "container":
        words = layer.name if "container" in layer.name else f"{layer.name} container"
    elif layer.role:
        words = " ".join(filter(None, (layer.mode, layer.role, "of", _name(layer))))
    elif layer.name == UNKNOWN:
        words = f"virtual machine of an {layer.name}"
    else:
        words = f"{layer.name} virtual machine" + (f" ({layer.product})" if layer.product else "")
    article = "" if layer.role == "dom0" else "an " if _VOWEL.match(words) else "a "
    return f"{article}{words}" + (" (contested)" if layer.contested else "")


def _name(layer: Layer) -> str:
    name = " ".join(filter(None, (layer.name, layer.version)))
    return f"{name} ({layer.product})" if layer.product else name


def _layer(number: int, layer: Layer, width: int | None, *, why: bool) -> Iterator[str]:
    about = [_KINDS[layer.kind], " ".join(filter(None, (layer.mode, layer.role)))]
    shows = f"it also shows the interface of {', '.join(layer.presents)}" if layer.presents else ""
    title = "; ".join(filter(None, (*about, shows, "contested, see below" if layer.contested else "")))
    yield from _wrapped(f"{number}  {_name(layer)}: {title}", width, "  ")
    if layer.note:
        yield from _wrapped(layer.note, width, "     ")
    if why:
        yield from _evidence(layer.evidence, width)


def _map(answer: Answer, width: int | None) -> Iterator[str]:
    rows = _rows(answer)
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    if width is None or sum(widths) + 2 * 3 <= width:
        for row in rows:
            yield "  ".join(f"{cell:<{wide}}" for cell, wide in zip(row, widths, strict=True)).rstrip()
        return
    # A field a line where the table has no room.
    (_, _, *heads), *rows = rows
    for area, title, *cells in rows:
        if area:
            yield area
        yield f"  {title}"
        for head, cell in zip(heads, cells, strict=True):
            yield from _wrapped(f"{head:<{max(map(len, heads))}}  {cell}", width, "    ")


def _rows(answer: Answer) -> list[tuple[str, str, str, str]]:
    rows = [("", "", "this machine", "its own guests")]
    for kind, title in _KINDS.items():
        under, over = (
            ", ".join(dict.fromkeys(_name(layer) for layer in layers if layer.kind == kind))
            for layers in (answer.layers, answer.hosted)
        )
        if kind != "unknown" or under or over:
            rows.append(("Kind" if len(rows) == 1 else "", title, under or "-", over or "-"))
    area = ""
    for technique in answer.techniques:
        title = technique.name + (f" ({also})" if (also := _ALSO.get(technique.name)) else "")
        shown = "" if technique.area == area else _AREAS[technique.area]
        rows.append((shown, title, _state(technique.used), _state(technique.offered)))
        area = technique.area
    return rows


def _state(statement: Statement) -> str:
    by = f" ({statement.by})" if statement.by and statement.state in ("yes", "implied") else ""
    return _STATES[statement.state] + by


def _reasons(technique: Technique, width: int | None) -> Iterator[str]:
    for title, statement in (("this machine", technique.used), ("its own guests", technique.offered)):
        if statement.why:
            state = "unknown" if statement.state == "unknown" else _state(statement)
            what = f"{_AREAS[technique.area]}, {technique.name}, {title}: {state}, {statement.why}"
            yield from _wrapped(what, width, "  ")
            yield from _evidence(statement.evidence, width)


def _evidence(evidence: Sequence[Evidence], width: int | None) -> Iterator[str]:
    for each in evidence:
        yield from _wrapped(f"{each.source}: {each.value}", width, "       ")


def _wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    if width is None:
        return [indent + text]
    return wrap(text, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
