"""The source distribution, and the wheel that is built from nothing else."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from release import share

TREE = Path(__file__).parents[1]


def source(folder: Path) -> Path:
    """Leave the source distribution in ``folder``.

    :raises subprocess.CalledProcessError: setuptools failed, and has said why
    """
    share.make(TREE / "build/share")
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=TREE, check=True, stdout=subprocess.DEVNULL)
    (made,) = folder.glob("*.tar.gz")
    return made


def wheel(source: Path, folder: Path, environment: Mapping[str, str] | None = None) -> Path:
    """Leave the wheel of a source distribution in ``folder``; it is compiled, which takes a minute or two.

    :param environment: of the compiler; None for this process's
    :raises subprocess.CalledProcessError: pip failed, and has said why
    """
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    # Away from the tree: nothing of it may be of any help.
    subprocess.run([*pip, "-w", str(folder), str(source)], cwd=folder, env=environment, check=True)
    (made,) = folder.glob("*.whl")
    return made
