"""What a Xen domain tells about itself: its role and mode, and where its signs disagree. Pure."""

from dataclasses import dataclass
from typing import Literal

from xentool.detect import rules
from xentool.detect.claims import cpu_field
from xentool.detect.model import Contradiction, Evidence
from xentool.detect.sources import Facts, shown

TYPE = "/sys/hypervisor/type"
GUEST_TYPE = "/sys/hypervisor/guest_type"
FEATURES = "/sys/hypervisor/properties/features"
CAPABILITIES = "/sys/hypervisor/properties/capabilities"
XENFS = "/proc/xen/capabilities"
UUID = "/sys/hypervisor/uuid"
_VERSION = "/sys/hypervisor/version"
_DOM0_UUID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Domain:
    """The machine as a Xen domain; None where nothing told."""

    role: Literal["dom0", "domU"] | None
    mode: Literal["PV", "PVH", "HVM"] | None
    version: str | None
    evidence: tuple[Evidence, ...]
    contradictions: tuple[Contradiction, ...]


def domain(facts: Facts) -> Domain:
    """Read what Linux under Xen shows of its domain.

    Ref: Linux drivers/xen/sys-hypervisor.c, drivers/xen/xenfs/super.c; Xen include/public/features.h
    """
    role, signs, disagreements = _role(facts)
    mode, mode_signs = _mode(facts)
    if mode in ("PV", "PVH") and facts.text("/sys/class/dmi/id/product_name") == "HVM domU":
        product = facts.evidence("/sys/class/dmi/id/product_name")
        disagreements.append(Contradiction(f"the kernel says {mode}, firmware says HVM", (*mode_signs, product)))
    return Domain(role, mode, _version(facts), (*mode_signs, *signs), tuple(disagreements))


def is_ec2(facts: Facts) -> bool:
    """Tell whether this Xen is Amazon's, which has versions of its own in sysfs and firmware."""
    told = (f"{_VERSION}/extra", "/sys/class/dmi/id/product_version")
    return any(facts.text(path).rpartition(".")[2] == rules.EC2_VERSION for path in told)


def feature(facts: Facts, bit: int) -> bool | None:
    """Tell whether Xen offers a feature to this domain; None when that can't be read."""
    try:
        return bool(int(facts.text(FEATURES), 16) >> bit & 1)
    except ValueError:
        return None


def _role(facts: Facts) -> tuple[Literal["dom0", "domU"] | None, list[Evidence], list[Contradiction]]:
    signs: list[tuple[bool, Evidence]] = []
    if (bit := feature(facts, rules.XENFEAT_DOM0)) is not None:
        said = f"{shown(facts.text(FEATURES))}: dom0 (bit {rules.XENFEAT_DOM0}) is {'set' if bit else 'clear'}"
        signs.append((bit, Evidence(FEATURES, said)))
    if XENFS in facts.files:
        listed = "control_d" in facts.text(XENFS).replace(",", " ").split()
        signs.append((listed, facts.evidence(XENFS, "control_d" if listed else "no control_d")))
    if uuid := facts.text(UUID):
        signs.append((uuid == _DOM0_UUID, facts.evidence(UUID)))
    if not signs:
        return None, [], []
    evidence = [sign for _, sign in signs]
    if len({is_dom0 for is_dom0, _ in signs}) == 1:
        return ("dom0" if signs[0][0] else "domU"), evidence, []
    return (
        # Old Xens have no such bit, and the control and the hardware domain may be two: either is called dom0.
        "dom0" if any(is_dom0 for is_dom0, sign in signs if sign.source != UUID) else "domU",
        evidence,
        [Contradiction("not all signs agree that this is dom0", tuple(evidence))],
    )


def _mode(facts: Facts) -> tuple[Literal["PV", "PVH", "HVM"] | None, tuple[Evidence, ...]]:
    for mode in ("PV", "PVH", "HVM"):
        if facts.text(GUEST_TYPE) == mode:
            return mode, (facts.evidence(GUEST_TYPE),)
    # Linux before 4.13 has no guest_type.
    if (translated := feature(facts, rules.XENFEAT_AUTO_TRANSLATED_PHYSMAP)) is False and not _is_arm(facts):
        bit = rules.XENFEAT_AUTO_TRANSLATED_PHYSMAP
        return "PV", (facts.evidence(FEATURES, f"auto_translated_physmap (bit {bit}) is clear"),)
    if translated is not False and facts.text("/sys/class/dmi/id/product_name") == "HVM domU":
        return "HVM", (facts.evidence("/sys/class/dmi/id/product_name"),)
    return None, ()


def _is_arm(facts: Facts) -> bool:
    return cpu_field(facts, "CPU implementer") is not None


def _version(facts: Facts) -> str | None:
    major, minor = facts.text(f"{_VERSION}/major"), facts.text(f"{_VERSION}/minor")
    if not (major.isdecimal() and minor.isdecimal()):
        return None
    extra = facts.text(f"{_VERSION}/extra")
    # The hypervisor may keep it from its guests.
    return shown(f"{major}.{minor}" + ("" if extra.startswith("<") else extra))
