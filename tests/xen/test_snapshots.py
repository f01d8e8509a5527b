"""A lab that goes on from a snapshot: as sound as one that has booted, with the time and random numbers of its own."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.missing import missing
from tests.xen.labs import HUNG, Lab, eventually
from xentool.lab import api

pytestmark = pytest.mark.lab

#: Of a kernel, or of Xen, whose clock went wrong.
_COMPLAINTS = r"(soft|hard) lockup|rcu.*stall|clocksource.*unstable|went backwards|hung task|\bbug:|warning:"
#: In dom0: what is random of it.
_CHANCE = "cat /proc/sys/kernel/random/uuid"


def restored(own_lab: Callable[..., api.Lab]) -> api.Lab:
    """Start a lab that goes on from a snapshot; the first of its kind makes one."""
    started = own_lab()
    if started.accel != "tcg":
        missing("labs go on from snapshots on emulated machines")
    if started.restored:
        return started
    api.down(started.name)
    started = own_lab()
    assert started.restored
    return started


def test_a_restored_lab_is_sound(own_lab: Callable[..., api.Lab]) -> None:
    started = restored(own_lab)
    with closing(Lab(started.name, started.xen)) as lab:
        assert lab.run("hostname") == started.name
        # As far as a starved lab takes to say it; the snapshot may be hours old.
        before = time.time()
        told = float(lab.run("date", "+%s.%N"))
        assert before - 30 < told < time.time() + 30
        uptime = float(lab.run("cut", "-d ", "-f1", "/proc/uptime"))
        assert eventually(lambda: float(lab.run("cut", "-d ", "-f1", "/proc/uptime")) > uptime)
        assert "version" in lab.run("xentool", "--version")
        lab.outlived("restored", lambda: _traced(lab), lambda: lab.away("restored"))
        first, complaints = lab.run("sh", "-c", _CHANCE), complained(lab)
    # A second one from the same snapshot. What both have said, to the microsecond, was said before that was made.
    api.down(started.name)
    with closing(Lab(restored(own_lab).name, started.xen)) as lab:
        assert lab.run("sh", "-c", _CHANCE) != first
        assert complaints - complained(lab) == set()


def complained(lab: Lab) -> set[str]:
    lines = [*lab.run("dmesg").splitlines(), *lab.run("xl", "dmesg").splitlines()]
    return {line for line in lines if re.search(_COMPLAINTS, line, re.IGNORECASE)}


def _traced(lab: Lab) -> None:
    domid = lab.guest("restored", "pv")
    words = ("trace", "--host", lab.host, "restored", "-d", "2", "--json")
    argv = [sys.executable, "-m", "xentool", *words]
    document = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=HUNG).stdout)
    (domain,) = document["domains"]
    assert (domain["domid"], domain["mode"]) == (domid, "pv")
    assert document["capture"]["span_s"] > 1
    made = {call["name"] for vcpu in domain["vcpus"] for call in vcpu["hypercalls"] if call["count"]}
    assert {"mmu_update", "sched_op", "event_channel_op"} <= made
