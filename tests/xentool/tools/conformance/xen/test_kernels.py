"""What a kernel says of itself: its version, and what it complains of."""

import pytest

from xentool.tools.conformance.xen.klog import complaint, kernel_version


@pytest.mark.parametrize(
    ("version", "release", "told"),
    [
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.115-1 (2024-11-01)", "6.1.0-27-amd64", "6.1.115-1"),
        ("#49-Ubuntu SMP PREEMPT_DYNAMIC Sun Nov  5 12:00:00 UTC 2023", "6.8.0-49-generic", "6.8.0-49-generic"),
    ],
)
def test_versions(version: str, release: str, told: str) -> None:
    assert kernel_version(version, release) == told


@pytest.mark.parametrize(
    "line",
    [
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "WARNING: CPU: 1 PID: 29 at drivers/block/some.c:337 some_function+0x280/0x290 [some]",
        "Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1]",
        "INFO: task blkfront:77 blocked for more than 120 seconds.",
        "refcount_t: underflow; use-after-free.",
    ],
)
def test_complaints(line: str) -> None:
    harmless = [
        "loop1: detected capacity change from 0 to 2048",
        "xen-blkback: Frontend provided bogus ring requests (34 - 1 = 33). Halting ring processing on dev=700001",
        "debugfs: DEBUG is what this is",
        "xen:grant_table: WARNING: g.e. 0x42d still in use!",
    ]
    assert complaint(harmless) is None
    assert complaint([*harmless, line, "BUG: another"]) == line
