"""``show`` and ``device list`` of hosts that hand out PCI functions."""

import json
import re
from pathlib import Path

import pytest

from tests.docs.shapes import wrong
from tests.xentool.cli.inprocess import ran
from tests.xentool.dom0 import hosted
from tests.xentool.tools.pci_hosts import DOM0
from xentool.documents import domains

VF = "virtual function of 0000:03:00.0"
NAMES = {0: "Domain-0", 4: "router"}
#: Below the table's head, by cells.
ROWS = [
    ["0000:03:00.0", "8086:10fb", "network", "ixgbe", "-", "-", "3 of 63 virtual functions in use; interface enp3s0f0"],
    ["0000:03:10.0", "8086:10ed", "network", "pciback", "assignable", "-", VF],
    ["0000:03:10.2", "8086:10ed", "network", "pciback", "router, as 05.0", "-", VF],
    ["0000:03:10.4", "8086:10ed", "network", "ixgbevf", "-", "-", f"{VF}; interface enp3s0f0v2"],
]


def test_all_of_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted(tmp_path, monkeypatch, NAMES, [], pci=DOM0):
        head, *rows = (re.split(" {2,}", line.strip()) for line in ran("device", "list").stdout.splitlines()[-5:])
        told = json.loads(ran("device", "list", "--json").stdout)
    assert head == ["PCI function", "id", "is", "driver here", "whose", "IOMMU group", "besides"]
    assert rows == ROWS
    assert list(wrong(told, domains.Devices)) == []
    assert [(each["address"], each["domid"], each["slot"]) for each in told["pci"]][2] == ("0000:03:10.2", 4, "05.0")


def test_those_of_a_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted(tmp_path, monkeypatch, NAMES, [], pci=DOM0):
        said = ran("show", "router").stdout
        told = json.loads(ran("show", "router", "--json").stdout)
    assert "  0000:03:10.2  8086:10ed  network  pciback      router, as 05.0" in said
    assert "0000:03:10.0 " not in said
    assert list(wrong(told, domains.OneDomain)) == []
    assert [each["address"] for each in told["pci"]] == ["0000:03:10.2"]


def test_a_host_without_any_says_nothing_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted(tmp_path, monkeypatch, NAMES, []):
        assert "PCI" not in ran("device", "list").stdout
        assert json.loads(ran("device", "list", "--json").stdout)["pci"] == []
