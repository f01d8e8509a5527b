"""Fleets beside a shell's loop over the same captures: run nothing else meanwhile.

python -m tests.bench.fleet [CAPTURES] [MEGABYTES]

Tells, of 64 captures of 16 MB by default, on all cores: the loop over ``xentool report --json`` and that over xenalyze,
where it is installed, in turns with the fleet, net of the cluster's start; how long that start takes; what a task takes
besides its work (of captures of next to nothing); and the memory of the client for 64 and for 6,400 small captures.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.repeat import repeat
from tests.traces.captures import capture
from tests.xentool.tools.fleet.made import trace

_TURNS = 3
_XENTOOL = [sys.executable, "-m", "xentool"]


def fleet(folder: Path) -> dict[str, Any]:
    """Report on a folder, without answers of before."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [*_XENTOOL, "fleet", "report", str(folder), "--json"],
            env=os.environ | {"XENTOOL_CACHE": cache},
            stdout=subprocess.PIPE,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def loop(folder: Path, *command: str) -> float:
    """Run a command on each file, one after the other; give the seconds."""
    began = time.monotonic()
    for path in sorted(folder.iterdir()):
        subprocess.run([*command, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def main(captures: int = 64, megabytes: int = 16) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        large, small, many = (Path(name, each) for each in ("large", "small", "many"))
        for folder in (large, small, many):
            folder.mkdir()
        first = large / "0000.xentrace"
        with first.open("wb") as file:
            repeat(capture("xen-4.17-pv1"), file, megabytes << 20)
        for number in range(1, captures):
            # No copy on disk, but a file of its own all the same.
            os.link(first, large / f"{number:04}.xentrace")
        data = trace(0)
        for number in range(6_400):
            (many / f"{number:04}.xentrace").write_bytes(data)
            if number < 64:
                os.link(many / f"{number:04}.xentrace", small / f"{number:04}.xentrace")
        _ratios(large)
        few, all_ = fleet(small), fleet(many)
        each = (all_["seconds"]["work"] - few["seconds"]["work"]) / (6_400 - 64) * all_["workers"]
        print(f"start of {few['workers']} workers: {few['seconds']['start']:.2f} s")
        print(f"a capture of {len(data) / 1e3:.0f} kB: {each * 1e3:.1f} ms of a worker, its reading included")
        print(f"client: {few['memory']['client'] / 1e6:.0f} MB for 64, {all_['memory']['client'] / 1e6:.0f} for 6,400")


def _ratios(folder: Path) -> None:
    loops: dict[str, list[str]] = {"xentool report --json": [*_XENTOOL, "report", "--json"]}
    if xenalyze := shutil.which("xenalyze"):
        loops["xenalyze -s"] = [xenalyze, "-s"]
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    own = []
    for _ in range(_TURNS):
        own.append(fleet(folder)["seconds"]["work"])
        for name, command in loops.items():
            seconds[name].append(loop(folder, *command))
    print(f"fleet: {min(own):.2f} s")
    for name, of in seconds.items():
        print(f"{name}: {min(of):.2f} s, {min(of) / min(own):.2f} times as long")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
