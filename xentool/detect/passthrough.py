"""What a machine has to give real devices to guests: which are held for one, IOMMU, virtual functions. Pure.

Ref: Linux Documentation/driver-api/vfio.rst; drivers/vfio/vfio_iommu_type1.c and group.c, vfio_dev_driver_allowed
(a group is given away whole: nobody in it may have a driver of the host's, but for bridges)
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal

from traces.plural import plural
from xentool.detect import rules
from xentool.detect.model import Evidence, Statement
from xentool.detect.rules import IOMMU, PASSTHROUGH, SRIOV
from xentool.detect.sources import Device, Facts, shown

_EVIDENCE_MAX = 8
#: Of those that are in the way, or functions of one card, so many are named.
_NAMED_MAX = 4


def offered(facts: Facts, *, under_xen: bool) -> Iterator[tuple[tuple[Literal["io"], str], Statement]]:
    """Say what guests of this machine could have of it, by technique."""
    pci = facts.devices.get("pci", ())
    if handed := [device for device in pci if device.driver in rules.HANDED_OUT]:
        yield ("io", PASSTHROUGH), held(handed, pci)
    if pci:
        yield ("io", SRIOV), functions(pci)
    yield ("io", IOMMU), _iommu(facts.folders, under_xen=under_xen)


def held(handed: Sequence[Device], pci: Sequence[Device]) -> Statement:
    """Say which devices are held for a guest, and whether one can have them.

    :param pci: all that there are
    """
    ways = {device.name: in_the_way(device, pci) for device in handed}
    evidence = tuple(_held(device, ways[device.name]) for device in handed[:_EVIDENCE_MAX])
    if all(ways.values()):
        return Statement("no", "devices are held, but others of their IOMMU groups have drivers here", evidence)
    free = sum(not others for others in ways.values())
    return Statement("yes", f"{plural(free, 'device')} held ready for a guest", evidence)


def in_the_way(device: Device, pci: Sequence[Device]) -> list[Device]:
    """Give who keeps a device from a guest: those of its IOMMU group that a driver of the host's has."""
    if device.group is None:
        return []
    return [
        other
        for other in pci
        if other.group == device.group
        and other.driver not in (None, *rules.HANDED_OUT)
        and not other.uevent.get("PCI_CLASS", "").startswith(rules.BRIDGE_CLASS)
    ]


def _held(device: Device, others: Sequence[Device]) -> Evidence:
    words = [f"DRIVER={device.driver}"]
    if device.group is not None:
        words.append(f"IOMMU group {device.group}")
    if device.physical is not None:
        words.append(f"virtual function of {device.physical}")
    if others:
        named = [f"{other.name} ({other.driver})" for other in others[:_NAMED_MAX]]
        words.append(f"with {' '.join(named)}{_more(len(others))}")
    return Evidence(f"{device.path}/uevent", shown(", ".join(words)))


def functions(pci: Sequence[Device]) -> Statement:
    """Say which cards can have virtual functions, how many they have, and who has those."""
    able = [device for device in pci if device.functions_max]
    if not able:
        none = Evidence("/sys/bus/pci/devices", "none has sriov_totalvfs")
        return Statement("no", "no card here can have virtual functions", (none,))
    evidence = tuple(
        Evidence(
            f"{device.path}/sriov_totalvfs",
            shown("; ".join((f"{device.functions_max}, {device.functions} in use", *_whose(device, pci)))),
        )
        for device in able[:_EVIDENCE_MAX]
    )
    return Statement("yes", "cards that can have virtual functions", evidence)


def _whose(card: Device, pci: Sequence[Device]) -> Iterator[str]:
    # Its functions by who has them: "vfio-pci: 0000:41:10.0".
    of_card = sorted((device for device in pci if device.physical == card.name), key=lambda device: device.driver or "")
    for driver, group in groupby(of_card, lambda device: device.driver):
        names = [device.name for device in group]
        yield f"{driver or 'no driver'}: {' '.join(names[:_NAMED_MAX])}{_more(len(names))}"


def _more(count: int) -> str:
    return f" and {count - _NAMED_MAX} more" if count > _NAMED_MAX else ""


def _iommu(folders: Mapping[str, tuple[str, ...]], *, under_xen: bool) -> Statement:
    units, groups = folders.get("/sys/class/iommu", ()), folders.get("/sys/kernel/iommu_groups", ())
    if units or groups:
        found = [Evidence("/sys/class/iommu", shown(" ".join(units)))] if units else []
        if groups:
            found.append(Evidence("/sys/kernel/iommu_groups", plural(len(groups), "group")))
        return Statement("yes", "the kernel uses it, and VFIO can hand devices out", tuple(found))
    if under_xen:
        return Statement("unknown", "Xen keeps the IOMMU to itself; in dom0 `xl dmesg` tells")
    tables = [name for name in folders.get("/sys/firmware/acpi/tables", ()) if name in rules.IOMMU_TABLES]
    if tables:
        evidence = (Evidence("/sys/firmware/acpi/tables", tables[0]), Evidence("/sys/kernel/iommu_groups", "none"))
        return Statement("no", "firmware describes one, but the kernel does not use it", evidence)
    if "/sys/kernel/iommu_groups" in folders:
        return Statement("no", "none is in use", (Evidence("/sys/kernel/iommu_groups", "none"),))
    return Statement()
