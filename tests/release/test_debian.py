"""The Debian package: what is where in it, what it says of itself, and that it works from there."""

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from release import debian
from release.debian import package
from tests.traces.captures import capture
from xentool import __version__

TREE = Path(__file__).parents[2]
DAY = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (wheel,) = distributions.glob("*.whl")
    return debian.build(wheel, [Path("README.md"), Path("docs/xenbus.md")], TREE, DAY, tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def files(made: Path) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """All regular files by their path without the leading slash."""
    argv = ["dpkg-deb", "--fsys-tarfile", str(made)]
    inside = subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=300)
    with tarfile.open(fileobj=io.BytesIO(inside.stdout)) as archive:
        return {
            one.name.removeprefix("./"): (one, file.read())
            for one in archive
            if (file := archive.extractfile(one)) is not None
        }


def said(made: Path, field: str) -> str:
    argv = ["dpkg-deb", "--field", str(made), field]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout.strip()


def test_what_it_says_of_itself(made: Path) -> None:
    assert said(made, "Version") == f"{__version__}-1"
    needed = {one.split(" ")[0] for one in said(made, "Depends").split(", ")}
    names = {"click", "construct", "numpy", "pyxs", "rich"}
    assert needed == {"libc6", "python3", *(f"python3-{name}" for name in names)}
    assert said(made, "Description").startswith("hypercall tracer, tools and paravirtual drivers for Xen\n")


def test_it_has_all_of_the_wheel(distributions: Path, files: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    (wheel,) = distributions.glob("*.whl")
    modules = "usr/lib/python3/dist-packages"
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py") or name == "xentool/lab/data/dom0.init":
                assert files[f"{modules}/{name}"][1] == archive.read(name)
            if name.endswith(".so"):
                assert files[f"{modules}/{name}"][1].startswith(b"\x7fELF")
    assert f"{modules}/xentool-{__version__}.dist-info/METADATA" in files
    assert {name for name in files if name.endswith(("RECORD", "/LICENSE"))} == set()
    assert {str(Path(name).parents[-3]) for name in files} == {"usr/bin", "usr/lib", "usr/share"}


def test_manual_pages_completions_and_documents(files: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    page = gzip.decompress(files["usr/share/man/man1/xentool-trace.1.gz"][1]).decode()
    assert page.startswith(f'.TH XENTOOL-TRACE 1 "" "xentool {__version__}"')
    assert files["usr/share/zsh/vendor-completions/_xentool"][1].startswith(b"#compdef xentool\n")
    assert "usr/share/bash-completion/completions/xentool" in files
    assert files["usr/share/doc/xentool/docs/xenbus.md"][1] == (TREE / "docs/xenbus.md").read_bytes()
    changes = gzip.decompress(files["usr/share/doc/xentool/changelog.Debian.gz"][1]).decode()
    assert changes.startswith(f"xentool ({__version__}-1) unstable;")
    assert changes.endswith("  Mon, 30 Nov 2026 00:00:00 +0000\n")


def test_everything_is_roots_and_only_programs_are_executable(files: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    assert {(one.uname, one.gname) for one, _ in files.values()} == {("root", "root")}
    assert {name for name, (one, _) in files.items() if one.mode != 0o644} == {"usr/bin/xentool"}
    assert files["usr/bin/xentool"][0].mode == 0o755


def test_a_report_from_it(made: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", made, tmp_path / "root"], check=True, timeout=300)
    (tmp_path / "capture").write_bytes(capture("xen-4.17-pv1"))
    modules = tmp_path / "root/usr/lib/python3/dist-packages"
    environment = {**os.environ, "PYTHONPATH": str(modules)}
    argv = [sys.executable, str(tmp_path / "root/usr/bin/xentool"), "report", "capture"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == ""
    assert any(line.split()[:1] == ["multicall"] for line in done.stdout.splitlines())
    where = [sys.executable, "-c", "import traces.xen.lane as one; print(one.__file__)"]
    told = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=300)
    assert told.stdout.startswith(str(modules))


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ("traces/xen/lane.abi3.so", "usr/lib/python3/dist-packages/traces/xen/lane.abi3.so"),
        ("xentool-1.data/data/share/man/man1/xentool.1", "usr/share/man/man1/xentool.1"),
        ("xentool-1.data/data/share/zsh/site-functions/_xentool", "usr/share/zsh/vendor-completions/_xentool"),
        ("xentool-1.dist-info/METADATA", "usr/lib/python3/dist-packages/xentool-1.dist-info/METADATA"),
        ("xentool-1.dist-info/licenses/LICENSE", None),
        ("xentool-1.dist-info/RECORD", None),
    ],
)
def test_where_a_member_goes(member: str, place: str | None) -> None:
    assert package.place(member) == (None if place is None else Path(place))
