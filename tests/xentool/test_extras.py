"""Libraries that may be missing: which extra has them, and the command that brings each, wherever xentool came from."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from xentool import extras
from xentool.errors import XentoolError
from xentool.lab import releases

TREE = Path(__file__).parents[2]
DEBIANS = Path("/usr/lib/python3/dist-packages/xentool")


def test_the_table_says_what_the_project_does() -> None:
    told = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for module, library in extras.LIBRARIES.items():
        assert library.requirement in told[library.extra], module
    libraries = {name for names in releases.LIBRARIES.values() for name in names}
    assert {extras.LIBRARIES[name].requirement for name in libraries} == set(told["lab"])


def test_every_debian_package_is_one_that_the_package_suggests() -> None:
    from release.debian.control import SUGGESTS  # noqa: PLC0415 - what is tested

    assert {one.debian for one in extras.LIBRARIES.values() if one.debian} <= set(SUGGESTS)


def test_what_is_there_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extras.is_there("json")
    assert extras.is_there("email.policy")
    assert not extras.is_there("no_such_module")
    assert not extras.is_there("no_such_package.module")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert not extras.is_there("jinja2")
    with pytest.raises(XentoolError, match=r"^--html needs jinja2: .*jinja2>=3\.1"):
        extras.need("jinja2", "--html")


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("jinja2", "apt install python3-jinja2"),
        ("markupsafe", "apt install python3-jinja2"),
        ("duckdb", "apt install python3-pip && pip install --user --break-system-packages 'duckdb>=1.2'"),
    ],
)
def test_of_debian(module: str, wanted: str, tmp_path: Path) -> None:
    assert extras.command(module, DEBIANS, tmp_path) == wanted


def test_of_pipx(tmp_path: Path) -> None:
    prefix = tmp_path / "venvs/xentool"
    prefix.mkdir(parents=True)
    (prefix / "pipx_metadata.json").write_text("{}")
    assert extras.command("duckdb", tmp_path / "xentool", prefix) == "pipx inject xentool 'duckdb>=1.2'"


def test_of_an_environment_or_a_checkout_it_is_a_command_that_pip_takes() -> None:
    told = extras.command("qemu.qmp", TREE / "xentool")
    assert told == f"{sys.prefix}/bin/python -m pip install 'qemu.qmp>=0.0.3'"
    # A shell takes it as it is; here it is there already, and nothing is fetched.
    subprocess.run(["sh", "-c", f"{told} --no-index --quiet"], check=True, timeout=300)


def test_a_path_with_spaces_is_quoted(tmp_path: Path) -> None:
    python = tmp_path / "my tools/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    told = extras.command("perfetto", tmp_path, python.parents[1])
    assert told == f"'{python}' -m pip install 'perfetto>=0.12'"
