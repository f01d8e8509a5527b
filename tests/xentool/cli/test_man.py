"""Manual pages: of every command, without a warning of those who format them, and with all that --help tells."""

import subprocess
from pathlib import Path

import click
import pytest

from tests.xentool.cli.running import run
from xentool.cli.commands import COMMANDS
from xentool.cli.common.manual import pages
from xentool.cli.root import group

PAGES = dict(pages(group))


def shown(path: Path) -> str:
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("man") / "man1"
    assert run("man", "--to", str(path)).returncode == 0
    return path


def test_every_command_has_one(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {f"{name}.1" for name in PAGES}
    assert {"xentool", "xentool-lab-up", *(f"xentool-{name}" for name in COMMANDS)} <= set(PAGES)


def test_nobody_warns_of_them(folder: Path) -> None:
    paths = sorted(map(str, folder.iterdir()))
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *paths], capture_output=True, text=True, check=False
    )
    # That a page has no date is meant: it changes with the release, not with the day on which it was built.
    found = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert found == []


def test_they_tell_what_help_tells(folder: Path) -> None:
    text = shown(folder / "xentool-report.1")
    report = group.get_command(click.Context(group), "report")
    assert report is not None
    for parameter in report.params:
        if isinstance(parameter, click.Option):
            assert all(switch in text for switch in parameter.opts)
            assert " ".join((parameter.help or "").split())[:60] in " ".join(text.split())
    assert "xentool-report - Report on a trace file\n" in text
    assert "       grant      grant maps, unmaps and transfers, grant_table_op\n" in text
    assert "xentool-trace(1)" in shown(folder / "xentool.1")
    example = shown(folder / "xentool-sql.1")
    assert 'xentool sql domU.xentrace "select hypercall, count(*) from hypercalls' in example


def test_one_as_its_source_in_a_pipe() -> None:
    assert run("man", "lab", "up").stdout == PAGES["xentool-lab-up"]
    assert run("man").stdout == PAGES["xentool"]
    done = run("man", "nonsense")
    assert (done.returncode, "there is no command 'nonsense'" in done.stderr) == (2, True)


def test_examples_keep_their_lines(folder: Path) -> None:
    script = "write /local/domain/5/data/greeting good morning", "rm /local/domain/5/data/old"
    for text in run("store", "apply", "--help").stdout, shown(folder / "xentool-store-apply.1"):
        assert [line.strip() for line in text.splitlines() if line.strip() in script] == list(script)
        assert "\\b" not in text
