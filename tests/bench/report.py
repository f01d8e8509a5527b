"""xentool beside xenalyze on the same captures, in one run; prints ratios, since machines differ.

``python -m tests.bench.report [MEGABYTES]``
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.repeat import repeat
from tests.traces.captures import capture

MEGABYTES = 1000
ROUNDS = 5
#: xenalyze prints for a third of a minute.
EXPORT_ROUNDS = 3
XENTOOL = [sys.executable, "-m", "xentool"]
KINDS = {"PV": "xen-4.17-pv1", "PVH": "xen-4.17-pvh"}


class Run(NamedTuple):
    """A command that has run: seconds by the clock, and of its processor time."""

    took: float
    worked: float


def ran(command: list[str]) -> Run:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
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
    made: Path | None = None,
    rounds: int = ROUNDS,
) -> None:
    """Run our ways and theirs in turns, so that a slower minute of the machine hits all; ``made`` is made anew."""
    commands = ours | theirs | ({"floor": floor} if floor else {})
    taken: dict[str, list[Run]] = {name: [] for name in commands}
    peaks = {name: memory(command) for name, command in commands.items()}
    for _ in range(rounds):
        for name, command in commands.items():
            if made:
                made.unlink(missing_ok=True)
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


def export_size(export: list[str], table: Path) -> None:
    subprocess.run([*export, str(table)], check=True)
    print(f"  the file has {table.stat().st_size / 1e6:.0f} MB")


def startup(small: Path) -> None:
    peers = {
        "bare Python": [sys.executable, "-c", "pass"],
        "xentool --help": [*XENTOOL, "--help"],
        f"xentool report, {small.stat().st_size / 1e6:.1f} MB": [*XENTOOL, "report", str(small)],
    }
    print("start-up")
    for name, command in peers.items():
        print(f"  {name:<26} {1000 * statistics.median(ran(command).took for _ in range(ROUNDS)):7.0f} ms")


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    print(f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(Path(folder))
        for kind, name in KINDS.items():
            path, table = Path(folder) / kind, Path(folder) / f"{kind}.parquet"
            with path.open("wb") as file:
                repeat(capture(name), file, megabytes * 1_000_000)
            size = path.stat().st_size
            compare(
                f"summary of {size / 1e6:.0f} MB of {kind} trace",
                size,
                {"xentool report --json": [*XENTOOL, "report", "--json", str(path)]},
                {"xenalyze --summary": ["xenalyze", "--summary", "--tolerance=6", str(path)]},
                floor=[str(program), str(path)],
            )
            export = [*XENTOOL, "export", str(path), "--format", "parquet", "-o"]
            compare(
                f"all records of {size / 1e6:.0f} MB of {kind} trace",
                size,
                # xenalyze's lines go to /dev/null as well.
                {"parquet to /dev/null": [*export, "/dev/null"], "parquet to a file": [*export, str(table)]},
                {"xenalyze -a": ["xenalyze", "-a", "--tolerance=6", str(path)]},
                made=table,
                rounds=EXPORT_ROUNDS,
            )
            export_size(export, table)
            path.unlink()
            table.unlink()
        small = Path(folder) / "small"
        with small.open("wb") as file:
            repeat(capture(KINDS["PV"]), file, 4_000_000)
        startup(small)


if __name__ == "__main__":
    main()
