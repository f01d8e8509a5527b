"""PCI functions as hosts tell of them: cards cut up by SR-IOV, groups of the IOMMU, what xl hands out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentool.errors import PeerError
from xentool.tools.devices.pci import Function, of, parse

#: A dom0 with an 82599 that has three virtual functions, one of them held for a guest and one
#: given to one; laid out as Linux 6.1 has it under Xen, which shows no groups.
DOM0 = """\
0000:00:00.0/vendor:0x8086
0000:00:00.0/device:0x3c00
0000:00:00.0/class:0x060000
0000:03:00.0/vendor:0x8086
0000:03:00.0/device:0x10fb
0000:03:00.0/class:0x020000
0000:03:00.0/sriov_numvfs:3
0000:03:00.0/sriov_totalvfs:63
0000:03:10.0/vendor:0x8086
0000:03:10.0/device:0x10ed
0000:03:10.0/class:0x020000
0000:03:10.2/vendor:0x8086
0000:03:10.2/device:0x10ed
0000:03:10.2/class:0x020000
0000:03:10.4/vendor:0x8086
0000:03:10.4/device:0x10ed
0000:03:10.4/class:0x020000
0000:03:00.0/driver:../../../../bus/pci/drivers/ixgbe
0000:03:10.0/driver:../../../../bus/pci/drivers/pciback
0000:03:10.2/driver:../../../../bus/pci/drivers/pciback
0000:03:10.4/driver:../../../../bus/pci/drivers/ixgbevf
0000:03:10.0/physfn:../0000:03:00.0
0000:03:10.2/physfn:../0000:03:00.0
0000:03:10.4/physfn:../0000:03:00.0
0000:03:00.0/net/enp3s0f0:enp3s0f0
0000:03:10.4/net/enp3s0f0v2:enp3s0f0v2
\f0000:03:10.0 lan
\fdomain 4
Vdev Device
05.0 0000:03:10.2
"""
#: A workstation under KVM: a graphics card with its sound in one group, both held for a guest; Linux 6.1.
KVM = """\
0000:01:00.0/vendor:0x10de
0000:01:00.0/device:0x1b80
0000:01:00.0/class:0x030000
0000:01:00.1/vendor:0x10de
0000:01:00.1/device:0x10f0
0000:01:00.1/class:0x040300
0000:02:00.0/vendor:0x144d
0000:02:00.0/device:0xa804
0000:02:00.0/class:0x010802
0000:01:00.0/driver:../../../../bus/pci/drivers/vfio-pci
0000:01:00.0/iommu_group:../../../../kernel/iommu_groups/13
0000:01:00.1/driver:../../../../bus/pci/drivers/vfio-pci
0000:01:00.1/iommu_group:../../../../kernel/iommu_groups/13
0000:02:00.0/driver:../../../../bus/pci/drivers/nvme
0000:02:00.0/iommu_group:../../../../kernel/iommu_groups/14
\f\f"""


def test_a_card_that_is_cut_up_for_guests() -> None:
    found = {each.address: each for each in parse(DOM0)}
    assert found["0000:03:00.0"] == Function(
        "0000:03:00.0", "8086:10fb", "network", "ixgbe", functions=3, functions_max=63, interfaces=("enp3s0f0",)
    )
    held = Function("0000:03:10.0", "8086:10ed", "network", "pciback", physical="0000:03:00.0", assignable=True)
    assert found["0000:03:10.0"] == held
    given = replace(held, address="0000:03:10.2", assignable=False, domid=4, slot="05.0")
    assert found["0000:03:10.2"] == given
    assert found["0000:03:10.4"].interfaces == ("enp3s0f0v2",)
    assert [each.address for each in found.values() if not each.matters] == ["0000:00:00.0"]


def test_whose_functions_are() -> None:
    found = parse(DOM0)
    assert [each.address for each in of(found, 4)] == ["0000:03:10.2"]
    assert "0000:03:10.0" in [each.address for each in of(found, 0)]
    assert len(of(found, None)) == len(found) == len(of(found, 0)) + 1


def test_groups_are_given_away_whole() -> None:
    graphics, sound, disk = parse(KVM)
    assert (graphics.group, graphics.group_with, graphics.matters) == (13, ("0000:01:00.1",), True)
    assert (sound.kind, sound.group_with) == ("multimedia", ("0000:01:00.0",))
    assert (disk.kind, disk.group, disk.group_with, disk.matters) == ("storage", 14, (), False)


def test_what_xl_knows_and_sysfs_does_not_is_told() -> None:
    (found,) = parse("\f\fdomain 7\nVdev Device\n00.0 0001:ff:1f.7\n")
    assert found == Function("0001:ff:1f.7", None, None, domid=7, slot="00.0")


def test_functions_are_told_in_the_order_of_the_bus() -> None:
    text = "".join(f"{address}/vendor:0x8086\n" for address in ("10000:00:00.0", "0000:a0:00.0", "0000:09:00.1"))
    assert [each.address for each in parse(f"{text}\f\f")] == ["0000:09:00.1", "0000:a0:00.0", "10000:00:00.0"]


@pytest.mark.parametrize("text", ["", "0000:00:00.0/vendor:0x8086\n", "\f", "\f\f\f"])
def test_what_is_something_else_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match="parts instead of 3"):
        parse(text)


@given(st.text(alphabet="0123456789abcdef:./xvendor \n", max_size=200))
def test_any_lines_are_read(lines: str) -> None:
    for each in parse(f"{lines}\f{lines}\fdomain 1\n{lines}"):
        assert each.domid in (None, 1)
