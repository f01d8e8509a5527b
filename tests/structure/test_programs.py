"""Programs that stand in tests as text, for an emulated dom0 or a guest, import what there is: found out in no lab."""

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

TREE = Path(__file__).parents[2]
OURS = ("pvdrivers", "traces", "xentool")


def programs() -> Iterator[tuple[str, ast.Module]]:
    # The tests beside this one have examples of what may not be.
    for path in sorted(set((TREE / "tests").rglob("*.py")) - set(Path(__file__).parent.iterdir())):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "import " in node.value:
                try:
                    yield f"{path.relative_to(TREE)}:{node.lineno}", ast.parse(node.value)
                except SyntaxError:
                    continue


def there(module: str, name: str) -> bool:
    try:
        return hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None
    except ImportError:
        return False


def test_what_they_import_is_there() -> None:
    nodes = [(where, node) for where, program in programs() for node in ast.walk(program)]
    asked = [
        (where, node.module, each.name)
        for where, node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS
        for each in node.names
    ]
    whole = [(where, each.name) for where, node in nodes if isinstance(node, ast.Import) for each in node.names]
    dotted = [(where, name) for where, name in whole if name.startswith(tuple(f"{each}." for each in OURS))]
    asked += [(where, name.rpartition(".")[0], name.rpartition(".")[2]) for where, name in dotted]
    assert len(asked) > 5
    assert [(where, module, name) for where, module, name in asked if not there(module, name)] == []
