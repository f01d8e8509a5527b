"""The wheel: one for all Pythons from 3.11 on, with all three packages, usable where nothing else of this tree is."""

import ast
import fcntl
import inspect
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.traces.captures import capture

TREE = Path(__file__).parent.parent
PACKAGES = ("xentool", "pvdrivers", "traces")
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
    sdist = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    subprocess.run([sys.executable, "-c", sdist], cwd=TREE, check=True, stdout=subprocess.DEVNULL, timeout=300)
    # What is compiled need not be fast here, and is, without that, in a third of the time.
    compiler = folder / "compiler"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    (source,) = folder.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    environment = {**os.environ, "CC": str(compiler)}
    subprocess.run([*pip, "-w", str(folder), str(source)], cwd=folder, env=environment, check=True, timeout=900)


@pytest.fixture
def wheel(distributions: Path) -> Path:
    (built,) = distributions.glob("*.whl")
    return built


def test_a_source_distribution_has_all_sources_and_nothing_made(distributions: Path) -> None:
    (source,) = distributions.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {str(path.relative_to(TREE)) for package in PACKAGES for path in (TREE / package).rglob("*.p*[xdyi]")}
    assert {Path(name).suffix for name in wanted} >= {".py", ".pyx", ".pxd", ".pyi"}
    assert wanted - names == set()
    assert {name for name in names if name.endswith((".c", ".so", ".o", ".pyc"))} == set()
    assert {name.split("/")[0] for name in names if "/" in name} <= {*PACKAGES, "xentool.egg-info"}
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", "xentool/tools/tracing/capture.sh"} <= names


def test_flags_that_compiled_code_is_told_are_pythons() -> None:
    tree = ast.parse((TREE / "setup.py").read_text())
    (told,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CODE_FLAGS"
    )
    assert {name: int(value, 16) for name, value in told.items()} == {name: getattr(inspect, name) for name in told}
    assert "CO_GENERATOR" in told


def test_one_wheel_for_every_python(wheel: Path) -> None:
    assert wheel.name.split("-")[2:4] == ["cp311", "abi3"]


def test_all_of_it_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)
    assert {f"traces/exporters/html/templates/page.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert {"xentool/tools/tracing/capture.sh", "xentool/py.typed", "traces/xen/decode/tokenize.pyi"} <= set(names)
    compiled = {name for name in names if name.endswith(".so")}
    sources = [path for package in ("pvdrivers", "traces") for path in (TREE / package).rglob("*.pyx")]
    modules = {path.relative_to(TREE) for path in sources}
    assert compiled == {str(module.with_suffix(".abi3.so")) for module in modules}
    assert Path("traces/xen/lane.pyx") in modules


def test_it_works_away_from_the_tree(wheel: Path, tmp_path: Path) -> None:
    # Dependencies come from this environment; the packages themselves only from the wheel.
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, timeout=300)
    site = next((tmp_path / "venv/lib").glob("python*")) / "site-packages"
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others))
    (tmp_path / "capture").write_bytes(capture("xen-4.17-pv1"))
    places = "import traces.xen.decode.tokenize as one, xentool as other; print(one.__file__); print(other.__file__)"
    for command in ([str(python), "-c", places], [str(tmp_path / "venv/bin/xentool"), "report", "capture"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        if "-c" in command:
            assert all(line.startswith(str(site)) for line in lines)
        else:
            assert any(line.split()[:1] == ["multicall"] for line in lines)
