"""Devices that guests may have: who is in the way, whose virtual functions, on hosts as they are laid out."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.xentool.detect.machines import MACHINES, build, device
from xentool.detect.answer import answer
from xentool.detect.model import Statement
from xentool.detect.sources import read

_SOUND = "sound card behind a bridge, half of whose group is held"
_CARD = "server that hands out virtual functions"


def offered(tree: Mapping[str, str | None], root: Path) -> dict[str, Statement]:
    return {each.name: each.offered for each in answer(read(build(tree, root))).techniques}


def test_a_device_whose_group_has_a_driver_of_the_hosts(tmp_path: Path) -> None:
    held = offered(MACHINES[_SOUND].tree, tmp_path)["passthrough"]
    assert (held.state, held.why) == ("no", "devices are held, but others of their IOMMU groups have drivers here")
    assert [one.value for one in held.evidence] == [
        "DRIVER=vfio-pci, IOMMU group 26, with 0000:06:0d.1 (Emu10k1_gameport)"
    ]


@pytest.mark.parametrize("driver", ["vfio-pci", "pci-stub", None])
def test_a_group_that_is_held_or_without_drivers_is_free(driver: str | None, tmp_path: Path) -> None:
    words = {} if driver is None else {"DRIVER": driver}
    tree = {
        **{path: text for path, text in MACHINES[_SOUND].tree.items() if "06:0d.1" not in path},
        # A bridge may have its driver.
        **device("pci", "0000:00:1e.0", DRIVER="pcieport", PCI_CLASS="60400", iommu_group=26),
        **device("pci", "0000:06:0d.1", PCI_CLASS="98000", iommu_group=26, **words),
    }
    held = offered(tree, tmp_path)["passthrough"]
    count = 1 if driver is None else 2
    assert (held.state, held.why) == ("yes", f"{count} device{'s' * (count > 1)} held ready for a guest")
    assert held.evidence[0].value == "DRIVER=vfio-pci, IOMMU group 26"


def test_virtual_functions_by_who_has_them(tmp_path: Path) -> None:
    found = offered(MACHINES[_CARD].tree, tmp_path)
    assert [one.value for one in found["SR-IOV"].evidence] == [
        "63, 2 in use; ixgbevf: 0000:41:10.2; vfio-pci: 0000:41:10.0"
    ]
    assert [one.value for one in found["passthrough"].evidence] == [
        "DRIVER=vfio-pci, IOMMU group 62, virtual function of 0000:41:00.0"
    ]


def test_many_functions_are_told_in_short(tmp_path: Path) -> None:
    tree = device("pci", "0000:41:00.0", DRIVER="ixgbe", sriov_totalvfs=63, sriov_numvfs=6)
    for number in range(6):
        tree = {**tree, **device("pci", f"0000:41:10.{number}", PCI_CLASS="20000", physfn="0000:41:00.0")}
    (card,) = offered(tree, tmp_path)["SR-IOV"].evidence
    assert card.value == ("63, 6 in use; no driver: 0000:41:10.0 0000:41:10.1 0000:41:10.2 0000:41:10.3 and 2 more")


@pytest.mark.parametrize("link", ["26/../x\x1b[0m", "", "x" * 40, "\u2028"])
def test_links_that_lead_nowhere_a_kernel_would_are_none(link: str, tmp_path: Path) -> None:
    tree = device("pci", "0000:06:0d.0", DRIVER="vfio-pci", iommu_group=link, physfn=link)
    (found,) = read(build(tree, tmp_path)).devices["pci"]
    assert (found.group, found.physical) == (None, None)
