"""XenStore: ours by Xen's own test-xenstore, 50 clients at once, and beside oxenstored in the lab's dom0.

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

from pvdrivers.xenstore.wire import Op, encode
from tests.pvdrivers.xenstore.served import Raw, served
from xentool.hosts import resolve

TEST = "/usr/lib/xen-4.17/bin/test-xenstore"
ITERATIONS = 10_000
CLIENTS = 50
SECONDS = 5.0
_ROW = re.compile(r"^(.+?)\s*: avg:\s+(\d+) ns", re.MULTILINE)


def averages(output: str) -> dict[str, float]:
    """Read what test-xenstore prints: microseconds by name of the test."""
    return {name: int(ns) / 1000 for name, ns in _ROW.findall(output)}


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


def here() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dom0")
        with served(Path(folder)):
            argv = [TEST, "-i", str(ITERATIONS)]
            environment = {"XENSTORED_PATH": str(path)}
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
            print(f"test-xenstore -i {ITERATIONS}, on `xentool store serve`")
            for name, us in averages(done.stdout).items():
                print(f"  {name:<12} {us:7.1f} us  {1e6 / us:8.0f}/s")
            latencies = crowd(path)
    cuts = statistics.quantiles(latencies, n=1000)
    print(f"{CLIENTS} clients at once, one in four requests a write: {len(latencies) / SECONDS:.0f}/s")
    print(
        f"  p50 {cuts[499]:.0f} us, p99 {cuts[989]:.0f} us, p99.9 {cuts[998]:.0f} us, the generator's own time included"
    )


def in_lab(name: str) -> None:
    host = resolve(f"lab:{name}")
    script = f"""
xentool store serve --socket /tmp/bench.sock 2>/dev/null & server=$!
while ! [ -S /tmp/bench.sock ]; do sleep 0.2; done
for round in 1 2 3; do
    echo ours; XENSTORED_PATH=/tmp/bench.sock {TEST} -i 300
    echo oxenstored; {TEST} -i 300
done
kill $server
"""
    output = host.run(["sh", "-c", script], timeout=500).stdout.decode()
    host.close()
    taken: dict[str, dict[str, list[float]]] = {"ours": {}, "oxenstored": {}}
    for part in re.split(r"^(?=ours$|oxenstored$)", output, flags=re.MULTILINE)[1:]:
        whose, _, rest = part.partition("\n")
        for test, us in averages(rest).items():
            taken[whose].setdefault(test, []).append(us)
    print(f"in dom0 of lab {name}, emulated: microseconds, and times oxenstored's (less is faster)")
    for test in taken["ours"]:
        ours, theirs = (statistics.median(taken[whose][test]) for whose in ("ours", "oxenstored"))
        print(f"  {test:<12} ours {ours:8.0f}  oxenstored {theirs:8.0f}  {ours / theirs:5.2f} x")


def main() -> None:
    here()
    if len(sys.argv) > 1:
        in_lab(sys.argv[1])


if __name__ == "__main__":
    main()
