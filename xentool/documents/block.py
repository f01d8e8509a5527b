"""What disks do."""

from typing import Any, Literal, NotRequired, TypedDict


class BlockBench(TypedDict):
    """``xentool block bench --json``: what was asked for, and what was measured of it."""

    schema: Literal["xentool.block.bench/1"]
    op: Literal["randread", "randwrite", "read", "write"]
    bs: int  # bytes of an operation
    depth: int  # operations under way, a queue
    iops: int  # operations a second
    mbps: float  # 10^6 bytes a second
    latency_us: "Latency"
    latency_max_us: float
    notifications_per_request: float  # of both ends, as far as the backend counts its own
    syscalls_per_request: float  # likewise: for data, notifications and waiting
    operations: int
    requests: int  # of which operations are made that are too long for one
    errors: int  # operations with a request that failed
    seconds: float
    repeats: "NotRequired[list[Any]]"  # with --repeat: each run, as this one, which is the median by iops


class Latency(TypedDict):
    """Within how many microseconds shares of all operations were done; 1.6 % off at most."""

    p50: float
    p99: float
    p999: float
