"""The wheel: one for all Pythons from 3.11 on, with all three packages, usable where nothing else of this tree is."""

import ast
import inspect
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

from release import share
from tests.traces.captures import capture
from xentool import __version__
from xentool.cli.common import manual
from xentool.cli.root import group

TREE = Path(__file__).parents[2]
PACKAGES = ("xentool", "pvdrivers", "traces")


def test_a_source_distribution_has_all_sources_and_what_is_made_of_them_alone(distributions: Path) -> None:
    (source,) = distributions.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {str(path.relative_to(TREE)) for package in PACKAGES for path in (TREE / package).rglob("*.p*[xdyi]")}
    assert {Path(name).suffix for name in wanted} >= {".py", ".pyx", ".pxd", ".pyi"}
    assert wanted - names == set()
    written = {f"made/cython/{path.relative_to(TREE).with_suffix('.c')}" for path in TREE.glob("[pt]*/**/*.pyx")}
    assert {name for name in names if name.endswith((".c", ".so", ".o", ".pyc"))} == written
    assert {name.split("/")[0] for name in names if "/" in name} <= {*PACKAGES, "xentool.egg-info", "docs", "made"}
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", "xentool/tools/tracing/capture.sh"} <= names
    assert {"CHANGELOG.md", "docs/tutorial.md", "docs/xentool-block.service", "made/share/man/man1/xentool.1"} <= names


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
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {*PACKAGES, f"xentool-{__version__}.data"}
    assert {f"traces/exporters/html/templates/page.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert {"traces/exporters/templates/frame.html", "xentool/tools/memory/templates/walk.css"} <= set(names)
    assert {"xentool/tools/tracing/capture.sh", "xentool/py.typed", "traces/xen/decode/tokenize.pyi"} <= set(names)
    compiled = {name for name in names if name.endswith(".so")}
    sources = [path for package in ("pvdrivers", "traces") for path in (TREE / package).rglob("*.pyx")]
    modules = {path.relative_to(TREE) for path in sources}
    assert compiled == {str(module.with_suffix(".abi3.so")) for module in modules}
    assert Path("traces/xen/lane.pyx") in modules


def test_manual_pages_and_completions_come_with_it(wheel: Path) -> None:
    inside = f"xentool-{__version__}.data/data/share/"
    with zipfile.ZipFile(wheel) as archive:
        shared = {name.removeprefix(inside) for name in archive.namelist() if name.startswith(inside)}
        page = archive.read(f"{inside}man/man1/xentool-lab-up.1").decode()
        bash = archive.read(f"{inside}{share.COMPLETIONS['bash']}").decode()
    pages = {f"man/man1/{name}.1" for name, _ in manual.pages(group)}
    assert shared == {*pages, *share.COMPLETIONS.values()}
    assert page.startswith(f'.TH XENTOOL-LAB-UP 1 "" "xentool {__version__}"')
    assert "_XENTOOL_COMPLETE=bash_complete" in bash


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
