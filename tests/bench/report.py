"""xentool beside xenalyze, and beside an older xentool, on the same captures in one run; prints ratios.

``python -m tests.bench.report [MEGABYTES] [--before TREE] [--start]``, where TREE has a built ``.venv/bin/xentool`` of
another commit (or $XENTOOL_BEFORE), and ``--start`` leaves out the large captures.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.bench.repeat import repeat
from tests.traces.captures import capture, stranger

MEGABYTES = 1000
ROUNDS = 7
#: xenalyze prints for a third of a minute.
EXPORT_ROUNDS = 3
XENTOOL = [str(Path(sys.executable).with_name("xentool"))]
KINDS = {"PV": "xen-4.17-pv1", "PVH": "xen-4.17-pvh"}
#: What people mostly read: captures, and to how many megabytes each is repeated.
USUAL = {"xen-4.17-pv1": 17, "xen-4.20-pv2": 22, "xen-4.17-pvh": 27, "xen-4.20-pvh": 28}
#: A Python that does nothing, to which a start is compared.
BARE = [sys.executable, "-I", "-S", "-c", "pass"]
HEADER = f"{'':<66} {'before':>7} {'now':>7}  target"


class Run(NamedTuple):
    """A command that has run: seconds by the clock, and of its processor time."""

    took: float
    worked: float


def ran(command: list[str], environment: dict[str, str] | None = None) -> Run:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=environment)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(took, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def memory(command: list[str]) -> int:
    """Give the most memory that a command has, in MB; in a run of its own, since looking takes time of a core."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.005)
    return peak


def resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0]) // 1024 if found else 0


def compiled(folder: Path) -> Path:
    """Compile the loop over record headers that is the floor for every reader."""
    program = folder / "floor"
    source = Path(__file__).with_name("floor.c")
    subprocess.run(["gcc", "-O3", "-o", str(program), str(source)], check=True)
    return program


def compare(
    title: str,
    size: int,
    ours: dict[str, list[str]],
    theirs: dict[str, list[str]],
    *,
    floor: list[str] | None = None,
    rounds: int = ROUNDS,
) -> None:
    """Run our ways and theirs in turns, so that a slower minute of the machine hits all."""
    commands = ours | theirs | ({"floor": floor} if floor else {})
    taken: dict[str, list[Run]] = {name: [] for name in commands}
    peaks = {name: memory(command) for name, command in commands.items()}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(ran(command))
    print(f"{title}, median of {rounds}")
    medians = {name: statistics.median(run.took for run in found) for name, found in taken.items()}
    worked = {name: statistics.median(run.worked for run in found) for name, found in taken.items()}
    for name, median in medians.items():
        print(
            f"  {name:<26} {median:7.2f} s  {size / median / 1e6:7.0f} MB/s  {worked[name]:.2f} s of processor time, "
            f"at most {peaks[name]} MB of memory"
        )
    (peer,) = theirs
    for name in ours:
        faster, cheaper = medians[peer] / medians[name], worked[peer] / worked[name]
        print(f"  ratio: {name} is {faster:.2f} times as fast; by processor time {cheaper:.2f} times")
        if floor:
            share = 100 * medians["floor"] / medians[name]
            print(f"  floor: a compiled loop over the records' headers on one core; {share:.0f} % of its speed")


class Measured(NamedTuple):
    """A way's medians: of seconds by the clock, and of processor time."""

    took: float
    worked: float


def in_turns(ways: dict[str, list[str]], rounds: int, environment: dict[str, str]) -> dict[str, Measured]:
    """Run all ways in turns, once before that for what is cached, and give their medians."""
    for command in ways.values():
        ran(command, environment)
    taken: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, command in ways.items():
            taken[name].append(ran(command, environment))
    return {
        name: Measured(statistics.median(one.took for one in runs), statistics.median(one.worked for one in runs))
        for name, runs in taken.items()
    }


def row(what: str, target: str, of: Callable[[str], float], measured: Mapping[str, Measured]) -> None:
    """Print a ratio, before and now."""
    cells = (f"{of(who):7.2f}" if who in measured else "      -" for who in ("before", "now"))
    print(f"{what:<66} {' '.join(cells)}  {target}", flush=True)


def commands(before: Path | None, *words: str) -> dict[str, list[str]]:
    """Give one command of ours, by the tree that runs it."""
    ours = {"now": [*XENTOOL, *words]}
    return ours | ({"before": [str(before / ".venv/bin/xentool"), *words]} if before else {})


def starts(folder: Path, before: Path | None, environment: dict[str, str]) -> None:
    """Print what it costs to start, in processor time, as multiples of a Python that does nothing."""
    small, middle = folder / "small", folder / "middle"
    # Exits without anything else: a capture that was cut short would be read twice, for its contradictions.
    small.write_bytes(stranger("only-entryexit"))
    with middle.open("wb") as file:
        repeat(capture(KINDS["PV"]), file, 4_700_000)
    about = {path: f"{path.stat().st_size / 1e6:.1f} MB" for path in (small, middle)}
    for what, words, target in (
        ("--help", ["--help"], "<= 4.5"),
        (f"report --json, {about[small]}", ["report", "--json", str(small)], "<= 6"),
        (f"report, {about[middle]}", ["report", str(middle)], "<= 10"),
    ):
        found = in_turns({"bare": BARE} | commands(before, *words), ROUNDS, environment)
        row(f"{what} / bare start, processor time", target, lambda who: found[who].worked / found["bare"].worked, found)  # noqa: B023 - called at once


def usual(folder: Path, before: Path | None, environment: dict[str, str]) -> None:
    """Print how fast captures of tens of megabytes are read."""
    medians: dict[str, list[float]] = {}
    for name, megabytes in USUAL.items():
        path = folder / name
        with path.open("wb") as file:
            repeat(capture(name), file, megabytes * 1_000_000)
        theirs = {"theirs": ["xenalyze", "--summary", "--tolerance=6", str(path)]}
        found = in_turns(theirs | commands(before, "report", "--json", str(path)), ROUNDS, environment)
        for who in found.keys() - theirs.keys():
            medians.setdefault(who, []).append(found["theirs"].took / found[who].took)
        what = f"report --json, {name}, {path.stat().st_size / 1e6:.0f} MB: xenalyze / ours, wall"
        row(what, ">= 0.8", lambda who: found["theirs"].took / found[who].took, found)  # noqa: B023 - called at once
        path.unlink()
    whole = {who: Measured(statistics.median(of), 0) for who, of in medians.items()}
    row("the median of these", ">= 1.2", lambda who: whole[who].took, whole)


def large(folder: Path, megabytes: int, before: Path | None, environment: dict[str, str]) -> None:
    """Print how fast large captures are read and exported, and the memory that a report takes."""
    targets = {"PV": (">= 7", ">= 4.5"), "PVH": (">= 12", ">= 8")}
    peaks: dict[str, Measured] = {}
    for kind, name in KINDS.items():
        path, table = folder / kind, folder / f"{kind}.parquet"
        with path.open("wb") as file:
            size = repeat(capture(name), file, megabytes * 1_000_000)
        ours, summary = commands(before, "report", "--json", str(path)), ["xenalyze", "--summary", "--tolerance=6"]
        found = in_turns({"theirs": [*summary, str(path)]} | ours, ROUNDS, environment)
        what = f"report --json, {size / 1e6:.0f} MB of {kind}: xenalyze / ours"
        row(f"{what}, wall", targets[kind][0], lambda who: found["theirs"].took / found[who].took, found)  # noqa: B023 - called at once
        row(
            f"{what}, processor time",
            targets[kind][1],
            lambda who: found["theirs"].worked / found[who].worked,  # noqa: B023 - called at once
            found,
        )
        for who, command in ours.items():
            peaks[who] = Measured(max(memory(command), peaks[who].took if who in peaks else 0), 0)
        export = commands(before, "export", str(path), "--format", "parquet", "-o", str(table))
        every = {"theirs": ["xenalyze", "-a", "--tolerance=6", str(path)]}
        found = in_turns(every | export, EXPORT_ROUNDS, environment)
        what = f"Parquet of all records of {size / 1e6:.0f} MB of {kind}: xenalyze -a / ours, wall"
        row(what, ">= 12", lambda who: found["theirs"].took / found[who].took, found)  # noqa: B023 - called at once
        path.unlink()
        table.unlink()
    row("peak memory of a report, MB", "<= 45", lambda who: peaks[who].took, peaks)


def details(folder: Path, megabytes: int) -> None:
    """Print the same by megabytes a second, beside the floor of every reader."""
    program = compiled(folder)
    for kind, name in KINDS.items():
        path = folder / kind
        with path.open("wb") as file:
            size = repeat(capture(name), file, megabytes * 1_000_000)
        compare(
            f"summary of {size / 1e6:.0f} MB of {kind} trace",
            size,
            {"xentool report --json": [*XENTOOL, "report", "--json", str(path)]},
            {"xenalyze --summary": ["xenalyze", "--summary", "--tolerance=6", str(path)]},
            floor=[str(program), str(path)],
        )
        path.unlink()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("megabytes", nargs="?", type=int, default=MEGABYTES)
    asked.add_argument("--before", type=Path, default=os.environ.get("XENTOOL_BEFORE"))
    asked.add_argument("--start", action="store_true")
    words = asked.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {ROUNDS} (exports: {EXPORT_ROUNDS})")
    print(HEADER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Compiled files of both trees, and of Python's own, are all made by the first run: some machines keep none.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        starts(folder, words.before, environment)
        usual(folder, words.before, environment)
        if not words.start:
            large(folder, words.megabytes, words.before, environment)
            details(folder, words.megabytes)


if __name__ == "__main__":
    main()
