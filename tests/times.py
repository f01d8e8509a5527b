"""Where the time of the tests goes: each run notes it by file, and ``python -m tests.times`` shows all that were noted.

With ``--times`` pytest writes what its tests took, set-up of what they share included, into a file for each run's kind
of tests; several workers' times are added up, so that they may come to more than the clock's.
"""

import json
import os
import time
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

import pytest

FOLDER = Path(__file__).parents[1] / "build/times"
#: Files that took less, in seconds, are taken together by folder.
_SMALL = 10.0


class Times:
    """pytest's plug-in."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._began = time.time()
        self._files: dict[str, float] = defaultdict(float)
        self._tests: Counter[str] = Counter()
        self._failed: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test took, or its set-up or end."""
        path = report.nodeid.partition("::")[0]
        self._files[path] += report.duration
        self._tests[path] += report.when == "call"
        if report.failed:
            self._failed[report.nodeid] = None

    def pytest_sessionfinish(self) -> None:
        """Note it all."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        noted = {
            "began": self._began,
            "ended": time.time(),
            "load": os.getloadavg()[0] / (os.cpu_count() or 1),
            "failed": list(self._failed),
            "files": [[path, self._tests[path], seconds] for path, seconds in self._files.items()],
        }
        (FOLDER / f"{self._kind}.json").write_text(json.dumps(noted))


def rows(files: list[tuple[str, int, float]]) -> list[tuple[str, int, float]]:
    """Give files by what they took, and what is small by folder."""
    shown = [row for row in files if row[2] >= _SMALL]
    small: dict[str, tuple[int, float]] = {}
    for path, tests, seconds in files:
        if seconds < _SMALL:
            folder = str(PurePosixPath(path).parent)
            counted = small.get(folder, (0, 0.0))
            small[folder] = (counted[0] + tests, counted[1] + seconds)
    shown += [(f"{folder}/ (others)", *counted) for folder, counted in small.items()]
    return sorted(shown, key=lambda row: -row[2])


def spoken(seconds: float) -> str:
    """Write minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def failed() -> list[str]:
    """Give all tests that failed in the runs that were noted."""
    return [test for path in sorted(FOLDER.glob("*.json")) for test in json.loads(path.read_bytes())["failed"]]


def main() -> None:
    """Show all that were noted, in the order in which they ended."""
    documents = {path.stem: json.loads(path.read_bytes()) for path in FOLDER.glob("*.json")}
    for kind, noted in sorted(documents.items(), key=lambda item: item[1]["ended"]):
        took = spoken(noted["ended"] - noted["began"])
        print(f"\n{kind}: {took} min, load at its end {noted['load']:.1f} a CPU")
        for path, tests, seconds in rows([(path, tests, seconds) for path, tests, seconds in noted["files"]]):
            print(f"{spoken(seconds):>8}  {tests:>5}  {path}")
    ended, began = (
        max(noted["ended"] for noted in documents.values()),
        min(noted["began"] for noted in documents.values()),
    )
    print(f"\nAll of it: {spoken(ended - began)} min. Above: what tests took, all workers together, and their number.")


if __name__ == "__main__":
    main()
