"""`xentool trace` and `record` on a KVM host: what is kept is what trace-cmd reads, and the kernel itself listed."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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
    # Two buffers, and a stamp in each: at the ends one may have an exit that the other has not. Between, all are there.
    first, last = exits[0]["tsc"] // 1000, exits[-1]["tsc"] // 1000
    around = [one for one in theirs if first - _APART_US <= one[2] <= last + _APART_US]
    ours = [(one["pid"], one["pcpu"], one["fields"]["exit"]) for one in exits]
    found = [
        around[start : start + len(ours)]
        for start in range(len(around) - len(ours) + 1)
        if [(pid, cpu, reason) for pid, cpu, _us, reason in around[start : start + len(ours)]] == ours
    ]
    assert any(
        all(
            abs(one["tsc"] / 1000 - us) < _APART_US
            for one, (_pid, _cpu, us, _reason) in zip(exits, meanwhile, strict=True)
        )
        for meanwhile in found
    ), (ours, around)


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
