"""The project's own files for dom0: of this checkout, from a wheel where it is not compiled, or of the installation."""

import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from xentool.errors import XentoolError
from xentool.lab import wheel
from xentool.lab.progress import Progress

COMMAND = b"#!/usr/bin/python3\nfrom xentool.cli import main\n\nmain()\n"


def collect(python: str, progress: Progress) -> dict[str, bytes]:
    """Return the files by their path in dom0, relative to its root.

    :param python: dom0's Python, such as 3.11
    :raises XentoolError: the wheel cannot be built, or this installation's files cannot be found
    """
    top = wheel.checkout()
    found = _of_installation() if top is None else of_tree(top) or _of_wheel(wheel.ensure(top, progress))
    base = PurePosixPath("usr/local/lib", f"python{python}", "dist-packages")
    return {**{str(base / name): content for name, content in found.items()}, "usr/local/bin/xentool": COMMAND}


def of_tree(top: Path) -> dict[str, bytes]:
    """Return a checkout's files; none if something was compiled before what it is made of changed, or not at all."""
    paths = wheel.sources(top)
    modules = [path.with_suffix(".abi3.so") for path in paths if path.suffix == ".pyx"]
    made_of = [path for path in paths if path.suffix in {".pyx", ".pxd"} or path.name in {"setup.py", "pyproject.toml"}]
    try:
        made = min((top / path).stat().st_mtime for path in modules)
    except FileNotFoundError:
        return {}
    if made < max((top / path).stat().st_mtime for path in made_of):
        return {}
    inside = [path for path in paths if len(path.parts) > 1]
    return {str(path): (top / path).read_bytes() for path in (*inside, *modules)}


def _of_wheel(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _of_installation() -> dict[str, bytes]:
    # The extension modules are built for Python's limited API, so what is installed here runs in dom0 too.
    try:
        files = distribution("xentool").files or []
    except PackageNotFoundError:
        files = []
    kept = [file for file in files if file.parts[0] not in {"..", "/"} and "__pycache__" not in file.parts]
    if not kept:
        raise XentoolError(
            "cannot tell which files are xentool's own, to install it in dom0: "
            "run it from a checkout (`make setup`) or install it with pip"
        )
    return {str(file): Path(str(file.locate())).read_bytes() for file in kept}
