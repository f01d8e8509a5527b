"""The project's own files for dom0: of this checkout, from a wheel where it is not compiled, or of the installation."""

import zipfile
from pathlib import Path, PurePosixPath

from xentool.lab import wheel
from xentool.lab.progress import Progress

COMMAND = b"#!/usr/bin/python3\nfrom xentool.cli import main\n\nmain()\n"


def collect(python: str, progress: Progress) -> dict[str, bytes]:
    """Return the files by their path in dom0, relative to its root.

    :param python: dom0's Python, such as 3.11
    :raises XentoolError: the wheel cannot be built
    """
    top = wheel.checkout()
    if top is None:
        found = of_installation(Path(__file__).resolve().parents[2])
    else:
        found = of_tree(top) or _of_wheel(wheel.ensure(top, progress))
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


def of_installation(top: Path) -> dict[str, bytes]:
    """Return an installation's files.

    :param top: the folder that pip, or dpkg, has put the packages into; what is beside them is others'
    """
    # The extension modules are built for Python's limited API, so what is installed here runs in dom0 too.
    inside = (path for package in wheel.PACKAGES for path in sorted((top / package).rglob("*")))
    files = (path for path in inside if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(top)): path.read_bytes() for path in files}
