"""From claims to layers: which hypervisors are there, in which order, and what speaks against it. Pure.

Law: a guest that runs by hardware sees its own hypervisor only. What lies further out shows where it is let through:
under a Xen PV domain or dom0, which see the outer machine's firmware, and in the CPU's name, which all hand on.
"""

from dataclasses import replace

from xentool.detect import rules, xen
from xentool.detect.claims import CPUINFO, TELLERS, Claim, Teller, claims, flags, generic
from xentool.detect.model import Contradiction, Evidence, Layer
from xentool.detect.rules import BOCHS, HYPERV, HYPERVISORS, KVM, QEMU, TCG, UML, UNKNOWN, XEN
from xentool.detect.sources import Facts

Groups = dict[str, list[Claim]]


def hypervisors(facts: Facts) -> tuple[list[Layer], list[Contradiction]]:
    """Find the hypervisors under this machine, outermost first."""
    groups, presented = _settled(facts)
    ours = {who: groups.pop(who) for who in (TCG, XEN, UML) if who in groups}
    layers = [_layer(TCG, ours[TCG])] if TCG in ours else []
    domain = xen.domain(facts) if XEN in ours else None
    contradictions = list(domain.contradictions) if domain else []

    # The device model of HVM guests is QEMU too.
    if QEMU in groups and domain and domain.mode == "HVM" and domain.role != "dom0" and not layers:
        ours[XEN] += groups.pop(QEMU)
    if QEMU in groups and (inside := KVM if KVM in groups else TCG if layers else None):
        made = [replace(claim, product=claim.product or QEMU) for claim in groups.pop(QEMU)]
        if inside == KVM:
            groups[KVM] += made
        else:
            layers = [_layer(TCG, ours[TCG] + made)]
    if groups:
        who, *others = sorted(groups, key=lambda who: TELLERS.index(groups[who][0].teller))
        outer = _layer(who, groups[who])
        for other in others:
            text = f"other signs say {other}; {who} is what the better witness says"
            contradictions.append(Contradiction(text, (outer.evidence[0], *_evidence(groups[other]))))
        if domain and domain.role != "dom0" and domain.mode in ("HVM", "PVH"):
            text = f"a {domain.mode} domain can't see what Xen runs on, but there are signs of {who}"
            contradictions.append(Contradiction(text, outer.evidence))
            outer = replace(outer, contested=True)
        layers.append(replace(outer, contested=outer.contested or bool(others)))
    if domain:
        xen_layer = _layer(XEN, ours[XEN])
        evidence = (*domain.evidence, *xen_layer.evidence)
        product = rules.EC2 if xen.is_ec2(facts) else xen_layer.product
        layers.append(
            replace(
                xen_layer,
                product=product,
                role=domain.role,
                mode=domain.mode,
                version=domain.version,
                evidence=evidence,
            )
        )
    if UML in ours:
        layers.append(_layer(UML, ours[UML]))
    if layers:
        inner = layers[-1]
        layers[-1] = replace(inner, presents=presented.get(inner.name, ()))
    return _with_generic(facts, layers, contradictions)


def _settled(facts: Facts) -> tuple[Groups, dict[str, tuple[str, ...]]]:
    """Collect the claims by hypervisor, each where it belongs, and tell which hypervisors show others' interfaces."""
    groups: Groups = {}
    for claim in claims(facts):
        groups.setdefault(claim.who, []).append(claim)
    # The firmware that QEMU had before 1.6.
    if BOCHS in groups and groups.keys() & {KVM, QEMU, TCG}:
        groups.setdefault(QEMU, []).extend(groups.pop(BOCHS))
    presented = _presented(groups)
    if XEN in groups and _shown_by_kvm(groups, xen.domain(facts)):
        groups.setdefault(KVM, []).extend(groups.pop(XEN))
        groups[KVM].sort(key=lambda claim: TELLERS.index(claim.teller))
        presented[KVM] = (*presented.get(KVM, ()), XEN)
    if XEN in groups and KVM in groups and any(claim.teller == "firmware" for claim in groups[XEN]):
        # Amazon's Xen may say whose it is in the same words as Amazon's KVM.
        amazons = [claim for claim in groups[KVM] if (claim.product or "").startswith(rules.EC2)]
        if len(amazons) == len(groups[KVM]):
            groups[XEN] += [replace(claim, product=rules.EC2) for claim in groups.pop(KVM)]
    return groups, presented


def _with_generic(
    facts: Facts, layers: list[Layer], contradictions: list[Contradiction]
) -> tuple[list[Layer], list[Contradiction]]:
    signs = generic(facts)
    if signs and layers:
        layers[-1] = replace(layers[-1], evidence=(*layers[-1].evidence, *signs))
    elif signs:
        layers.append(Layer(UNKNOWN, "unknown", tuple(signs)))
    seen = flags(facts)
    # An old PV kernel sees the CPU's own flags.
    is_pv = bool(layers) and layers[-1].name == XEN and layers[-1].mode in (None, "PV")
    if layers and seen is not None and "hypervisor" not in seen and not is_pv:
        contradictions.append(
            Contradiction(
                f"the CPU's flags deny the hypervisor that other signs show ({layers[-1].name})",
                (Evidence(CPUINFO, "flags: no hypervisor"), layers[-1].evidence[0]),
            )
        )
    return layers, contradictions


def _presented(groups: Groups) -> dict[str, tuple[str, ...]]:
    """Take away the claims of hypervisors whose interface another one shows, and tell which did."""
    shown: dict[str, tuple[str, ...]] = {}
    for real, look in rules.PRESENTS:
        if real not in groups or look not in groups or ((real, look) == (KVM, XEN) and not _both_in_cpuid(groups)):
            continue
        # Firmware names the maker, not an interface: that is another layer or a contradiction.
        if look == HYPERV and any(claim.teller == "firmware" for claim in groups[look]):
            continue
        groups[real] += groups.pop(look)
        shown[real] = (*shown.get(real, ()), look)
    return shown


def _shown_by_kvm(groups: Groups, domain: xen.Domain) -> bool:
    """Tell whether what looks like Xen is KVM, which shows Xen's interface to guests that ask for it.

    The CPU tells that best (`_presented`), if it can be asked. Else firmware does: Xen gives its HVM guests its own,
    and others none. QEMU's, or that of a cloud on KVM, is KVM's then, for QEMU without it (TCG) shows no Xen's.
    """
    if domain.role == "dom0" or domain.mode not in ("HVM", "PVH") or TCG in groups:
        return False
    if any(claim.teller in ("cpuid", "firmware") for claim in groups[XEN]):
        return False
    return any(claim.teller == "firmware" for who in (QEMU, KVM) for claim in groups.get(who, ()))


def _both_in_cpuid(groups: Groups) -> bool:
    teller: Teller = "cpuid"
    return all(any(claim.teller == teller for claim in groups[who]) for who in (KVM, XEN))


def _layer(who: str, signs: list[Claim]) -> Layer:
    about = HYPERVISORS[who]
    product = next((claim.product for claim in signs if claim.product), None)
    return Layer(who, about.kind, tuple(_evidence(signs)), about.note, product)


def _evidence(signs: list[Claim]) -> list[Evidence]:
    return list(dict.fromkeys(claim.evidence for claim in signs))
