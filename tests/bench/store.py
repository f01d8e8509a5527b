"""XenStore: ours beside C xenstored by Xen's own test-xenstore and with 50 clients at once; beside oxenstored in a lab.

C xenstored runs on ``tests/pvdrivers/xenstore/xenstored.c`` instead of Xen, here and in the lab.

``python -m tests.bench.store [LAB]``: with a lab's name, a lab that is up; without, what needs none.
"""

import re
import selectors
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from pvdrivers.xenstore.wire import Op, encode
from tests.pvdrivers.xenstore.served import Raw, served
from tests.pvdrivers.xenstore.xenstored import XENSTORED, hypervisor, xenstored
from xentool.hosts import resolve

TEST = "/usr/lib/xen-4.17/bin/test-xenstore"
ITERATIONS = 10_000
LAB_ITERATIONS = 50
ROUNDS = 3
CLIENTS = 50
SECONDS = 5.0
_ROW = re.compile(r"^(.+?)\s*: avg:\s+(\d+) ns \((\d+) ns", re.MULTILINE)


class Took(NamedTuple):
    """Microseconds that a test took. The fastest time is what it takes when nobody else wants the processors."""

    average: float
    fastest: float


def times(output: str) -> dict[str, Took]:
    """Read what test-xenstore prints, by name of the test."""
    return {name: Took(int(average) / 1000, int(fastest) / 1000) for name, average, fastest in _ROW.findall(output)}


def crowd(path: Path) -> list[float]:
    """Let clients at once read and write, each its next request when it has the reply; give the latencies in us."""
    selector = selectors.DefaultSelector()
    read, write = encode(Op.READ, 1, 0, b"/bench\0"), encode(Op.WRITE, 1, 0, b"/bench/0\0value")
    latencies: list[float] = []
    sent: dict[Raw, float] = {}
    for number in range(CLIENTS):
        client = Raw(path)
        client.ask(Op.WRITE, b"/bench/%d\0x" % number)
        selector.register(client.socket, selectors.EVENT_READ, client)
        sent[client] = time.perf_counter()
        client.socket.sendall(read)
    end = time.perf_counter() + SECONDS
    turn = 0
    while time.perf_counter() < end:
        for key, _ in selector.select():
            client = key.data
            client.receive()
            now = time.perf_counter()
            latencies.append((now - sent[client]) * 1e6)
            sent[client] = now
            turn += 1
            client.socket.sendall(read if turn % 4 else write)
    return latencies


def measure(path: Path) -> dict[str, Took]:
    """Run test-xenstore on a store."""
    argv = [TEST, "-i", str(ITERATIONS)]
    environment = {"XENSTORED_PATH": str(path)}
    return times(subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout)


def here() -> None:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)), xenstored() as theirs:
        places = {"ours": Path(folder, "dom0"), "xenstored": theirs / "socket"}
        # In turns, so that what else the machine does meanwhile is borne by both.
        rounds = [{whose: measure(path) for whose, path in places.items()} for _ in range(ROUNDS)]
        taken = {whose: [each[whose] for each in rounds] for whose in places}
        crowds = {whose: crowd(path) for whose, path in places.items()}
    print(f"test-xenstore -i {ITERATIONS}, on `xentool store serve` and on C xenstored")
    show(taken)
    print(f"{CLIENTS} clients at once, one in four requests a write; the generator's own time included")
    for whose, latencies in crowds.items():
        cuts = statistics.quantiles(latencies, n=1000)
        rate = len(latencies) / SECONDS
        print(f"  {whose:<10} {rate:6.0f}/s, p50 {cuts[499]:.0f} us, p99 {cuts[989]:.0f} us, p99.9 {cuts[998]:.0f} us")


def show(taken: dict[str, list[dict[str, Took]]]) -> None:
    """Print the median of each test's averages, and its fastest time, ours and as many times a peer's."""
    for test in taken["ours"][0]:
        median = {whose: statistics.median(run[test].average for run in runs) for whose, runs in taken.items()}
        fastest = {whose: min(run[test].fastest for run in runs) for whose, runs in taken.items()}
        ours, best = median.pop("ours"), fastest.pop("ours")
        peers = "".join(
            f"   {whose} {us:8.1f} us {ours / us:5.2f} x, fastest {fastest[whose]:.1f} us {best / fastest[whose]:.2f} x"
            for whose, us in median.items()
        )
        print(f"  {test:<12} ours {ours:8.1f} us {1e6 / ours:7.0f}/s, fastest {best:.1f} us{peers}")


def in_lab(name: str) -> None:
    host = resolve(f"lab:{name}")
    if host.run(["test", "-x", TEST, "-a", "-x", XENSTORED], check=False).returncode:
        raise SystemExit(f"lab {name} lacks {TEST} or {XENSTORED}: take one of that release")
    script = f"""
xs=$(mktemp -d) && cat > $xs/hypervisor.so && mkfifo $xs/events && head -c 4096 /dev/zero > $xs/0
xentool store serve --socket $xs/ours 2>/dev/null & ours=$!
XENSTORED_RUNDIR=$xs XENSTORED_ROOTDIR=$xs LD_PRELOAD=$xs/hypervisor.so {XENSTORED} -N 2>/dev/null & theirs=$!
for turn in $(seq 300); do [ -S $xs/ours ] && [ -S $xs/socket ] && break; sleep 0.2; done
for round in 1 2 3; do
    echo ours; XENSTORED_PATH=$xs/ours {TEST} -i {LAB_ITERATIONS}
    echo oxenstored; {TEST} -i {LAB_ITERATIONS}
    echo xenstored; XENSTORED_PATH=$xs/socket {TEST} -i {LAB_ITERATIONS}
done
kill $ours $theirs
rm -r $xs
"""
    output = host.run(["sh", "-c", script], input=Path(hypervisor()).read_bytes(), timeout=500).stdout.decode()
    host.close()
    taken: dict[str, list[dict[str, Took]]] = {"ours": [], "oxenstored": [], "xenstored": []}
    for part in re.split(r"^(?=ours$|o?xenstored$)", output, flags=re.MULTILINE)[1:]:
        whose, _, rest = part.partition("\n")
        taken[whose].append(times(rest))
    print(f"in dom0 of lab {name}, emulated")
    show(taken)


def main() -> None:
    here()
    if len(sys.argv) > 1:
        in_lab(sys.argv[1])


if __name__ == "__main__":
    main()
