"""What several tests need stands in modules of helpers: a test module is nobody's to import, nor is a conftest."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]


def imported(source: str) -> Iterator[str]:
    """Give all modules that a module of Python may import: of ``from a import b``, ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{name.name}" for name in node.names)


def of_tests(source: str) -> list[str]:
    parts = ((name, name.split(".")) for name in imported(source))
    return [
        name
        for name, (top, *rest) in parts
        if top in {"tests", ""} and any(part.startswith("test_") or part == "conftest" for part in rest)
    ]


def test_no_test_module_is_imported_by_another() -> None:
    assert {
        str(path.relative_to(TESTS)): found for path in TESTS.rglob("*.py") if (found := of_tests(path.read_text()))
    } == {}


def test_all_ways_to_import_one_are_seen() -> None:
    for line in (
        "from tests.traces.test_fold import change",
        "from tests.traces import test_fold as fold",
        "import tests.traces.test_fold",
        "from .test_fold import change",
        "from tests.xentool.cli.store.conftest import Store",
    ):
        assert of_tests(f"def function():\n    {line}"), line
    assert of_tests("from tests.traces.handmade import change\nimport tests_of.test_fold") == []
