"""Writes docs/json.md: every JSON document of xentool, from the types and comments in ``xentool.documents``.

python -m tests.docs.documents
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.paths import ROOT

PAGE = ROOT / "docs/json.md"
FOLDER = ROOT / "xentool/documents"
#: In this order, each with its heading.
MODULES = {
    "report": "Traces",
    "captures": "Recordings",
    "hosts": "Hosts by name",
    "domains": "Hosts, domains and devices",
    "serving": "Devices served",
    "channels": "Grants and event channels",
    "memory": "Memory",
    "store": "XenStore",
    "detect": "What virtualizes a machine",
    "doctor": "What works on a host",
    "block": "Disks",
    "net": "Network interfaces",
    "conformance": "Conformance of drivers",
    "labs": "Labs",
    "compare": "Techniques side by side",
    "explain": "What words mean",
    "fleet": "Fleets",
}
_HEAD = """\
# JSON documents

Commands that print data have `--json`: one document, or one object a line for what goes on (`top`, `dump`, `watch`).
Each document has a `schema`; to a schema fields may be added, none are dropped or change their meaning. Times are in
seconds where a name says nothing else. This page is made of [xentool/documents](../xentool/documents/__init__.py)
(`python -m tests.docs.documents`): types for programs that read them,

```python
import json
from pathlib import Path

from xentool.documents.report import Report

report: Report = json.loads(Path("report.json").read_text())
print(report["capture"]["records"])
```

and a test holds what commands print to them. `xentool schema report` prints the same as JSON Schema, for programs in
any language; `xentool schema` lists those that there are. `| null` says that nobody told it; a field with *?* is not
always there.
"""
_NAMES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "true or false",
    "None": "null",
    "Any": "anything",
}


def page() -> str:
    """Make the page."""
    return "\n".join([_HEAD, *(_module(FOLDER / f"{name}.py", title) for name, title in MODULES.items())])


def _module(path: Path, title: str) -> str:
    source = path.read_text()
    tree = ast.parse(source)
    doc = ast.get_docstring(tree) or ""
    lines = source.splitlines()
    here = {node.name for node in tree.body if isinstance(node, ast.ClassDef)} | set(_called(tree))
    parts = [f"## {title}\n\n{_prose(doc)}\n"]
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef):
            rows = _rows(node, lines)
            parts.append(_table(path.stem, node.name, ast.get_docstring(node) or "", rows, here))
        elif (called := _call(node)) is not None:
            name, fields = called
            told = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            rows = [
                (str(key.value), kind, "")
                for key, kind in zip(fields.keys, fields.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
            parts.append(_table(path.stem, name, str(told), rows, here))
    return "\n".join(parts)


def comments(path: Path) -> dict[str, dict[str, str]]:
    """Give what the comments of a module say of the fields of its types: by type, by field."""
    source = path.read_text()
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    lines = source.splitlines()
    return {node.name: {name: _prose(told) for name, _, told in _rows(node, lines)} for node in classes}


def _rows(node: ast.ClassDef, lines: list[str]) -> list[tuple[str, ast.expr, str]]:
    return [
        (_target(item), item.annotation, _comment(lines[item.end_lineno - 1]))
        for item in node.body
        if isinstance(item, ast.AnnAssign) and item.end_lineno
    ]


def _called(tree: ast.Module) -> Iterator[str]:
    yield from (called[0] for node in tree.body if (called := _call(node)) is not None)


def _call(node: ast.stmt) -> tuple[str, ast.Dict] | None:
    # As `from` is no name in Python, one type is made by a call.
    match node:
        case ast.Assign(
            value=ast.Call(func=ast.Name(id="TypedDict"), args=[ast.Constant(value=str(name)), ast.Dict() as fields])
        ):
            return name, fields
    return None


def _target(item: ast.AnnAssign) -> str:
    return item.target.id if isinstance(item.target, ast.Name) else ""


def _table(module: str, name: str, told: str, rows: list[tuple[str, ast.expr, str]], here: set[str]) -> str:
    lines = [f"### {module}.{name}\n", f"{_prose(told)}\n", "| field | is | |", "|---|---|---|"]
    for field, kind, comment in rows:
        text = ast.unparse(kind)
        optional = text.startswith("NotRequired[")
        text = text.removeprefix("NotRequired[").removesuffix("]") if optional else text
        lines.append(f"| `{field}`{' *?*' if optional else ''} | {_kind(text, module, here)} | {_prose(comment)} |")
    return "\n".join(lines) + "\n"


def _kind(text: str, module: str, here: set[str]) -> str:
    text = text.replace("'", '"') if "Literal" in text else text.strip("'\"").replace("'", "")
    if values := re.fullmatch(r"Literal\[(.*?)\]( \| None)?", text):
        return " or ".join(f"`{value}`" for value in values[1].split(", ")) + (" or null" if values[2] else "")
    if union := re.fullmatch(r"(.*) \| None", text):
        return f"{_kind(union[1], module, here)} \\| null"
    if listed := re.fullmatch(r"list\[(.*)\]", text):
        return f"list of {_kind(listed[1], module, here)}"
    if mapped := re.fullmatch(r"dict\[str, (.*)\]", text):
        return f"object of {_kind(mapped[1], module, here)}"
    if text in here:
        return f"[{text}](#{module}{text.lower()})"
    return _NAMES.get(text, text)


def _comment(line: str) -> str:
    return line.partition("  # ")[2]


def _prose(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(page())
