"""From facts to containers: which managers' signs are there, and whether the kernel agrees. Pure."""

import re
from dataclasses import replace

from xentool.detect import rules
from xentool.detect.claims import OSRELEASE
from xentool.detect.model import Contradiction, Evidence, Layer
from xentool.detect.sources import Facts, shown

ENVIRON = "/proc/1/environ"
CGROUP = "/proc/self/cgroup"
_INTERFACE = ("/run/host/container-manager", "/run/systemd/container")
#: Any image may bring this file along.
_LEFT_BEHIND = ("/.dockerenv", "/run/.containerenv")


def containers(facts: Facts) -> tuple[list[Layer], list[Contradiction]]:
    """Find the containers around this process, outermost first."""
    named = _managers(facts)
    # Where a manager's sign names the kernel's own container too, it is no second one.
    layers = [replace(each, evidence=(*each.evidence, *named.pop(each.name, ()))) for each in _kernels(facts)]
    contradictions = []
    doubt = _initial_namespaces(facts)
    for name, signs in named.items():
        left_behind = doubt if all(sign.source in _LEFT_BEHIND for sign in signs) else []
        layers.append(Layer(name, "container", tuple(signs), contested=bool(left_behind) or len(named) > 1))
        if left_behind:
            text = f"a file says {name}, but the namespaces are the kernel's first: perhaps a machine made of an image"
            contradictions.append(Contradiction(text, (*signs, *left_behind)))
    if len(named) > 1:
        text = f"signs of {' and '.join(named)}: which is inside of which, or out of date, they do not tell"
        contradictions.append(Contradiction(text, tuple(sign for signs in named.values() for sign in signs)))
    if not layers and (own := own_namespaces(facts)) and any(sign.source.endswith("/pid") for sign in own):
        layers.append(Layer("unknown container", "container", tuple(own), "processes are counted in a namespace"))
    return layers, contradictions


def own_namespaces(facts: Facts) -> list[Evidence]:
    """Tell which namespaces this process is in that are not the kernel's first."""
    initial = rules.INITIAL_NAMESPACES
    return [_namespace(kind, inode) for kind, inode in facts.namespaces.items() if inode != initial[kind]]


def _initial_namespaces(facts: Facts) -> list[Evidence]:
    """Collect the evidence that this is no container; nothing when any namespace is another, or can't be read."""
    if len(facts.namespaces) < len(rules.INITIAL_NAMESPACES) or own_namespaces(facts):
        return []
    return [_namespace(kind, inode) for kind, inode in facts.namespaces.items()]


def _namespace(kind: str, inode: int) -> Evidence:
    return Evidence(f"/proc/self/ns/{kind}", f"{kind}:[{inode}]")


def _kernels(facts: Facts) -> list[Layer]:
    """Find containers that are a property of the kernel, and so outside of any manager's."""
    layers = []
    if "/proc/vz" in facts.marks and "/proc/bc" not in facts.marks:
        signs = (Evidence("/proc/vz", "exists"), Evidence("/proc/bc", "does not exist"))
        layers.append(Layer("OpenVZ", "container", signs))
    release = facts.text(OSRELEASE)
    if "WSL2" in release or "microsoft-standard" in release:
        layers.append(Layer("WSL 2", "container", (facts.evidence(OSRELEASE),), "a distribution in WSL's one VM"))
    elif "Microsoft" in release or "WSL" in release:
        note = "no hypervisor and no Linux kernel: Windows itself answers the system calls"
        layers.append(Layer("WSL 1", "container", (facts.evidence(OSRELEASE),), note))
    return layers


def _managers(facts: Facts) -> dict[str, list[Evidence]]:
    named: dict[str, list[Evidence]] = {}
    for path in _INTERFACE:
        if word := shown(facts.text(path)):
            named.setdefault(rules.CONTAINERS.get(word, word), []).append(facts.evidence(path))
    for variable in facts.text(ENVIRON).split("\0"):
        if variable.startswith("container=") and (word := shown(variable.removeprefix("container="))):
            named.setdefault(rules.CONTAINERS.get(word, word), []).append(Evidence(ENVIRON, f"container={word}"))
    for pattern, name in rules.CONTAINER_CGROUPS.items():
        if line := next((each for each in facts.text(CGROUP).splitlines() if re.search(pattern, each)), None):
            named.setdefault(name, []).append(facts.evidence(CGROUP, line))
    for path, name in rules.CONTAINER_FILES.items():
        if path in facts.marks:
            named.setdefault(name, []).append(Evidence(path, "exists"))
    # oci is no manager, but what several of them say.
    if len(named) > 1 and (general := named.pop(rules.CONTAINERS["oci"], None)):
        next(iter(named.values())).extend(general)
    return named
