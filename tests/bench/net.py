"""The pair of net drivers over the loopback, in two processes, beside what else carries frames; prints ratios.

``python -m tests.bench.net [SECONDS]``; runs take turns, so that a slower minute of the machine hits all. What is not
installed is named, with what brings it, and left out.
"""

import os
import shutil
import statistics
import sys
from collections.abc import Callable
from typing import Any

from tests.bench import hosts, memory, queues, testpmd
from tests.bench.block import ROUNDS, memcpy, turns
from tests.bench.polling import polling
from tests.bench.sockets import SIZE, sockets
from xentool.tools.net.measure import Load, measure

#: Debian's packages, by the program of theirs that is run; the Makefile's BENCH_PACKAGES.
PACKAGES = {
    "dpdk-testpmd": "dpdk-dev librte-net-vhost23 librte-net-virtio23 librte-mempool-ring23",
    "iperf3": "iperf3",
    "pasta": "passt",
}
FRONTENDS = 50


class Runs:
    """A load's runs, each measured whole."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.found: list[dict[str, Any]] = []

    def of(self, field: str) -> float:
        self.found.append(measure(self.load))
        return float(self.found[-1][field])

    def middle(self, field: str) -> float:
        return statistics.median(float(each[field]) for each in self.found)


def there(program: str) -> bool:
    """Tell whether a program is installed; say what to do if it is not."""
    if shutil.which(program):
        return True
    print(f"  {program} is not installed, and left out: apt-get install {PACKAGES[program]}")
    return False


def small(seconds: float) -> None:
    sent = Runs(Load(seconds=seconds, direction="tx"))
    received = Runs(Load(seconds=seconds, direction="rx"))
    print(f"{SIZE} B frames one way; medians of {ROUNDS}")
    others: dict[str, tuple[Callable[[], float], str]] = {
        "SEQPACKET, sendmmsg and recvmmsg": (lambda: sockets(seconds), "at least 8"),
    }
    if there("dpdk-testpmd"):
        others["testpmd, vhost and virtio-user"] = (lambda: testpmd.packets(seconds), "0.8 is the goal")
    to, back, *floors = turns(lambda: sent.of("pps"), lambda: received.of("pps"), *(run for run, _ in others.values()))
    for name, pps, runs in (("frontend to backend", to, sent), ("backend to frontend", back, received)):
        print(
            f"  {name:<34} {pps:9.0f}/s (at least 4000000)  {runs.middle('notifications_per_packet'):.4f}"
            f" notifications/packet (at most 0.02)  {runs.middle('syscalls_per_packet'):.3f} syscalls/packet"
        )
    for (name, (_, wanted)), floor in zip(others.items(), floors, strict=True):
        print(f"  {name:<34} {floor:9.0f}/s; ratio {to / floor:.1f} and {back / floor:.1f} ({wanted})")
    readable = statistics.median(queues.reference(seconds) for _ in range(ROUNDS))
    print(f"  {'the readable reference alone':<34} {readable:9.0f}/s (at least 100000)")


def large(seconds: float) -> None:
    sent = Runs(Load(seconds=seconds, direction="tx", size=65535, gso=True))
    received = Runs(Load(seconds=seconds, direction="rx", size=65535, gso=True))
    to, back, floor = turns(lambda: sent.of("gbps"), lambda: received.of("gbps"), lambda: memcpy(seconds) * 8 / 1000)
    print(f"64 KiB frames that are to be cut, one way: {to:.1f} and {back:.1f} Gbit/s, memcpy {floor:.1f}")
    print(f"  ratio: {to / floor:.2f} and {back / floor:.2f} of memcpy's (at least 0.55)")


def connections(seconds: float) -> None:
    print("a TCP connection of iperf3 between two network namespaces")
    if not there("iperf3"):
        return
    ways = {name: way for name, way in hosts.WAYS.items() if name != "pasta" or there("pasta")}
    wanted = {"veth": "at least 0.5", "pasta": "at least 1.5"}

    def run(way: Callable[[], Any]) -> float:
        with way() as joined:
            return hosts.connection(joined, seconds)

    ours, *others = turns(*(lambda way=way: run(way) for way in ways.values()))
    for name, gbps in zip(ways, (ours, *others), strict=True):
        ratio = f"; ratio {ours / gbps:.2f} ({wanted[name]})" if name in wanted else ""
        print(f"  {name:<34} {gbps:6.2f} Gbit/s{ratio}")


def datagrams(seconds: float) -> None:
    def run(way: Callable[[], Any]) -> float:
        with way() as joined:
            return hosts.datagrams(joined, seconds)

    ours, theirs = turns(lambda: run(hosts.by_pair), lambda: run(hosts.by_veth))
    print("frames of 64 B that one namespace sends and the other receives")
    print(f"  the pair between two TAPs          {ours:9.0f}/s")
    print(f"  veth                               {theirs:9.0f}/s; ratio {ours / theirs:.2f}")


def round_trips(seconds: float) -> None:
    runs = Runs(Load(seconds=seconds, direction="both", depth=1))
    by_looking = Runs(runs.load)

    def looking() -> float:
        with polling():
            return by_looking.of("pps")

    turns(lambda: runs.of("pps"), looking)
    for name, each in (("by events (at most 30 us)", runs), ("by looking on", by_looking)):
        middle, worst = (statistics.median(one["latency_us"][share] for one in each.found) for share in ("p50", "p99"))
        print(
            f"round trips of {SIZE} B {name}: {middle:.1f} us, p99 {worst:.1f} us,"
            f" {each.middle('notifications_per_packet'):.2f} notifications/packet"
        )


def footprint(seconds: float) -> None:
    print("a backend's memory, resident and its share of what others have too")
    for name, found in (
        ("one idle frontend", memory.idle(1)),
        (f"{FRONTENDS} idle frontends", memory.idle(FRONTENDS)),
        ("one that sends all it can", memory.saturated(seconds)),
    ):
        print(f"  {name:<34} {found.resident:6.1f} MiB, {found.share:.1f} MiB")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    print(f"{os.cpu_count()} cores")
    small(seconds)
    large(seconds)
    if os.geteuid():
        print("between two network namespaces: left out, since only root makes them, and TAPs")
    else:
        connections(seconds)
        datagrams(seconds)
    round_trips(seconds)
    footprint(seconds)


if __name__ == "__main__":
    main()
