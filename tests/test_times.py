"""Where the time of tests went, as it is told."""

import json
from pathlib import Path

import pytest

from tests import times


def test_what_is_small_is_shown_by_folder() -> None:
    files = [("tests/a/test_slow.py", 3, 75.0), ("tests/a/test_x.py", 5, 4.0), ("tests/a/test_y.py", 2, 7.5)]
    assert times.rows([*files, ("tests/b/test_z.py", 1, 80.0)]) == [
        ("tests/b/test_z.py", 1, 80.0),
        ("tests/a/test_slow.py", 3, 75.0),
        ("tests/a/ (others)", 7, 11.5),
    ]


def test_all_runs_are_told_and_how_long_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(times, "FOLDER", tmp_path)
    for kind, ended in (("no lab", 1061.0), ("lab", 1600.4)):
        noted = {"began": 1000, "ended": ended, "load": 1.5, "files": [["tests/a/test_b.py", 2, 12.0]]}
        (tmp_path / f"{kind}.json").write_text(json.dumps(noted))
    times.main()
    said = capsys.readouterr().out
    assert "no lab: 1:01 min, load at its end 1.5 a CPU\n    0:12      2  tests/a/test_b.py\n" in said
    assert "\nAll of it: 10:00 min." in said
