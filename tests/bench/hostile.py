"""What commands make of traces that nobody records: processor time and memory beside the limits.

Their makers are in tests.traces.hostile, of KVM in tests.traces.kvm.hostile.

``python -m tests.bench.hostile [MEGABYTES [MAKER... [/ COMMAND...]]]``; ends with 1 where a limit was passed.
"""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.traces.hostile import MAKERS as XENS
from tests.traces.kvm.hostile import MAKERS as KVMS

MAKERS = XENS | KVMS
MEGABYTES = 20
#: Megabytes of memory that a report and an export may take.
REPORT_MB, EXPORT_MB = 300, 600
#: A hostile file may take so many times the time of a sound one, or so many seconds if that is more.
FACTOR, SECONDS = 10, 10.0
SOUND = "xen-4.17-pv1"
#: Seconds of processor time, after which a command is ended; and of the clock.
PATIENCE, LONGEST = 90, 900
_SOUND = """
from tests.bench.repeat import repeat
from tests.traces.captures import capture
with open({1!r}, "wb") as file:
    repeat(capture({0!r}), file, {2})
"""
XENTOOL = os.environ.get("XENTOOL", f"{sys.executable} -m xentool").split()


class Command(NamedTuple):
    """Arguments for a trace, and whether it comes through a pipe; an export may take more memory."""

    arguments: Callable[[str, str], list[str]]
    exports: bool = False
    piped: bool = False


def _report(*options: str) -> Command:
    return Command(lambda path, _out: ["report", path, *options])


def _export(name: str) -> Command:
    return Command(lambda path, out: ["export", path, "--format", name, "-o", out], exports=True)


COMMANDS = {
    "report": _report(),
    "report --json": _report("--json"),
    "report --histograms": _report("--histograms"),
    "report --html": Command(lambda path, out: ["report", path, "--html", out]),
    "report --times": _report("--times"),
    "report --slowest": _report("--slowest", "10"),
    "report --interval": _report("--interval", "1s"),
    "report --from": _report("--from", "0.00000001"),
    "report -": Command(lambda _path, _out: ["report", "-"], piped=True),
    "dump": Command(lambda path, _out: ["dump", path], exports=True),
    "dump --json": Command(lambda path, _out: ["dump", "--json", path], exports=True),
    "dump -": Command(lambda _path, _out: ["dump", "-"], exports=True, piped=True),
    "diff": Command(lambda path, _out: ["diff", path, path, "--hz", "1000"]),
    "sql": Command(lambda path, _out: ["sql", path, "select name, count(*) from events group by 1"], exports=True),
    **{f"export {name}": _export(name) for name in ("parquet", "csv", "jsonl", "perfetto", "folded")},
}


class Run(NamedTuple):
    """Seconds of processor time, megabytes at most, and how it ended."""

    seconds: float
    megabytes: int
    status: int


def run(command: Command, path: Path, out: Path) -> Run:
    arguments = [*XENTOOL, *command.arguments(str(path), str(out))]
    feeder = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) if command.piped else None
    with out.with_suffix(".log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            arguments, stdin=feeder.stdout if feeder else subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
        )
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        if feeder and feeder.stdout:
            feeder.stdout.close()
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - began > LONGEST:
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    if feeder:
        feeder.wait()
    return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, process.returncode)


def write(maker: str, size: int, path: Path) -> None:
    """Make a trace of about so many bytes: in a process of its own, since a child's memory counts from its parent's."""
    make, sample = MAKERS[maker], 5_000
    process = multiprocessing.get_context("fork").Process(
        target=lambda: path.write_bytes(make(max(sample * size // len(make(sample)), 1)))
    )
    process.start()
    process.join()


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    arguments = sys.argv[1:]
    megabytes = float(arguments[0]) if arguments else MEGABYTES
    split = arguments.index("/") if "/" in arguments else len(arguments)
    makers = arguments[1:split] or list(MAKERS)
    commands = arguments[split + 1 :] or list(COMMANDS)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "trace", Path(folder) / "out"
        subprocess.run([sys.executable, "-c", _SOUND.format(SOUND, str(path), round(megabytes * 1e6))], check=True)
        sound = {name: run(COMMANDS[name], path, out) for name in commands}
        for name, one in sound.items():
            print(f"{'sound':<24} {name:<20} {one.seconds:6.2f} s {one.megabytes:5} MB")
        for maker in makers:
            write(maker, round(megabytes * 1e6), path)
            for name in commands:
                found = run(COMMANDS[name], path, out)
                limit = EXPORT_MB if COMMANDS[name].exports else REPORT_MB
                bad = found.status not in (0, 1, 4) or found.megabytes > limit
                bad |= found.seconds > max(FACTOR * sound[name].seconds, SECONDS)
                failed += bad
                print(
                    f"{maker:<24} {name:<20} {found.seconds:6.2f} s {found.megabytes:5} MB  exit {found.status}"
                    f"{'  TOO MUCH' if bad else ''}",
                    flush=True,
                )
    print(f"{failed} passed a limit" if failed else "all within the limits")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
