"""What is released, made once for all its tests."""

import fcntl
import os
from pathlib import Path

import pytest

from release import python

COMPILER = """#!/bin/sh
for word; do
    shift
    case $word in
    -O*|-g) ;;
    *) set -- "$@" "$word" ;;
    esac
done
exec gcc "$@"
"""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a source distribution, and the wheel that was built from nothing else."""
    # One for all processes that run tests: two builds at once would be in each other's way in this tree.
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "distributions"
    with (folder.with_suffix(".lock")).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(folder.glob("*.whl")):
            folder.mkdir(exist_ok=True)
            build(folder)
    return folder


def build(folder: Path) -> None:
    source = python.source(folder)
    # What is compiled need not be fast here, and is, without that, in a third of the time.
    compiler = folder / "compiler"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    # Cython is not to be had: a source distribution brings what it would write.
    (folder / "Cython.py").write_text("raise ImportError('of a checkout alone')")
    python.wheel(source, folder, {**os.environ, "CC": str(compiler), "PYTHONPATH": str(folder)})


@pytest.fixture
def wheel(distributions: Path) -> Path:
    (built,) = distributions.glob("*.whl")
    return built
