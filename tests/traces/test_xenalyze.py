"""`xentool report` against Debian's xenalyze on the same real captures."""

import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.traces import xenalyze
from tests.traces.captures import NAMES, capture

IDLE, UNKNOWN = 32767, 32768


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, folder: Path) -> Path:
    file = folder / str(request.param)
    if not file.exists():
        file.write_bytes(capture(file.name))
    return file


@cache
def report(path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "xentool", "report", "--json", "--hz", str(xenalyze.HZ), str(path)]
    document = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout)
    assert isinstance(document, dict)
    return document


def vcpus(document: dict[str, Any]) -> dict[tuple[int, int], dict[str, Any]]:
    return {(domain["domid"], vcpu["vcpu"]): vcpu for domain in document["domains"] for vcpu in domain["vcpus"]}


def options(path: Path) -> tuple[str, ...]:
    # Before 4.19 xenalyze has to be told that the exits are AMD's.
    return ("--svm-mode",) if path.name.endswith("pvh") else ()


def test_same_vcpus(path: Path) -> None:
    ours = {key for key in vcpus(report(path)) if key[0] != UNKNOWN}
    assert ours == xenalyze.summary(path, *options(path)).keys()


def test_same_runstates(path: Path) -> None:
    ours = vcpus(report(path))
    compared = 0
    for key, theirs in xenalyze.summary(path, *options(path)).items():
        for name, (count, seconds) in theirs.runstates.items():
            state = ours[key]["runstates"][name]
            assert (key, name, state["count"]) == (key, name, count)
            # Theirs has no time outside of intervals that it saw from beginning to end.
            assert state["seconds"] - state["clipped_seconds"] == pytest.approx(seconds, rel=1e-3)
            compared += 1
    assert compared >= 10


def test_same_hypercalls(path: Path) -> None:
    ours = vcpus(report(path))
    compared = 0
    for key, theirs in xenalyze.summary(path, *options(path)).items():
        if theirs.hypercalls:
            calls = (*ours[key]["hypercalls"], *ours[key]["multicall_subcalls"])
            made: Counter[int] = Counter()
            for call in calls:
                made[call["nr"]] += call["count"] + call["restarts"]
            assert (key, made) == (key, theirs.hypercalls)
            compared += made.total()
    assert compared > 500


def test_same_subcalls(path: Path) -> None:
    made = Counter(
        {
            (*key, call["nr"]): call["count"] + call["restarts"]
            for key, vcpu in vcpus(report(path)).items()
            for call in vcpu["multicall_subcalls"]
        }
    )
    assert made == xenalyze.subcalls(path, *options(path))


def test_a_pv_guest_makes_subcalls_and_a_pvh_guest_exits(path: Path) -> None:
    # So that the comparisons above compare something.
    document = report(path)
    modes = {domain["mode"]: domain for domain in document["domains"] if domain["domid"] not in (0, IDLE)}
    if path.name.endswith("pvh"):
        exits = [one for vcpu in modes["hvm"]["vcpus"] for one in vcpu["exits"]]
        assert {"VMMCALL", "HLT", "INTR"} <= {one["name"] for one in exits}
    else:
        guests = [
            vcpu for domain in document["domains"] if domain["domid"] not in (0, IDLE) for vcpu in domain["vcpus"]
        ]
        assert sum(call["count"] for vcpu in guests for call in vcpu["multicall_subcalls"]) > 50
