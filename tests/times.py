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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test took, or its set-up or end."""
        path = report.nodeid.partition("::")[0]
        self._files[path] += report.duration
        self._tests[path] += report.when == "call"

    def pytest_sessionfinish(self) -> None:
        """Note it all."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        noted = {
            "clock": time.time() - self._began,
            "load": os.getloadavg()[0] / (os.cpu_count() or 1),
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


def main() -> None:
    """Show all that were noted, oldest first."""
    total = 0.0
    for noted in sorted(FOLDER.glob("*.json"), key=lambda path: path.stat().st_mtime):
        document = json.loads(noted.read_bytes())
        total += document["clock"]
        print(f"\n{noted.stem}: {spoken(document['clock'])} min, load at its end {document['load']:.1f} a CPU")
        for path, tests, seconds in rows([(path, tests, seconds) for path, tests, seconds in document["files"]]):
            print(f"{spoken(seconds):>8}  {tests:>5}  {path}")
    print(f"\nAll of them: {spoken(total)} min. Above: what tests took, their number, where they are.")


if __name__ == "__main__":
    main()
