"""The pair of block drivers over the loopback, in two processes, beside nbdkit under fio's NBD engine; prints ratios.

``python -m tests.bench.block [SECONDS]``; runs take turns, so that a slower minute of the machine hits all.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pvdrivers.abi.blkif import NATIVE
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.back.stats import Stats
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.block.front.client import Geometry
from pvdrivers.block.front.frontqueue import FrontQueue
from pvdrivers.block.load import bench
from pvdrivers.transport.loopback import Loopback, machine

BACK, FRONT = 0, 5
ROUNDS = 5
DISK = 64 << 20
MEBIBYTE = 1 << 20
WAYS: dict[str, dict[str, Any]] = {
    "persistent": {"persistent": True},
    "persistent, reference": {"persistent": True, "compiled": False},
    "copy": {"persistent": False, "grants": "copy"},
    "copy, reference": {"persistent": False, "grants": "copy", "compiled": False},
    "map": {"persistent": False, "grants": "map"},
}


def backend() -> None:
    """Serve queues until the input ends; then print what they counted."""
    directory, arguments = sys.argv[2:]
    given = json.loads(arguments)
    with Loopback(Path(directory), BACK) as transport:
        disk = open_disk(given["disk"])
        fill(disk)
        queues = [
            BackQueue(
                transport,
                FRONT,
                transport.map(FRONT, grefs),
                transport.bind_interdomain(FRONT, port),
                NATIVE,
                disk,
                max_indirect=given["max_indirect"],
                **WAYS[given["way"]],
            )
            for grefs, port in given["queues"]
        ]
        threads = [threading.Thread(target=queue.run) for queue in queues]
        for thread in threads:
            thread.start()
        for line in sys.stdin:
            print(json.dumps(sum((queue.stats for queue in queues), Stats()).document()), flush=True)
            if line == "end\n":
                break
        for queue in queues:
            queue.stop()
        for thread in threads:
            thread.join()


def fill(disk: Disk) -> None:
    """Write all of a disk: memory that was never written is one page of zeros, which is in every cache."""
    for sector in range(0, disk.sectors, 2048):
        disk.write(sector, [memoryview(b"x" * MEBIBYTE)])


class Pair:
    """A frontend here, and a backend in another process."""

    def __init__(self, process: subprocess.Popen[str], queues: list[FrontQueue]) -> None:
        self.process = process
        self.queues = queues

    def counted(self, word: str = "") -> dict[str, int]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def run(self, op: str, bs: int, depth: int, seconds: float) -> dict[str, Any]:
        # What a backend maps when it sees it first is not what is measured.
        geometry = Geometry(DISK // 512)
        bench.run(self.queues, geometry, op=op, bs=bs, depth=depth, seconds=0.2)
        before = self.counted()
        result = bench.run(self.queues, geometry, op=op, bs=bs, depth=depth, seconds=seconds)
        after = self.counted()
        return result.document(Stats(**{name: value - before[name] for name, value in after.items()}))


@contextmanager
def pair(
    directory: Path,
    *,
    way: str = "persistent",
    disk: str = f"mem:{DISK}",
    order: int = 0,
    queues: int = 1,
    max_indirect: int = 256,
    data_pages: int = 1024,
) -> Iterator[Pair]:
    with Loopback(directory, FRONT) as transport:
        fronts = [
            FrontQueue(transport, BACK, NATIVE, order=order, max_indirect=max_indirect, data_pages=data_pages)
            for _ in range(queues)
        ]
        given = {
            "disk": disk,
            "way": way,
            "max_indirect": max_indirect,
            "queues": [(list(queue.grefs), queue.port) for queue in fronts],
        }
        argv = [sys.executable, "-m", "tests.bench.block", "--backend", str(directory), json.dumps(given)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            made = Pair(process, fronts)
            yield made
            made.counted("end")
        for queue in fronts:
            queue.close()


def nbdkit(directory: Path, seconds: float) -> float:
    """Give the requests a second of fio on nbdkit's memory plugin."""
    place = directory / "nbd"
    server = subprocess.Popen(["nbdkit", "--foreground", "--unix", place, "memory", str(DISK)])
    while not place.exists():
        time.sleep(0.01)
    fio = ["fio", "--name=bench", "--ioengine=nbd", f"--uri=nbd+unix:///?socket={place}", f"--size={DISK}"]
    try:
        subprocess.run([*fio, "--rw=write", "--bs=1M"], cwd=directory, stdout=subprocess.DEVNULL, check=True)
        argv = [*fio, "--rw=randread", "--bs=4k", "--iodepth=32", "--time_based", f"--runtime={max(1, round(seconds))}"]
        ran = subprocess.run([*argv, "--output-format=json"], cwd=directory, capture_output=True, text=True, check=True)
        # fio may say something before that.
        return float(json.loads(ran.stdout[ran.stdout.index("{") :])["jobs"][0]["read"]["iops"])
    finally:
        server.terminate()
        server.wait()
        place.unlink(missing_ok=True)


def memcpy(seconds: float) -> float:
    """Give the MB/s of copying a disk's mebibytes one after the other, as a backend does it, and nothing else."""
    source, target = memoryview(b"x" * DISK), memoryview(bytearray(b"x" * 4 * MEBIBYTE))
    copied, until = 0, time.perf_counter() + seconds
    began = time.perf_counter()
    while time.perf_counter() < until:
        at, to = copied % DISK, copied % len(target)
        target[to : to + MEBIBYTE] = source[at : at + MEBIBYTE]
        copied += MEBIBYTE
    return copied / (time.perf_counter() - began) / 1e6


def turns(*runs: Callable[[], float]) -> list[float]:
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for found, run in zip(taken, runs, strict=True):
            found.append(run())
    return [statistics.median(found) for found in taken]


def line(name: str, found: dict[str, Any]) -> None:
    latency = found["latency_us"]
    print(
        f"  {name:<34} {found['iops']:8}/s {found['mbps']:8.0f} MB/s  p50 {latency['p50']:.0f} us, p99"
        f" {latency['p99']:.0f} us  notifications/request {found['notifications_per_request']:.3f}"
        f"  syscalls/request {found['syscalls_per_request']:.2f}"
    )


def against_nbdkit(directory: Path, seconds: float) -> None:
    found: list[dict[str, Any]] = []

    def ours() -> float:
        found.append(made.run("randread", 4096, 32, seconds))
        return float(found[-1]["iops"])

    with pair(directory) as made:
        mine, theirs = turns(ours, lambda: nbdkit(directory, seconds))
    notifications = statistics.median(each["notifications_per_request"] for each in found)
    print(f"4 KiB random reads at depth 32 of a disk in memory, one queue of one page; medians of {ROUNDS}")
    print(f"  ours                     {mine:8.0f}/s  {notifications:.3f} notifications/request (at most 0.1)")
    print(f"  nbdkit memory, fio's nbd {theirs:8.0f}/s")
    print(f"  ratio: {mine / theirs:.1f} times as many (at least 3)")


def against_memcpy(directory: Path, seconds: float) -> None:
    for name, options in {
        "indirect requests": {},
        "requests of 11 segments, 16 pages": {"max_indirect": 0, "order": 4},
    }.items():
        with pair(directory, data_pages=1040, **options) as made:  # type: ignore[arg-type] # numbers, by names of its parameters
            mine, floor = turns(lambda: float(made.run("read", MEBIBYTE, 4, seconds)["mbps"]), lambda: memcpy(seconds))
        print(f"1 MiB sequential reads at depth 4, {name}: {mine:.0f} MB/s, {100 * mine / floor:.0f} % of memcpy's")


def ways(directory: Path, seconds: float) -> None:
    print("4 KiB at depth 32, by way to the frontend's pages")
    for way in WAYS:
        for op in ("randread", "randwrite"):
            with pair(directory, way=way) as made:
                line(f"{way}, {op}", made.run(op, 4096, 32, seconds))
    print("rings, queues and disks; 4 KiB random reads, persistent")
    file = directory / "disk"
    file.write_bytes(bytes(DISK))
    for order, queues, depth, disk in (
        (0, 1, 1, f"mem:{DISK}"),
        (1, 1, 64, f"mem:{DISK}"),
        (2, 1, 128, f"mem:{DISK}"),
        (4, 1, 512, f"mem:{DISK}"),
        (0, 2, 32, f"mem:{DISK}"),
        (0, 1, 32, f"null:{DISK}"),
        (0, 1, 32, str(file)),
    ):
        with pair(directory, order=order, queues=queues, disk=disk) as made:
            kind = "file" if disk == str(file) else disk.partition(":")[0]
            name = f"{1 << order} pages, {queues} queues, depth {depth}, {kind}"
            line(name, made.run("randread", 4096, depth, seconds))


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    print(f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, machine(Path(folder), [BACK, FRONT]):
        against_nbdkit(Path(folder), seconds)
        against_memcpy(Path(folder), seconds)
        ways(Path(folder), seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--backend"]:
        backend()
    else:
        main()
