"""From facts to the hypervisors that could run guests on this machine. Pure."""

from collections.abc import Sequence

from xentool.detect import rules, xen
from xentool.detect.model import Evidence, Layer
from xentool.detect.sources import Facts


def hosted(facts: Facts, machines: Sequence[Layer]) -> tuple[Layer, ...]:
    """Find them: Xen seen from its dom0, and drivers that are loaded."""
    found = []
    modules = facts.folders.get("/sys/module", ())
    if any(layer.role == "dom0" for layer in machines):
        found.append(_hypervisor(rules.XEN, [facts.evidence(xen.CAPABILITIES)]))
    signs = [Evidence("/dev/kvm", "exists")] if "/dev/kvm" in facts.marks else []
    signs += [Evidence(f"/sys/module/{name}", "loaded") for name in rules.KVM_MODULES if name in modules]
    if signs:
        found.append(_hypervisor(rules.KVM, signs))
    for name, who in rules.HOST_MODULES.items():
        if name in modules:
            found.append(_hypervisor(who, [Evidence(f"/sys/module/{name}", "loaded")]))
    return tuple(found)


def _hypervisor(who: str, signs: list[Evidence]) -> Layer:
    about = rules.HYPERVISORS[who]
    return Layer(who, about.kind, tuple(signs), about.note)
