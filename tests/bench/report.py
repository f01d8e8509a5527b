"""`xentool report` beside xenalyze on the same capture, in one run; prints ratios, since machines differ."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.repeat import repeat
from tests.traces.captures import capture

SIZE = 200_000_000
ROUNDS = 3
PEERS = {
    "xentool report": [sys.executable, "-m", "xentool", "report", "--json"],
    "xenalyze --summary": ["xenalyze", "--summary", "--tolerance=6"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=600)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        with path.open("wb") as file:
            size = repeat(capture("xen-4.17-pv1"), file, SIZE)
        # Taken in turns, so that a slower minute of the machine hits both.
        times: dict[str, list[float]] = {name: [] for name in PEERS}
        for _ in range(ROUNDS):
            for name, command in PEERS.items():
                times[name].append(seconds([*command, str(path)]))
    print(f"{size / 1e6:.0f} MB of PV trace, median of {ROUNDS}, {os.cpu_count()} cores")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        print(f"  {name:<20} {median:7.2f} s  {size / median / 1e6:7.0f} MB/s")
    ours, theirs = medians.values()
    print(f"  xentool takes {ours / theirs:.2f} times as long as xenalyze")


if __name__ == "__main__":
    main()
