"""What a live trace keeps up with: a busy PV guest with two vCPUs in a lab, everything recorded of it and dom0.

``python -m tests.bench.live``: for each workload the rate at which records come, how many were lost, and the tracer's
own share of dom0's processor time.
"""

import json
import subprocess
import sys
from typing import Any

from xentool.lab import api

NAME = "bench-live"
SECONDS = 10
WORKLOADS = ("disk", "net", "fork", "mixed")


def traced() -> dict[str, Any]:
    argv = [sys.executable, "-m", "xentool", "trace", "busy", "-H", f"lab:{NAME}", "-d", str(SECONDS), "--json"]
    document = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert isinstance(document, dict)
    return document


def main() -> None:
    api.up(NAME)
    try:
        print(f"a live trace of everything for {SECONDS} s, of dom0 and a PV guest with 2 vCPUs, emulated")
        for workload in WORKLOADS:
            api.guest_start(api.Guest("busy", "pv", 2, workload=workload), NAME)
            capture = traced()["capture"]
            span, lost = capture["span_s"], capture["lost_records"]
            print(
                f"  {workload:<6} {capture['records'] / span:8.0f} records/s {capture['bytes'] / span / 1e6:6.2f} MB/s"
                f"  {lost} lost  tracer {capture['tracer_cpu_share']:.1%} of dom0"
            )
            api.guest_stop("busy", NAME)
    finally:
        api.down(NAME)


if __name__ == "__main__":
    main()
