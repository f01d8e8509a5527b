"""A wheel's files → where Debian has them, and dpkg's beside them."""

import gzip
import hashlib
import os
import subprocess
import tempfile
import zipfile
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path, PurePosixPath

from release.debian import control

_MODULES = Path("usr/lib/python3/dist-packages")
#: pip's own: who installs a file, and what was installed, dpkg knows.
_PIPS = {"RECORD", "WHEEL", "INSTALLER"}
#: Debian has its packages' completions elsewhere than others'.
_MOVED = {"share/zsh/site-functions": "share/zsh/vendor-completions"}


def build(wheel: Path, documents: list[Path], tree: Path, day: datetime, folder: Path) -> Path:
    """Leave the package in ``folder``.

    :param documents: what goes to /usr/share/doc/xentool, by its place below ``tree``, which has CHANGELOG.md, too
    :param day: of the release
    :raises subprocess.CalledProcessError: one of dpkg's programs or strip failed, and has said why
    """
    version = wheel.name.split("-")[1]
    architecture = _said(["dpkg", "--print-architecture"])
    with tempfile.TemporaryDirectory() as work:
        root = Path(work, "root")
        _unpack(wheel, root)
        _write(root / "usr/bin/xentool", control.SCRIPT.encode(), 0o755)
        _document(root / "usr/share/doc/xentool", documents, tree, version, day)
        libraries = _libraries(sorted(root.rglob("*.so")), Path(work))
        _control(root, version, architecture, libraries)
        for folder_made in (root, *(path for path in root.rglob("*") if path.is_dir())):
            folder_made.chmod(0o755)
        target = folder / f"xentool_{version}-1_{architecture}.deb"
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(int(day.timestamp()))}
        # xz: Debian's own dpkg reads it in all releases.
        argv = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(target)]
        subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    return target


def place(name: str) -> Path | None:
    """Return where a wheel's member lies in Debian, relative to /; None if it is pip's alone."""
    top, *rest = PurePosixPath(name).parts
    if top.endswith(".data"):
        below = "/".join(rest[1:])
        for here, there in _MOVED.items():
            below = below.replace(here, there)
        return Path("usr", below)
    if top.endswith(".dist-info") and (rest[0] in _PIPS or rest[0] == "licenses"):
        return None
    return _MODULES / name


def _unpack(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            to = None if member.is_dir() else place(member.filename)
            if to is not None:
                content = archive.read(member)
                if "man" in to.parts:
                    to, content = to.with_name(f"{to.name}.gz"), gzip.compress(content, mtime=0)
                _write(root / to, content)


def _document(folder: Path, documents: list[Path], tree: Path, version: str, day: datetime) -> None:
    for path in documents:
        _write(folder / path, (tree / path).read_bytes())
    _write(folder / "changelog.gz", gzip.compress((tree / "CHANGELOG.md").read_bytes(), mtime=0))
    ours = control.changelog(version, format_datetime(day))
    _write(folder / "changelog.Debian.gz", gzip.compress(ours.encode(), mtime=0))
    _write(folder / "copyright", control.COPYRIGHT.encode())


def _libraries(modules: list[Path], work: Path) -> str:
    # Which releases of C's library have all that the modules call: known to dpkg alone, which wants a source package.
    paths = [str(path) for path in modules]
    subprocess.run(["strip", "--strip-unneeded", *paths], check=True)
    Path(work, "debian").mkdir()
    Path(work, "root/DEBIAN").mkdir()  # by which it knows a package's files
    Path(work, "debian/control").write_text("Source: xentool\n\nPackage: xentool\nArchitecture: any\n")
    said = _said(["dpkg-shlibdeps", "-O", *(f"-e{path}" for path in paths)], work)
    return said.removeprefix("shlibs:Depends=")


def _control(root: Path, version: str, architecture: str, libraries: str) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    sums = (f"{_md5(path.read_bytes())}  {path.relative_to(root)}\n" for path in files)
    kib = sum(-(-path.stat().st_size // 1024) for path in files)
    folder = root / "DEBIAN"
    _write(folder / "md5sums", "".join(sums).encode())
    _write(folder / "control", control.control(version, architecture, libraries, kib).encode())
    _write(folder / "postinst", control.POSTINST.encode(), 0o755)
    _write(folder / "prerm", control.PRERM.encode(), 0o755)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _md5(content: bytes) -> str:
    # As dpkg --verify wants it, which finds disks that err, no forgeries.
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _said(argv: list[str], folder: Path | None = None) -> str:
    return subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
