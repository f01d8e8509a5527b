"""`xentool doctor` on terminals of several widths; what it finds is judged in ``tests.xentool.tools.doctor``."""

import pytest

from tests.xentool.cli.inprocess import ran


def test_a_narrow_terminal_folds_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    piped = ran("doctor").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    narrow = ran("doctor", "--no-pager", terminal=True).stdout
    checks = [line for line in piped.splitlines() if line.startswith(("works", "missing", "not here"))]
    assert len(checks) > 10
    assert max(map(len, narrow.splitlines())) <= 40
    # The load differs from one moment to the next.
    assert narrow.split()[: 10 * len(checks)][:40] == piped.split()[:40]
