"""What runs tests beside others: both outputs, and the status of whichever fails."""

import os
import sys
from pathlib import Path

import pytest

from tests.run import both

QUIET = [sys.executable, "-S", "-c", "pass"]


@pytest.mark.parametrize(("beside", "foreground", "status"), [(0, 0, 0), (3, 0, 3), (0, 2, 2), (3, 2, 2)])
def test_what_fails_is_told(tmp_path: Path, beside: int, foreground: int, status: int) -> None:
    first, second = ([*QUIET[:-1], f"raise SystemExit({code})"] for code in (beside, foreground))
    assert both(first, second, tmp_path / "log") == status


def test_what_is_beside_yields_and_sees_no_lab(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # It is told to yield while it starts.
    code = "import os, time; time.sleep(0.3); print(os.nice(0), os.listdir(os.environ['XENTOOL_CACHE']))"
    assert both([*QUIET[:-1], code], [*QUIET[:-1], "print('first')"], tmp_path / "log") == 0
    assert capfd.readouterr().out == f"first\n{max(os.nice(0), 5)} []\n\n"


def test_what_is_beside_ends_when_the_other_is_interrupted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        both([*QUIET[:-1], "import time; time.sleep(1000)"], ["/no/such/program"], tmp_path / "log")
