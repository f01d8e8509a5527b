"""PCI functions that a guest has or could have: by dom0's sysfs and xl. Reading is one script; parsing is pure.

Ref: Linux Documentation/ABI/testing/sysfs-bus-pci (physfn, sriov_numvfs), sysfs-kernel-iommu_groups; tools/xl/xl_pci.c,
4.2 to 4.21
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from xentool.errors import PeerError
from xentool.hosts import Host

#: Drivers that hold a function for a guest, in its own driver's stead.
HOLDERS = frozenset({"pciback", "xen-pciback", "vfio-pci", "pci-stub"})
_ADDRESS = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
_FACT = re.compile(rf"({_ADDRESS})/(\w+)(?:/[^:/]+)?:(.+)")
_ASSIGNABLE = re.compile(rf"({_ADDRESS})\b.*")
_ASSIGNED = re.compile(rf"([0-9a-f]{{2}}\.[0-7]) ({_ADDRESS})")
#: Base classes in words. Ref: PCI Code and ID Assignment Specification
_CLASSES = {
    0x01: "storage",
    0x02: "network",
    0x03: "display",
    0x04: "multimedia",
    0x06: "bridge",
    0x0C: "serial bus",
    0x10: "encryption",
    0x12: "accelerator",
}


@dataclass(frozen=True)
class Function:
    """A PCI function.

    :param address: domain:bus:device.function
    :param ids: vendor and device, as in 8086:10ed
    :param kind: what it is, by its class
    :param driver: that has it in dom0
    :param group: of the IOMMU's, which can only be given away whole; None where the kernel has none (under Xen, which
        keeps the IOMMU to itself)
    :param group_with: who else is in that group
    :param physical: whose virtual function it is
    :param functions: how many virtual functions it has now, and how many it could have
    :param interfaces: of dom0's network
    :param assignable: whether xl may hand it to a guest
    :param domid: whose it is, and its slot there
    """

    address: str
    ids: str | None
    kind: str | None
    driver: str | None = None
    group: int | None = None
    group_with: tuple[str, ...] = ()
    physical: str | None = None
    functions: int = 0
    functions_max: int = 0
    interfaces: tuple[str, ...] = ()
    assignable: bool = False
    domid: int | None = None
    slot: str | None = None

    @property
    def matters(self) -> bool:
        """Whether it has to do with guests: it is one's, held for one, or belongs to a card that is cut up for them."""
        held = self.assignable or self.driver in HOLDERS
        return held or self.domid is not None or self.physical is not None or self.functions > 0


def read(host: Host) -> list[Function]:
    """Give the functions of a host that have to do with guests.

    :raises PeerError: something else was printed
    """
    script = files(__package__).joinpath("pci.sh").read_text()
    return [each for each in parse(host.run(["sh", "-c", script]).stdout.decode(errors="replace")) if each.matters]


def of(found: Iterable[Function], domid: int | None) -> list[Function]:
    """Choose those of a domain, of dom0 those that no guest has; None: all."""
    return [each for each in found if domid is None or (each.domid or 0) == domid]


def parse(text: str) -> list[Function]:
    """Read what pci.sh prints; functions by their address.

    :raises PeerError: that is something else
    """
    parts = text.split("\f")
    if len(parts) != 3:
        raise PeerError(f"what dom0 says of PCI has {len(parts)} parts instead of 3")
    facts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in parts[0].splitlines():
        if match := _FACT.fullmatch(line):
            facts[match[1]][match[2]].append(match[3])
    assignable = {match[1] for line in parts[1].splitlines() if (match := _ASSIGNABLE.fullmatch(line.rstrip()))}
    assigned = _assigned(parts[2])
    groups: dict[int, list[str]] = defaultdict(list)
    for address, of in facts.items():
        if (group := _number(_name(of, "iommu_group"))) is not None:
            groups[group].append(address)
    return [
        _function(address, facts.get(address, {}), groups, address in assignable, assigned.get(address))
        for address in sorted(
            {*facts, *assignable, *assigned}, key=lambda address: [int(one, 16) for one in re.split("[:.]", address)]
        )
    ]


def _function(
    address: str,
    of: Mapping[str, list[str]],
    groups: Mapping[int, list[str]],
    assignable: bool,
    assigned: tuple[int, str] | None,
) -> Function:
    group = _number(_name(of, "iommu_group"))
    vendor, device, code = (_hex(of, name) for name in ("vendor", "device", "class"))
    domid, slot = assigned or (None, None)
    return Function(
        address,
        None if vendor is None or device is None else f"{vendor:04x}:{device:04x}",
        None if code is None else _CLASSES.get(code >> 16, f"class {code >> 16:02x}"),
        _name(of, "driver"),
        group,
        tuple(sorted(other for other in groups.get(group, ()) if other != address)) if group is not None else (),
        _name(of, "physfn"),
        _number(_name(of, "sriov_numvfs")) or 0,
        _number(_name(of, "sriov_totalvfs")) or 0,
        tuple(sorted(of.get("net", ()))),
        assignable,
        domid,
        slot,
    )


def _assigned(text: str) -> dict[str, tuple[int, str]]:
    # Below a line for each domain, its functions: where they are in the guest, and here.
    found: dict[str, tuple[int, str]] = {}
    domid: int | None = None
    for line in text.splitlines():
        if line.startswith("domain "):
            domid = _number(line.removeprefix("domain "))
        elif domid is not None and (match := _ASSIGNED.fullmatch(line.strip())):
            found[match[2]] = domid, match[1]
    return found


def _name(of: Mapping[str, list[str]], fact: str) -> str | None:
    # Of a link, what it leads to.
    return of[fact][0].rpartition("/")[2] if of.get(fact) else None


def _hex(of: Mapping[str, list[str]], fact: str) -> int | None:
    text = _name(of, fact) or ""
    return int(text, 16) if re.fullmatch(r"0x[0-9a-f]{1,8}", text) else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
