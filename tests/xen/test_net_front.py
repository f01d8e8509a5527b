"""Our network frontend in a dom0, on the kernel's backend there: every kind of frame, and `xentool net bench`."""

import json
import re
from pathlib import Path

import pytest

from tests.xen import on_netback
from tests.xen.labs import Lab, one_xen
from tests.xen.undisturbed import undisturbed

pytestmark = pytest.mark.lab

BENCH = ("xentool", "net", "bench", "--netback", "--seconds", "1", "--json")
LOADS = {"tx": ("--size", "60000", "--gso"), "rx": ("--size", "1514")}


def test_frames_of_all_kinds_over_netback(lab: Lab) -> None:
    with undisturbed(lab):
        report = lab.run("python3", "-", input=Path(on_netback.__file__).read_bytes(), check=False)
    assert re.findall(r"^ok \d+ - (\w+)", report, re.MULTILINE) == [case.__name__ for case in on_netback.CASES], report
    assert "vif0." not in lab.run("ls", "/sys/class/net")


@one_xen
def test_bench_on_netback(lab: Lab) -> None:
    with undisturbed(lab):
        for direction, words in LOADS.items():
            result = json.loads(lab.run(*BENCH, "--direction", direction, *words))
            assert result["bytes"] == result["frames"] * result["size"] > 0
            assert result["features"]["gso_tcpv4"]
