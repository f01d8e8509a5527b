"""Fleets beside a shell's loop over the same captures: run nothing else meanwhile; takes about three minutes.

python -m tests.bench.fleet [CAPTURES] [MEGABYTES] [SMALL]

Tells, of 64 captures of 16 MB by default, by workers on all cores: how many times as long a shell's loop over ``xentool
report --json`` takes, and one over xenalyze, in turns with the fleet, net of the cluster's start; how long that start
takes; what a capture costs besides its reading, and the memory of the client, of 6,400 small ones.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.repeat import repeat
from tests.traces.captures import capture
from tests.xentool.tools.fleet.made import HZ, trace
from xentool.tools.fleet.patient import LIMIT_S
from xentool.tools.fleet.places import Place, find
from xentool.tools.fleet.task import look
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.sidecar import Sidecar

_TURNS = 5
_FEW = 64
_XENTOOL = [sys.executable, "-m", "xentool"]
_LOOP = 'for file in "$1"/*.xentrace; do {command} "$file" >/dev/null 2>&1 || exit; done'


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
    if found["failed"]:
        raise SystemExit(f"captures failed: {found['failed'][0]}")
    return found


def loop(folder: Path, command: str) -> float:
    """Run a command on each file, one after the other; give the seconds."""
    began = time.monotonic()
    subprocess.run(["sh", "-c", _LOOP.format(command=command), "sh", str(folder)], check=True)
    return time.monotonic() - began


def alone(folder: Path) -> float:
    """Read each capture of a folder in this process; give the seconds that one takes."""
    places = [place for place in find([str(folder)]) if isinstance(place, Place)]
    began = time.monotonic()
    for place in places:
        look(place, LIMIT_S)
    return (time.monotonic() - began) / len(places)


def main(captures: int = 64, megabytes: int = 16, small: int = 6_400) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        large, few, many = (Path(name, each) for each in ("large", "few", "many"))
        repeated = Path(name, "repeated")
        with repeated.open("wb") as file:
            repeat(capture("xen-4.17-pv1"), file, megabytes << 20)
        hz = json.loads(subprocess.check_output([*_XENTOOL, "report", "--json", str(repeated)]))["capture"]["hz"]
        filled(large, repeated, captures, hz)
        made = Path(name, "small")
        made.write_bytes(trace(0))
        filled(few, made, _FEW, HZ)
        filled(many, made, small, HZ)
        print(f"{captures} captures of {repeated.stat().st_size / 1e6:.1f} MB")
        starts = ratios(large)
        one, all_ = fleet(few), fleet(many)
        starts += [one["seconds"]["start"], all_["seconds"]["start"]]
        workers = all_["workers"]
        print(f"start of {workers} workers: {statistics.median(starts):.2f} s (at most {max(starts):.2f})")
        each, reading = all_["seconds"]["work"] * workers / small, alone(few)
        print(
            f"a capture of {made.stat().st_size / 1e3:.0f} kB among {small:,}: {each * 1e3:.2f} ms of a worker, "
            f"{reading * 1e3:.2f} of them to read it, {(each - reading) * 1e3:.2f} besides"
        )
        client, worker = ([found["memory"][who] / 1e6 for found in (one, all_)] for who in ("client", "worker"))
        print(f"memory for {_FEW} and for {small:,}: client {client[0]:.0f} and {client[1]:.0f} MB, ", end="")
        print(f"worker {worker[0]:.0f} and {worker[1]:.0f} MB")


def filled(folder: Path, source: Path, count: int, hz: float) -> None:
    """Fill a folder with captures as ``xentool record`` leaves them, each a file of its own, but none a copy."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:04}.xentrace"
        os.link(source, path)
        sidecar.write(path, Sidecar(f"xen{number % 8}", "4.17", hz, 0xFFFFFFFF, {}))


def ratios(folder: Path) -> list[float]:
    """Tell how many times as long as the fleet loops take, by turns; give the seconds of each start."""
    loops = {"xentool report --json": f"{sys.executable} -m xentool report --json"}
    if xenalyze := shutil.which("xenalyze"):
        loops["xenalyze -s"] = f"{xenalyze} -s"
    own, starts = [], []
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(_TURNS):
        took = fleet(folder)["seconds"]
        own.append(took["work"])
        starts.append(took["start"])
        for name, command in loops.items():
            seconds[name].append(loop(folder, command))
    print(f"fleet: {statistics.median(own):.2f} s")
    for name, of in seconds.items():
        times = [each / mine for each, mine in zip(of, own, strict=True)]
        told = f"{statistics.median(times):.2f} times as long ({min(times):.2f} to {max(times):.2f})"
        print(f"a loop over {name}: {statistics.median(of):.2f} s, {told}")
    return starts


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
