"""PCI functions as hosts tell of them: cards cut up by SR-IOV, groups of the IOMMU, what xl hands out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xentool.tools.pci_hosts import DOM0, EMULATED, EMULATED_KVM, KVM
from xentool.errors import PeerError
from xentool.tools.devices.pci import Function, of, parse


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


def test_what_a_lab_with_an_iommu_printed() -> None:
    disk = "0000:01:00.0"
    assert [each for each in parse(EMULATED) if each.matters] == [
        Function("0000:00:08.0", "8086:10d3", "network", "pciback", domid=1, slot="00.0"),
        Function(disk, "1b36:0010", "storage", "nvme", functions=3, functions_max=4),
        Function("0000:01:00.1", "1b36:0010", "storage", "pciback", physical=disk, assignable=True),
        Function("0000:01:00.2", "1b36:0010", "storage", physical=disk),
        Function("0000:01:00.3", "1b36:0010", "storage", physical=disk),
    ]


def test_the_same_without_xen_has_groups() -> None:
    found = {each.address: each for each in parse(EMULATED_KVM)}
    held = Function("0000:00:08.0", "8086:10d3", "network", "vfio-pci", group=4)
    assert found["0000:00:08.0"] == held
    virtual = Function("0000:01:00.1", "1b36:0010", "storage", "vfio-pci", group=8, physical="0000:01:00.0")
    assert found["0000:01:00.1"] == virtual
    # The functions of a board's bridge are one group.
    assert found["0000:00:1f.2"].group_with == ("0000:00:1f.0", "0000:00:1f.3")
    assert not found["0000:00:1f.2"].matters


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
