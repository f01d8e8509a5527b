"""The project's own wheel, built from the checkout that runs, once per state of its sources."""

import hashlib
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from xentool.lab import locks, logged, places
from xentool.lab.progress import Progress

PACKAGES = ("xentool", "pvdrivers", "traces")
_FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
# Made by builds, not inputs of one.
_MADE = {".so", ".c", ".pyc"}
_KEPT = 5


def checkout() -> Path | None:
    """Return the checkout that this program runs from, None when it was installed."""
    top = Path(__file__).resolve().parents[2]
    return top if (top / "pyproject.toml").is_file() and (top / "setup.py").is_file() else None


def sources(top: Path) -> list[Path]:
    """Return what goes into the wheel, relative to ``top``, in a fixed order."""
    found = [Path(name) for name in _FILES if (top / name).is_file()]
    for package in PACKAGES:
        inside = (path for path in (top / package).rglob("*") if path.is_file() and path.suffix not in _MADE)
        found += sorted(path.relative_to(top) for path in inside if "__pycache__" not in path.parts)
    return found


def key(top: Path) -> str:
    """Return a hash of the sources' names and contents."""
    digest = hashlib.sha256()
    for path in sources(top):
        content = (top / path).read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def ensure(top: Path, progress: Progress) -> Path:
    """Return the wheel of a checkout, building it first when its sources changed (about 15 s).

    :raises XentoolError: pip failed; the message ends with the log's last lines
    """
    folder = places.wheels()
    with locks.wait_for(folder / "lock", progress, "waiting for another xentool that builds the wheel"):
        target = folder / key(top)
        if not target.is_dir():
            progress.step("building xentool's wheel for dom0")
            _build(top, target, folder / "build.log", progress)
            _prune(folder)
        os.utime(target)
        return next(target.glob("*.whl"))


def _build(top: Path, target: Path, log: Path, progress: Progress) -> None:
    log.unlink(missing_ok=True)
    # A copy: setuptools would pick up what earlier builds left in the checkout's build folder, removed ones too.
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=target.parent) as work:
        for path in sources(top):
            copy = Path(work, "src", path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(top / path, copy)
        # With the build's requirements at hand (a developer's .venv) nothing is fetched.
        isolation = ["--no-build-isolation"] if find_spec("Cython") and find_spec("setuptools") else []
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", *isolation]
        out = Path(work, "out")
        logged.run([*pip, "-w", str(out), str(Path(work, "src"))], log, progress)
        out.rename(target)


def _prune(folder: Path) -> None:
    built = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for old in built[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
