"""What dom0 gets of a checkout: compiled modules as they lie there, unless older than their sources."""

import os
from pathlib import Path

import pytest

from xentool.lab import payload, wheel

FILES = (
    "setup.py",
    "pyproject.toml",
    "README.md",
    "xentool/a.py",
    "traces/b.pyx",
    "traces/b.pxd",
    "xentool/lab/data/c.sh",
)
MADE = "traces/b.abi3.so"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in (*FILES, MADE, "traces/removed.abi3.so"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
        os.utime(tmp_path / path, (1000, 1000))
    os.utime(tmp_path / MADE, (2000, 2000))
    return tmp_path


def test_what_is_compiled_already_is_taken(tree: Path) -> None:
    wanted = [path for path in (*FILES, MADE) if "/" in path]
    assert payload.of_tree(tree) == {path: path.encode() for path in wanted}


@pytest.mark.parametrize("changed", ["setup.py", "traces/b.pyx", "traces/b.pxd"])
def test_what_is_older_than_its_sources_is_not(tree: Path, changed: str) -> None:
    os.utime(tree / changed, (3000, 3000))
    assert payload.of_tree(tree) == {}


def test_what_is_not_compiled_at_all_is_not_left_out(tree: Path) -> None:
    (tree / MADE).unlink()
    assert payload.of_tree(tree) == {}


def test_all_that_the_wheel_is_made_of_is_there() -> None:
    top = wheel.checkout()
    assert top is not None
    found = payload.of_tree(top)
    inside = {str(path) for path in wheel.sources(top) if len(path.parts) > 1}
    assert not found or inside < found.keys()


def test_of_an_installation_it_is_the_packages_alone(tmp_path: Path) -> None:
    ours = ("xentool/a.py", "traces/b.abi3.so", "pvdrivers/abi/c.pyi", "xentool/lab/data/d.sh")
    others = ("click/a.py", "xentool-1.dist-info/METADATA", "xentool/__pycache__/a.cpython-311.pyc", "traces.py")
    for path in (*ours, *others):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    assert payload.of_installation(tmp_path) == {path: path.encode() for path in ours}
