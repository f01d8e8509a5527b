"""Who decides over a test that failed."""

import json
from pathlib import Path

import pytest

from tests import run, times

#: Whether a test passes, by its name and by who runs it.
_PYTEST = """
import json, sys
from pathlib import Path
words = sys.argv[1:]
kind, tests = words[words.index("--times") + 1], json.loads(Path("tests.json").read_text())
failed = [test for test, fails in tests.items() if kind in fails]
noted = {"began": 1, "ended": 2, "load": 0, "files": [], "failed": failed}
Path("times", kind + ".json").write_text(json.dumps(noted))
Path(kind + ".argv").write_text(json.dumps(words))
print(kind, "ran")
sys.exit(3 if "broken" in failed else 1 if failed else 0)
"""


@pytest.mark.parametrize(
    ("tests", "status", "alone"),
    [
        ({"a": []}, 0, None),
        ({"a": ["lab"], "b": ["no lab"]}, 0, ["a", "b"]),
        ({"a": ["lab", "alone"], "b": ["no lab"]}, 1, ["a", "b"]),
        ({f"{each}": ["no lab"] for each in range(7)}, 1, None),
        ({"a": ["lab"], "broken": ["no lab"]}, 3, None),
    ],
    ids=["passed", "once", "twice", "many", "broken"],
)
def test_what_failed_is_run_once_more_alone(
    tests: dict[str, list[str]],
    status: int,
    alone: list[str] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(times, "FOLDER", tmp_path / "times")
    (tmp_path / "pytest.py").write_text(_PYTEST)
    (tmp_path / "tests.json").write_text(json.dumps(tests))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(run, "BOX", ["true"])
    assert run.main(["--whole"]) == status
    path = tmp_path / "alone.argv"
    assert (json.loads(path.read_text())[2:] if path.exists() else None) == (alone and ["--whole", *alone])
    said = capfd.readouterr().out
    assert said.index("no lab ran") > said.index("\nlab ran")
    assert ("They passed alone." in said) is (alone is not None and status == 0)
    assert [one in said for one in alone or []] == [True] * len(alone or [])
