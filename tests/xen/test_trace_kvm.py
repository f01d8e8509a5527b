"""`xentool trace` and `record` on a KVM host: what is kept is what trace-cmd reads, and the kernel itself listed."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from difflib import unified_diff
from itertools import islice
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.missing import missing
from tests.xen.labs import HUNG, eventually
from xentool.hosts import Host, resolve
from xentool.lab import api

pytestmark = pytest.mark.lab

_INSTANCES = "/sys/kernel/tracing/instances"
#: In the host: the kernel's own listing of exits, in a buffer of its own.
_LIST = f"""
cd {_INSTANCES} && mkdir theirs && cd theirs && echo mono >trace_clock && echo 8192 >buffer_size_kb &&
echo 1 >events/kvm/kvm_exit/enable
"""
_LISTED = f"cd {_INSTANCES}/theirs && echo 0 >tracing_on && cat trace && cd / && rmdir {_INSTANCES}/theirs"
_APART_US = 1000
_EXIT = re.compile(r"-(\d+) +\[(\d+)\] \S+ +(\d+)\.(\d{6}): kvm_exit: vcpu \d+ reason (\w+) ")


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "xentool", *words], capture_output=True, text=True, check=False, timeout=HUNG
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def instances(host: Host) -> str:
    return host.run(["ls", _INSTANCES]).stdout.decode()


def test_a_machine(own_lab: Callable[..., api.Lab], tmp_path: Path) -> None:
    lab = own_lab(hypervisor="kvm")
    where, path = f"lab:{lab.name}", tmp_path / "web.dat"
    host = resolve(where)
    pid = api.guest_start(api.Guest("web", "virtio", workload="mixed"), lab.name)
    host.run(["sh", "-c", _LIST])
    done = json.loads(run("record", "web", "-H", where, "-d", "3", "-o", str(path), "--json"))
    listing = host.run(["sh", "-c", _LISTED]).stdout.decode()
    assert (done["machine"], done["lost_records"]) == ({"pid": pid, "name": "web"}, 0)
    records = [json.loads(line) for line in run("dump", str(path), "--json").splitlines()]
    assert len(records) == done["records"]
    _are_the_kernels([one for one in records if one["name"] == "kvm_exit"], listing)
    _are_trace_cmds(records, path)

    (machine,) = (one for one in json.loads(run("report", str(path), "--json"))["domains"] if one["domid"] == pid)
    (vcpu,) = machine["vcpus"]
    assert (machine["name"], machine["mode"]) == ("web", "kvm")
    assert sum(one["count"] for one in vcpu["exits"]) == vcpu["events"]["kvm_exit"]
    assert vcpu["runstates"]["running"]["modes"]["guest"] > 0

    for end in (signal.SIGINT, signal.SIGKILL):
        _is_put_back(host, where, end)
    host.close()


def _are_the_kernels(exits: list[dict[str, Any]], listing: str) -> None:
    theirs = [
        (int(pid), int(cpu), int(seconds + us), reason) for pid, cpu, seconds, us, reason in _EXIT.findall(listing)
    ]
    # Two buffers, and a stamp in each, between which a busy machine may stand still. What one has at its ends the other
    # may not have; between them all are there, in order.
    ours = [(one["pid"], one["pcpu"], one["fields"]["exit"]) for one in exits]
    listed = [(pid, cpu, reason) for pid, cpu, _us, reason in theirs]
    found = [
        theirs[start : start + len(ours)]
        for start in range(len(theirs) - len(ours) + 1)
        if listed[start : start + len(ours)] == ours
    ]
    apart = [
        median(abs(one["tsc"] / 1000 - us) for one, (_pid, _cpu, us, _reason) in zip(exits, same, strict=True))
        for same in found
    ]
    assert min(apart, default=inf) < _APART_US, (len(theirs), apart, _unlike(exits, theirs))


def _unlike(exits: list[dict[str, Any]], theirs: list[tuple[int, int, int, str]]) -> list[str]:
    """Say where the two first differ, once they have met."""
    mine = [f"{one['tsc'] // 1000} {one['pcpu']} {one['pid']} {one['fields']['exit']}" for one in exits]
    near = [one for one in theirs if one[2] >= exits[0]["tsc"] // 1000 - 100 * _APART_US]
    kernels = [f"{us} {cpu} {pid} {reason}" for pid, cpu, us, reason in near]
    return list(islice(unified_diff(mine, kernels, "ours", "the kernel's", n=2, lineterm=""), 60))


def _are_trace_cmds(records: list[dict[str, Any]], path: Path) -> None:
    if shutil.which("trace-cmd") is None:
        missing("trace-cmd is not installed")
    told = subprocess.run(["trace-cmd", "report", "-t", "-i", str(path)], capture_output=True, check=True, text=True)
    theirs = re.findall(r"^\s*.+-(\d+)\s+\[(\d+)\]\s+(\d+)\.(\d+): (\w+):", told.stdout, re.MULTILINE)
    assert [(one["pid"], one["pcpu"], one["tsc"], one["name"]) for one in records] == [
        (int(pid), int(cpu), int(seconds + ns), name) for pid, cpu, seconds, ns, name in theirs
    ]


def _is_put_back(host: Host, where: str, end: signal.Signals) -> None:
    words = [sys.executable, "-m", "xentool", "trace", "web", "-H", where, "--json"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert eventually(lambda: process.poll() is not None or "xentool-" in instances(host))
        process.send_signal(end)
        _, said = process.communicate(timeout=HUNG)
        assert process.returncode == (130 if end is signal.SIGINT else -signal.SIGKILL), said
    assert eventually(lambda: instances(host) == "")
