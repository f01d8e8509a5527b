"""From facts to claims: each sign that a hypervisor is there, before they are weighed against each other. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from traces.plural import plural
from xentool.detect import rules
from xentool.detect.model import Evidence
from xentool.detect.sources import CPUID, Facts, shown

CLOCKSOURCES = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
COMPATIBLE = "/proc/device-tree/hypervisor/compatible"
CPUINFO = "/proc/cpuinfo"
FACP = "/sys/firmware/acpi/tables/FACP"
HYPERVISOR_TYPE = "/sys/hypervisor/type"
PLATFORM = "/proc/device-tree/compatible"
SYSINFO = "/proc/sysinfo"
OSRELEASE = "/proc/sys/kernel/osrelease"
SMBIOS = "/sys/firmware/dmi/entries/0-0/raw"

#: Who tells, the most trustworthy first: the CPU, the kernel that talked to the hypervisor, the CPU's name, firmware.
Teller = Literal["cpuid", "kernel", "cpuname", "firmware"]
TELLERS: tuple[Teller, ...] = ("cpuid", "kernel", "cpuname", "firmware")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sign of one hypervisor."""

    who: str
    teller: Teller
    evidence: Evidence
    product: str | None = None


def claims(facts: Facts) -> list[Claim]:
    """Collect all signs, the most trustworthy tellers first."""
    tellers = (_cpuid, _xen, _kernel, _device_tree, _control_program, _cpuname, _dmi, _acpi)
    found = [claim for told in tellers for claim in told(facts)]
    return sorted(found, key=lambda claim: TELLERS.index(claim.teller))


def flags(facts: Facts) -> frozenset[str] | None:
    """Give the CPU's flags; None where /proc/cpuinfo has none (no x86, or unreadable)."""
    line = cpu_field(facts, "flags")
    return None if line is None else frozenset(line.split())


def cpu_field(facts: Facts, name: str) -> str | None:
    """Give one field of the first CPU in /proc/cpuinfo."""
    for line in facts.text(CPUINFO).splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return None


def is_metal(facts: Facts) -> bool:
    """Tell whether firmware says that a machine of Amazon's is a whole one, not a guest."""
    if not any(facts.text(path).startswith("Amazon EC2") for path in rules.DMI_FILES):
        return False
    bit = _smbios_bit(facts)
    return rules.METAL in facts.text("/sys/class/dmi/id/product_name") if bit is None else not bit


def generic(facts: Facts) -> list[Evidence]:
    """Collect what says that some hypervisor is there, but not which."""
    found = [Evidence(CPUINFO, "flags: hypervisor")] if "hypervisor" in (flags(facts) or ()) else []
    if _smbios_bit(facts):
        found.append(Evidence(SMBIOS, "BIOS characteristics: virtual machine"))
    if (kind := facts.text(HYPERVISOR_TYPE)) and "xen" not in kind:
        found.append(facts.evidence(HYPERVISOR_TYPE))
    if rules.VIRTUAL_PLATFORM in facts.text(PLATFORM).split("\0"):
        found.append(facts.evidence(PLATFORM, rules.VIRTUAL_PLATFORM))
    unknown = [leaf for leaf in facts.cpuid if leaf == 0x40000000 and facts.cpuid[leaf] not in rules.CPUID_SIGNATURES]
    return [*found, *(Evidence(f"{CPUID} leaf {leaf:#x}", shown(facts.cpuid[leaf])) for leaf in unknown)]


def _smbios_bit(facts: Facts) -> bool | None:
    # Ref: SMBIOS 3.4, 7.1.2.2: extension byte 2 stands at 0x13, its bit 4 says "virtual machine"
    raw = facts.text(SMBIOS)
    return bool(ord(raw[0x13]) & 1 << 4) if len(raw) > 0x13 and ord(raw[1]) > 0x13 else None


def _cpuid(facts: Facts) -> Iterator[Claim]:
    for leaf, signature in facts.cpuid.items():
        if who := rules.CPUID_SIGNATURES.get(signature):
            yield Claim(who, "cpuid", Evidence(f"{CPUID} leaf {leaf:#x}", signature))


def _xen(facts: Facts) -> Iterator[Claim]:
    if "xen" in facts.text("/sys/hypervisor/type"):
        yield Claim(rules.XEN, "kernel", facts.evidence("/sys/hypervisor/type"))
    if "/proc/xen" in facts.marks:
        yield Claim(rules.XEN, "kernel", facts.evidence("/proc/xen", "exists"))


def _kernel(facts: Facts) -> Iterator[Claim]:
    for clock in facts.text(CLOCKSOURCES).split():
        for beginning, who in rules.CLOCKSOURCES.items():
            if clock.startswith(beginning):
                yield Claim(who, "kernel", facts.evidence(CLOCKSOURCES, clock))
    if devices := facts.devices.get("vmbus"):
        yield Claim(rules.HYPERV, "kernel", Evidence("/sys/bus/vmbus/devices", plural(len(devices), "device")))
    if "WSL2" in facts.text(OSRELEASE) or "microsoft-standard" in facts.text(OSRELEASE):
        yield Claim(rules.HYPERV, "kernel", facts.evidence(OSRELEASE))


def _device_tree(facts: Facts) -> Iterator[Claim]:
    for beginning, who in rules.DEVICE_TREE.items():
        if any(word.startswith(beginning) for word in facts.text(COMPATIBLE).split("\0")):
            yield Claim(who, "kernel", facts.evidence(COMPATIBLE))
    nodes = facts.folders.get("/proc/device-tree", ())
    if any(name.startswith("fw-cfg") for name in nodes):
        yield Claim(rules.QEMU, "kernel", Evidence("/proc/device-tree", "fw-cfg"))
    for platform in facts.text(PLATFORM).split("\0"):
        if platform in rules.PLATFORMS:
            yield Claim(rules.PLATFORMS[platform], "kernel", facts.evidence(PLATFORM, platform))
    if set(rules.POWERVM_NODES) <= set(nodes) and rules.POWERVM_NOT not in facts.marks:
        yield Claim(rules.POWERVM, "kernel", Evidence("/proc/device-tree", ", ".join(rules.POWERVM_NODES)))


def _control_program(facts: Facts) -> Iterator[Claim]:
    for line in facts.text(SYSINFO).splitlines():
        if line.startswith("VM00 Control Program:"):
            program = line.partition(":")[2].split()
            who = rules.CONTROL_PROGRAMS.get(program[0] if program else "", rules.KVM)
            yield Claim(who, "kernel", facts.evidence(SYSINFO, " ".join(line.split())))


def _cpuname(facts: Facts) -> Iterator[Claim]:
    for name in ("model name", "vendor_id"):
        text = cpu_field(facts, name) or ""
        for beginning, (who, product) in rules.CPU_NAMES.items():
            if text.startswith(beginning):
                yield Claim(who, "cpuname", Evidence(CPUINFO, shown(f"{name}: {text}")), product)


def _dmi(facts: Facts) -> Iterator[Claim]:
    if is_metal(facts):
        return
    for path in rules.DMI_FILES:
        text = facts.text(path)
        for beginning, who, product in rules.DMI:
            if text.startswith(beginning) and not text[len(beginning) : len(beginning) + 1].isalpha():
                yield Claim(who, "firmware", facts.evidence(path), product)
                break
    # "Virtual Machine" alone is Virtual PC too, but that ran no Linux that has this sysfs.
    maker = facts.text("/sys/class/dmi/id/sys_vendor"), facts.text("/sys/class/dmi/id/product_name")
    if maker == ("Microsoft Corporation", "Virtual Machine"):
        yield Claim(rules.HYPERV, "firmware", Evidence("/sys/class/dmi/id/product_name", " ".join(maker)))


def _acpi(facts: Facts) -> Iterator[Claim]:
    # Ref: ACPI 6.5, 5.2.6: the OEM id is bytes 10 to 15 of a table's header
    oem = facts.text(FACP)[10:16].strip(" \0")
    if oem in rules.ACPI_OEM:
        who, product = rules.ACPI_OEM[oem]
        yield Claim(who, "firmware", facts.evidence(FACP, f"OEM id {oem}"), product)
