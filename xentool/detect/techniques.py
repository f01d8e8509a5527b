"""From facts and layers to techniques: by which this machine is run, and which it has for its own guests. Pure."""

from collections.abc import Iterator, Sequence
from typing import Literal

from xentool.detect import passthrough, rules, xen
from xentool.detect.claims import CLOCKSOURCES, CPUINFO, cpu_field, flags
from xentool.detect.containers import own_namespaces
from xentool.detect.model import Evidence, Layer, State, Statement, Technique
from xentool.detect.rules import (
    DIRECT,
    EMULATED,
    HARDWARE,
    IOMMU,
    NAMESPACES,
    NESTED,
    PARAVIRTUAL,
    PASSTHROUGH,
    SHADOW,
    SRIOV,
    TRANSLATION,
)
from xentool.detect.sources import Device, Facts, shown

Area = Literal["cpu", "memory", "io", "isolation"]
Key = tuple[Area, str]

AREAS: tuple[Key, ...] = (
    ("cpu", TRANSLATION),
    ("cpu", PARAVIRTUAL),
    ("cpu", HARDWARE),
    ("memory", SHADOW),
    ("memory", DIRECT),
    ("memory", NESTED),
    ("io", EMULATED),
    ("io", PARAVIRTUAL),
    ("io", PASSTHROUGH),
    ("io", IOMMU),
    ("io", SRIOV),
    ("isolation", NAMESPACES),
)
#: Where several layers say something, the first of these that one says.
_STRENGTH: tuple[State, ...] = ("yes", "implied", "unknown", "no")
#: A kernel that shows these speaks a hypervisor's language: hypercalls, and a clock in shared memory.
_SPOKEN = (xen.TYPE, CLOCKSOURCES, "/sys/bus/vmbus/devices")
_EVIDENCE_MAX = 8
_IDS = ("PCI_ID", "PCI_SUBSYS_ID")


def techniques(facts: Facts, machines: Sequence[Layer], bare: tuple[Evidence, ...]) -> tuple[Technique, ...]:
    """Say for each technique whether it is used and offered.

    :param machines: the hypervisors, outermost first
    :param bare: the evidence that there is none
    """
    used: dict[Key, list[Statement]] = {}
    for key, statement in (*_by_design(facts, machines), *_spoken(machines), *_devices(facts, machines)):
        used.setdefault(key, []).append(statement)
    if own := own_namespaces(facts):
        used["isolation", NAMESPACES] = [Statement("yes", "this process lives in its own", tuple(own))]
    elif facts.namespaces:
        evidence = tuple(Evidence(f"/proc/self/ns/{kind}", f"{kind}:[{n}]") for kind, n in facts.namespaces.items())
        used["isolation", NAMESPACES] = [Statement("no", "this process lives in the kernel's first", evidence)]
    nobody = Statement("no", "no hypervisor was found", bare) if bare else Statement()
    offered = dict((*_offered_cpu(facts, machines), *_offered_io(facts, machines)))
    return tuple(
        Technique(
            area,
            name,
            min(
                used.get((area, name), [Statement() if area == "isolation" else nobody]),
                key=lambda statement: _STRENGTH.index(statement.state),
            ),
            offered.get((area, name), Statement()),
        )
        for area, name in AREAS
    )


def _by_design(facts: Facts, machines: Sequence[Layer]) -> Iterator[tuple[Key, Statement]]:
    for layer in machines:
        for name, (state, why) in _design(facts, layer).items():
            evidence = () if state == "unknown" else layer.evidence[:1]
            yield _key(name), Statement(state, why, evidence, layer.name)
        if layer.mode == "PV" and xen.feature(facts, rules.XENFEAT_AUTO_TRANSLATED_PHYSMAP) is False:
            why = rules.XEN_MODES["PV"][DIRECT][1]
            bit = f"auto_translated_physmap (bit {rules.XENFEAT_AUTO_TRANSLATED_PHYSMAP}) is clear"
            yield ("memory", DIRECT), Statement("yes", why, (facts.evidence(xen.FEATURES, bit),), layer.name)


def _design(facts: Facts, layer: Layer) -> rules.Design:
    design = dict(rules.HYPERVISORS[layer.name].design)
    if cpu_field(facts, "CPU implementer") is not None:
        design |= rules.ARM.get(layer.name, {})
    design |= rules.XEN_MODES.get(layer.mode or "", {})
    if layer.role == "dom0":
        design |= rules.DOM0
    if layer.name == rules.VIRTUALBOX and "lm" in (flags(facts) or ()):
        design |= rules.VIRTUALBOX_64
    return design


def _key(name: str) -> Key:
    """Find the key of a technique by its name; the one name that two areas have is the CPU's in a design."""
    return next(key for key in AREAS if key[1] == name)


def _spoken(machines: Sequence[Layer]) -> Iterator[tuple[Key, Statement]]:
    for layer in machines:
        if signs := tuple(sign for sign in layer.evidence if sign.source in _SPOKEN):
            why = f"the kernel speaks {layer.name}'s interface: hypercalls, a shared clock"
            yield ("cpu", PARAVIRTUAL), Statement("yes", why, signs, layer.name)


def _devices(facts: Facts, machines: Sequence[Layer]) -> Iterator[tuple[Key, Statement]]:
    maker = _maker(machines)
    by = maker.name if maker else None
    for bus, only in rules.PARAVIRTUAL_BUSES.items():
        through = rules.PASSED_THROUGH.get(bus)
        driven = [device for device in facts.devices.get(bus, ()) if device.uevent.get("DRIVER")]
        if ours := [device for device in driven if device.uevent["DRIVER"] != through]:
            yield ("io", PARAVIRTUAL), Statement("yes", f"devices on the {bus} bus", _drivers(ours), only or by)
        if handed := [device for device in driven if device.uevent["DRIVER"] == through]:
            yield ("io", PASSTHROUGH), Statement("yes", "a device was handed to this guest", _drivers(handed), only)
    if not machines:
        return
    pci = facts.devices.get("pci", ())
    if ours := [device for device in pci if device.uevent.get("DRIVER") in rules.PARAVIRTUAL_PCI]:
        yield ("io", PARAVIRTUAL), Statement("yes", "devices made for guests", _drivers(ours), by)
    if imitated := [device for device in pci if _is_emulated(device)]:
        yield ("io", EMULATED), Statement("yes", "PCI devices with a hypervisor's vendor id", _ids(imitated), by)
    if functions := [device for device in pci if device.uevent.get("DRIVER") in rules.VF_DRIVERS]:
        evidence = _drivers(functions)
        yield ("io", PASSTHROUGH), Statement("yes", "a virtual function was handed to this guest", evidence, by)
        yield ("io", SRIOV), Statement("yes", "virtual functions of a card in the host", evidence, by)
    why = "which IOMMU keeps this machine's devices apart can't be seen in it"
    yield ("io", IOMMU), Statement("unknown", why)


def _maker(machines: Sequence[Layer]) -> Layer | None:
    """Find the hypervisor whose PCI and virtio devices these are: PV domains and dom0 see what Xen runs on."""
    for layer in reversed(machines):
        if layer.name != rules.XEN or (layer.role != "dom0" and layer.mode != "PV"):
            return layer
    return machines[-1] if machines else None


def _is_emulated(device: Device) -> bool:
    vendor = device.uevent.get("PCI_ID", "").upper().partition(":")[0]
    subsystem = device.uevent.get("PCI_SUBSYS_ID", "").upper().partition(":")[0]
    if vendor == rules.VIRTIO_VENDOR or device.uevent.get("DRIVER") in rules.PARAVIRTUAL_PCI:
        return False
    return vendor in rules.EMULATORS or subsystem in rules.EMULATORS


def _drivers(devices: Sequence[Device]) -> tuple[Evidence, ...]:
    """Cite one device for each driver, and how many more it has."""
    by_driver: dict[str, list[Device]] = {}
    for device in devices:
        by_driver.setdefault(device.uevent["DRIVER"], []).append(device)
    return tuple(
        Evidence(f"{first.path}/uevent", shown(f"DRIVER={driver}") + (f" (and {len(more)} more)" if more else ""))
        for driver, (first, *more) in list(by_driver.items())[:_EVIDENCE_MAX]
    )


def _ids(devices: Sequence[Device]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(f"{device.path}/uevent", shown(" ".join(f"{key}={device.uevent.get(key, '')}" for key in _IDS)))
        for device in devices[:_EVIDENCE_MAX]
    )


def _offered_cpu(facts: Facts, machines: Sequence[Layer]) -> Iterator[tuple[Key, Statement]]:
    innermost = machines[-1] if machines else None
    if innermost and innermost.role == "dom0":
        yield from _offered_by_xen(facts)
    elif (seen := flags(facts)) is not None and not (innermost and innermost.mode == "PV"):
        yield from _offered_by_flags(seen)
    modules = facts.folders.get("/sys/module", ())
    if rules.PVM in modules:
        evidence = (Evidence(f"/sys/module/{rules.PVM}", "loaded"),)
        yield ("cpu", PARAVIRTUAL), Statement("yes", "KVM by PVM: hypercalls, no VT-x or AMD-V", evidence, rules.KVM)
        yield ("memory", SHADOW), Statement("yes", "PVM shadows its guests' page tables", evidence, rules.KVM)
    for path, name in rules.KVM_NESTED_PAGING.items():
        if path in facts.files:
            on = facts.text(path) in ("Y", "1")
            evidence = (facts.evidence(path),)
            yield ("memory", NESTED), Statement("yes" if on else "no", f"KVM's switch for {name}", evidence, rules.KVM)
            if not on:
                yield ("memory", SHADOW), Statement("yes", f"KVM shadows without {name}", evidence, rules.KVM)
    if facts.namespaces:
        kinds = Evidence("/proc/self/ns", " ".join(facts.namespaces))
        yield ("isolation", NAMESPACES), Statement("yes", "the kernel has them", (kinds,))


def _offered_by_xen(facts: Facts) -> Iterator[tuple[Key, Statement]]:
    words = facts.text(xen.CAPABILITIES).split()
    if not words:
        return
    evidence = (facts.evidence(xen.CAPABILITIES),)
    pv, hvm = (any(word.startswith(kind) for word in words) for kind in ("xen-", "hvm-"))
    if cpu_field(facts, "CPU implementer") is None:
        why = f"Xen takes {'' if pv else 'no '}PV guests"
        yield ("cpu", PARAVIRTUAL), Statement(_yes(pv), why, evidence, rules.XEN)
        yield ("memory", DIRECT), Statement(_yes(pv), "for PV guests", evidence, rules.XEN)
        why = f"Xen takes {'' if hvm else 'no '}HVM and PVH guests"
        yield ("cpu", HARDWARE), Statement(_yes(hvm), why, evidence, rules.XEN)
    if hvm:
        why = "`xl info` tells: virt_caps lists hap or shadow"
        yield ("memory", NESTED), Statement("unknown", why)
        yield ("memory", SHADOW), Statement("unknown", why)


def _offered_by_flags(seen: frozenset[str]) -> Iterator[tuple[Key, Statement]]:
    for flag, name in rules.CPU_EXTENSIONS.items():
        if flag in seen:
            yield ("cpu", HARDWARE), Statement("yes", f"the CPU shows {name}", (Evidence(CPUINFO, f"flags: {flag}"),))
    if not seen & rules.CPU_EXTENSIONS.keys():
        evidence = (Evidence(CPUINFO, "flags: neither vmx nor svm"),)
        yield ("cpu", HARDWARE), Statement("no", "the CPU shows neither VT-x nor AMD-V", evidence)
        yield ("memory", NESTED), Statement("no", "it comes with VT-x or AMD-V", evidence)
    for flag in ("ept", "npt"):
        if flag in seen:
            why = f"the CPU shows {flag.upper()}"
            yield ("memory", NESTED), Statement("yes", why, (Evidence(CPUINFO, f"flags: {flag}"),))


def _offered_io(facts: Facts, machines: Sequence[Layer]) -> Iterator[tuple[Key, Statement]]:
    backends = [device for device in facts.devices.get("xen-backend", ()) if device.uevent.get("DRIVER")]
    modules = facts.folders.get("/sys/module", ())
    loaded = [Evidence(f"/sys/module/{name}", "loaded") for name in rules.BACKEND_MODULES if name in modules]
    if backends or loaded:
        evidence = (*_drivers(backends), *loaded)
        yield ("io", PARAVIRTUAL), Statement("yes", "back ends for guests' devices", evidence)
    yield from passthrough.offered(facts, under_xen=any(layer.name == rules.XEN for layer in machines))


def _yes(is_so: bool) -> State:
    return "yes" if is_so else "no"
