"""`make dist`: leaves in dist what is released: the source distribution, the wheel, the Debian package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from release import changes, debian, python
from xentool import __version__, output

DIST = python.TREE / "dist"


def main() -> None:
    """Make them, each of the one before, and have the wheel's binary interface audited."""
    version, day = changes.newest(python.TREE / "CHANGELOG.md")
    if version != __version__:
        sys.exit(f"CHANGELOG.md's newest release is {version}, and xentool/__init__.py says {__version__}")
    os.environ["SOURCE_DATE_EPOCH"] = str(int(day.timestamp()))
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    wheel = python.wheel(python.source(DIST), DIST)
    subprocess.run([sys.executable, "-m", "abi3audit", "--strict", str(wheel)], check=True)
    documents = [Path("README.md"), *sorted(path.relative_to(python.TREE) for path in python.TREE.glob("docs/**/*.*"))]
    debian.build(wheel, documents, python.TREE, day, DIST)
    for path in sorted(DIST.iterdir()):
        output.line(f"{path.relative_to(python.TREE)}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
