"""What DPDK's drivers for virtio come to: its testpmd twice, a vhost device and its user, in two processes."""

import re
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.bench.started import started

#: What is asked of either end: rings as ours, and no huge pages, which a machine has to be prepared for.
_EAL = ["dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--lcores", "0,1"]
_FORWARD = ["--total-num-mbufs=8192", "--stats-period=1", "--auto-start"]
_RATE = re.compile(r"Rx-pps: +([0-9]+)")


def packets(seconds: float) -> float:
    """Give the packets of 64 bytes a second that go from the user's end to the other; the median of its seconds."""
    with tempfile.TemporaryDirectory(prefix="xentool-bench-") as directory:
        path = Path(directory) / "vhost"
        # Each end's packets are on another core, where the other end's console is.
        back = [*_EAL, "--main-lcore", "0", "--file-prefix=xentool-back", "--vdev", f"net_vhost0,iface={path},queues=1"]
        front = [*_EAL, "--main-lcore", "1", "--file-prefix=xentool-front"]
        front += ["--vdev", f"net_virtio_user0,path={path},queues=1,queue_size=256"]
        with started([*back, "--", "--forward-mode=rxonly", *_FORWARD], "start packet forwarding") as counting:
            sending = [*front, "--", "--forward-mode=txonly", "--txpkts=64", *_FORWARD]
            with started(sending, "start packet forwarding"):
                assert counting.stdout
                return statistics.median(_rates(counting.stdout, max(2, round(seconds))))


def _rates(lines: Iterable[str], count: int) -> list[float]:
    rates: list[float] = []
    for line in lines:
        found = _RATE.search(line)
        if found and int(found[1]):
            rates.append(float(found[1]))
            # The first second was not whole.
            if len(rates) > count:
                return rates[1:]
    raise RuntimeError("testpmd has ended")
