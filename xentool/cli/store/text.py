"""Nodes and changes as lines: of xenstore-ls, of a tree, and of what became of what."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from xentool import output
from xentool.tools.store.changes import Change, Kind
from xentool.tools.store.meaning import meaning
from xentool.tools.store.nodes import Node, depth
from xentool.tools.store.values import quoted, shown

_MARKS = {Kind.CREATED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~", Kind.FIRED: "="}
#: Numbers, and what is made of them: versions, addresses, times.
_NUMBER = re.compile(rb"[-+]?(?:0[xX][0-9a-fA-F]+|[0-9][0-9.,:/-]*)")
_STYLES = {Kind.CREATED: "green", Kind.REMOVED: "red", Kind.CHANGED: "yellow", Kind.FIRED: "dim"}


def show(lines: Iterable[Text], *, wide: bool) -> None:
    """Print lines, each as soon as it is there; on a terminal shortened to its width, unless ``wide``."""
    write(lines, output.stdout(), wide=wide)


def write(lines: Iterable[Text], console: Console, *, wide: bool) -> None:
    """Print lines on a console as `show` does on stdout."""
    whole = wide or not sys.stdout.isatty()
    for line in lines:
        console.print(line, soft_wrap=whole, no_wrap=True, overflow="ignore" if whole else "ellipsis", crop=not whole)
        console.file.flush()


def drawn(nodes: Sequence[Node], width: int | None) -> Iterator[Text]:
    """Draw nodes that lie under the first one, a line each; texts are cut so that permissions fit into the width.

    Numbers are whole: what does not fit beside one has lines of its own below.

    :param width: columns, None for any number
    """
    top = nodes[0].path
    open_levels: list[bool] = []
    for number, (node, last) in enumerate(zip(nodes, _last_of_level(nodes), strict=True)):
        level = depth(node.path, top)
        del open_levels[max(level - 1, 0) :]
        line = Text()
        if level:
            line.append("".join("│  " if more else "   " for more in open_levels), "dim")
            line.append("└─ " if last else "├─ ", "dim")
            open_levels.append(not last)
        name = node.path.rpartition("/")[2] if level else node.path
        has_children = number + 1 < len(nodes) and depth(nodes[number + 1].path, top) > level
        line.append(shown(name), "bold" if has_children else "cyan")
        told = _told(node, None if width is None else width - len(line), has_children=has_children)
        if width is None or len(line) + sum(map(len, told)) <= width or not _is_number(node.value):
            yield line.append_text(Text().join(told))
            continue
        below = Text("".join("│  " if more else "   " for more in open_levels), "dim")
        below.append("│  " if has_children else "", "dim")
        for one in told:
            if len(line) + len(one) > width:
                yield line
                # Where even that has no room, the tree's lines give way.
                line = below.copy() if len(below) + len(one) <= width else Text(" " * max(width - len(one), 0))
            line.append_text(one)
        yield line


def _told(node: Node, room: int | None, *, has_children: bool) -> list[Text]:
    # What is said of a node after its name: its value, what that means, who may read it.
    tail = []
    if state := meaning(node.path, node.value):
        tail.append(Text(f" {state}", "green" if state == "Connected" else "yellow"))
    tail.append(Text(f"  {_permissions(node)}", "dim"))
    if node.value is None:
        return [Text(" may not be read", "red"), *tail]
    if not node.value and has_children:
        return tail
    value = quoted(node.value)
    if room is not None and not _is_number(node.value):
        value = _cut(value, room - sum(map(len, tail)) - len(" = "))
    return [Text.assemble((" = ", "dim"), value), *tail]


def _is_number(value: bytes | None) -> bool:
    return value is not None and _NUMBER.fullmatch(value) is not None


def _last_of_level(nodes: Sequence[Node]) -> list[bool]:
    # From the end: a node is its parent's last child if none at its level came since one above.
    last, seen = [], set[int]()
    for node in reversed(nodes):
        level = depth(node.path, nodes[0].path)
        seen = {each for each in seen if each <= level}
        last.append(level not in seen)
        seen.add(level)
    return last[::-1]


def change_line(change: Change) -> Text:
    """Write a change as a line: ``~ /path = "old" -> "new"``."""
    line = Text()
    line.append(f"{_MARKS[change.kind]} {shown(change.path)}", _STYLES[change.kind])
    old, new = change.old, change.new
    values = list(dict.fromkeys(quoted(node.value) for node in (old, new) if node))
    if len(values) > 1 or (values and change.kind is not Kind.CHANGED):
        line.append(f" = {' -> '.join(values)}")
    states = [meaning(node.path, node.value) for node in (old, new) if node]
    if any(states):
        line.append(f" {' -> '.join(dict.fromkeys(state or '?' for state in states))}", "yellow")
    permissions = [_permissions(node) for node in (old, new) if node]
    if change.kind is Kind.CREATED or len(set(permissions)) > 1:
        line.append(f"  {' -> '.join(permissions)}", "dim")
    return line


def stamped(changes: Iterator[Change]) -> Iterator[Text]:
    """Write changes as lines with the time when each was seen."""
    for change in changes:
        now = datetime.now().astimezone()
        yield Text.assemble((f"{now:%H:%M:%S.%f} ", "dim"), change_line(change))


def _permissions(node: Node) -> str:
    return f"({shown(','.join(node.permissions)) or '?'})"


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return f'{text[: max(room - 2, 1)]}…"'
