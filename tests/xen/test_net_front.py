"""Our network frontend in a dom0, on the kernel's backend there: every kind of frame, and `xentool net bench`."""

import json
import re
from pathlib import Path

import pytest

from pvdrivers.abi.netif import CtrlStatus, CtrlType
from pvdrivers.net.control.back import MAPPING_MAX
from pvdrivers.net.toeplitz import KEY_SIZE
from tests.xen import on_control, on_netback
from tests.xen.labs import Lab, one_xen, usually
from tests.xen.undisturbed import undisturbed

pytestmark = pytest.mark.lab

BENCH = ("xentool", "net", "bench", "--netback", "--seconds", "1", "--json")
LOADS = {"tx": ("--size", "60000", "--gso"), "rx": ("--size", "1514")}


@usually("4.20")
def test_frames_of_all_kinds_over_netback(lab: Lab) -> None:
    with undisturbed(lab):
        report = lab.run("python3", "-", input=Path(on_netback.__file__).read_bytes(), check=False)
    assert re.findall(r"^ok \d+ - (\w+)", report, re.MULTILINE) == [case.__name__ for case in on_netback.CASES], report
    assert "vif0." not in lab.run("ls", "/sys/class/net")


@usually("4.17")
def test_the_control_ring_is_answered_as_netback_answers(lab: Lab) -> None:
    with undisturbed(lab):
        lines = lab.run("python3", "-", input=Path(on_control.__file__).read_bytes()).splitlines()
    answered = [json.loads(line) for line in lines]
    assert [(number, kind) for number, kind, *_ in answered] == [
        (number, step.type.name) for number, step in enumerate(on_control.REQUESTS)
    ]
    # Linux's has no status of its own for what is too large, as netif.h has, and we.
    limits = {CtrlType.SET_HASH_KEY: KEY_SIZE, CtrlType.SET_HASH_MAPPING: MAPPING_MAX}
    too_large = {
        number: [[CtrlStatus.INVALID_PARAMETER, 0], [CtrlStatus.BUFFER_OVERFLOW, 0]]
        for number, step in enumerate(on_control.REQUESTS)
        if step.type in limits and step.data[1] > limits[step.type]
    }
    assert {number: both for number, _, *both in answered if both[0] != both[1]} == too_large


@one_xen
def test_bench_on_netback(lab: Lab) -> None:
    with undisturbed(lab):
        for direction, words in LOADS.items():
            result = json.loads(lab.run(*BENCH, "--direction", direction, *words))
            assert result["bytes"] == result["frames"] * result["size"] > 0
            assert result["features"]["gso_tcpv4"]
