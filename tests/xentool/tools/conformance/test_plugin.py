"""pytest's plugin, in a project that has three lines for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = ("-p", "xentool.tools.conformance.plugin")


def ran(folder: Path, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run pytest in a project that knows nothing of this one."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    code = f"{before}\nimport sys, pytest\nsys.exit(pytest.main(sys.argv[1:]))"
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(__file__).parents[4])}
    argv = [sys.executable, "-c", code, *PLUGIN, "-v", *words]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_an_item_a_case(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_other():\n    pass\n")
    done = ran(tmp_path, "--pv-subject", "block-backend", "--pv-case", "BB19", "--pv-case", "BB21")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert "BB19 an empty flush of a disk that is read-only" in done.stdout


def test_a_project_without_tests_of_its_own(tmp_path: Path) -> None:
    done = ran(tmp_path, "--pv-subject", "block-frontend", "--pv-case", "BF01", "--junitxml", "junit.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'name="BF01 a backend without' in (tmp_path / "junit.xml").read_text()


def test_without_a_subject_nothing_of_the_kit_is_there(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\ndef test_other():\n    assert not [each for each in sys.modules if 'pvdrivers' in each]\n"
    )
    done = ran(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("verdict", "code", "said"),
    [
        ("FAIL", 1, "again: xentool conformance block-backend --case BB21 --seed 0"),
        ("XPASS", 1, "xpass: so I say"),
        ("QUIRK", 0, "1 xfailed"),
        ("INCONCLUSIVE", 0, "1 skipped"),
    ],
)
def test_verdicts_are_outcomes(tmp_path: Path, verdict: str, code: int, said: str) -> None:
    harsh = (
        "from pvdrivers.conformance import run\nfrom pvdrivers.conformance.case import Verdict\n"
        f"run.judge = lambda *_, **__: (Verdict.{verdict}, 'so I say')"
    )
    done = ran(tmp_path, "--pv-subject", "block-backend", "--pv-case", "BB21", before=harsh)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_what_there_is_not_is_wrong_usage(tmp_path: Path) -> None:
    done = ran(tmp_path, "--pv-subject", "nobody")
    assert done.returncode == 4
    assert "'nobody' is no driver that can be tested" in done.stderr


def test_other_options_choose_among_cases(tmp_path: Path) -> None:
    done = ran(tmp_path, "--pv-subject", "block-backend", "-k", "BB19 or BB13", "--collect-only", "-q")
    assert sorted(line[:4] for line in done.stdout.splitlines() if line.startswith("BB")) == []
    assert done.stdout.count("BB19") == done.stdout.count("BB13") == 1
    assert "BB14" not in done.stdout
