"""Compiled modules keep the contracts of pyproject.toml as all others do; import-linter alone sees none of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.cython_imports import compiled, imports, written


def lint(tree: Path) -> str:
    """Give what import-linter says of a tree."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    argv = [sys.executable, "-c", code, "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"}
    # What is read is this tree, as the upward one shows: the packages that are installed come after it.
    return subprocess.run(argv, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=False).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    written(tmp_path)
    return tmp_path


def test_the_contracts_hold_for_compiled_modules_as_well(tree: Path) -> None:
    said = lint(tree)
    assert " 0 broken" in said, said


def test_a_cimport_upwards_breaks_them(tree: Path) -> None:
    with (tree / "traces/counting/bucket.py").open("a") as file:
        file.write("\n" + "\n".join(imports("from traces.exporters.parquet.memory cimport (\n    claimed,\n)\n")))
    said = lint(tree)
    assert " 1 broken" in said
    assert "traces.counting.bucket -> traces.exporters.parquet.memory" in said


def test_none_of_their_imports_is_missed(tree: Path) -> None:
    for path in compiled():
        text = path.read_text()
        for line in imports(text):
            module = line.split()[1].replace(".", "/")
            if module.startswith(("xentool/", "pvdrivers/", "traces/")):
                assert (tree / f"{module}.py").exists() or (tree / module / "__init__.py").exists(), f"{path}: {line}"


def test_all_ways_to_import_are_read() -> None:
    text = '''"""Law: nothing here does
import anything
"""
cimport cython
from libc.stdint cimport uint8_t
from traces.xen cimport ids, lane as other
    from traces.counting.row cimport (
    ROW, HEADER,  # of both
    SIZE,
)
from traces.xen.kinds cimport *
import os, traces.table as table
'''
    assert list(imports(text)) == [
        "from traces.xen import ids, lane as other",
        "from traces.counting.row import ROW, HEADER, SIZE",
        "from traces.xen.kinds import *",
        "import os",
        "import traces.table as table",
    ]
