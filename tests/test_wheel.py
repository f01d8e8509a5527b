"""The wheel: one for all Pythons from 3.11 on, with all three packages, usable where nothing else of this tree is."""

import fcntl
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.traces.captures import capture

TREE = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # One for all processes that run tests: two builds at once would be in each other's way in this tree.
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel"
    with (folder.with_suffix(".lock")).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(folder.glob("*.whl")):
            build(folder)
    (built,) = folder.glob("*.whl")
    return built


def build(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(TREE),
    ]
    subprocess.run(command, check=True, timeout=900)


def test_one_wheel_for_every_python(wheel: Path) -> None:
    assert wheel.name.split("-")[2:4] == ["cp311", "abi3"]


def test_all_of_it_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"xentool", "pvdrivers", "traces"}
    assert {f"traces/exporters/html/templates/page.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert {"xentool/tools/capture.sh", "xentool/py.typed", "traces/decode/tokenize.pyi"} <= set(names)
    compiled = {name for name in names if name.endswith(".so")}
    sources = [path for package in ("pvdrivers", "traces") for path in (TREE / package).rglob("*.pyx")]
    modules = {path.relative_to(TREE) for path in sources}
    assert compiled == {str(module.with_suffix(".abi3.so")) for module in modules}
    assert Path("traces/analyses/lane.pyx") in modules


def test_it_works_away_from_the_tree(wheel: Path, tmp_path: Path) -> None:
    # Dependencies come from this environment; the packages themselves only from the wheel.
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    site = next((tmp_path / "venv/lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others))
    (tmp_path / "capture").write_bytes(capture("xen-4.17-pv1"))
    code = "import traces, sys; from xentool.cli import main; print(traces.__file__); main()"
    done = subprocess.run(
        [python, "-c", code, "report", "capture"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stderr == ""
    first, *rest = done.stdout.splitlines()
    assert first.startswith(str(site))
    assert any(line.split()[:1] == ["multicall"] for line in rest)
