"""Which techniques can be compared, and by which work. Tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xentool.lab.hypervisors import KVM, XEN, Hypervisor
from xentool.lab.hypervisors import LEFT_OUT as TYPES_LEFT_OUT


@dataclass(frozen=True)
class Technique:
    """A way to run a guest.

    :param type: of a lab's guest
    :param mode: as a trace calls it
    :param backend: what serves its devices, in words
    :param served: under Xen, who serves its disk: of ``BACKENDS``
    """

    name: str
    meaning: str
    under: Hypervisor
    type: str
    mode: str
    backend: str
    served: str = "kernel"


@dataclass(frozen=True)
class Work:
    """What a guest does: how many requests a phase has, and what one is."""

    name: str
    requests: int
    meaning: str


TECHNIQUES = {
    each.name: each
    for each in (
        Technique("xen-pv", "Xen, direct paging, PV devices", XEN, "pv", "pv", "blkback, netback"),
        Technique("xen-pvh", "Xen, nested paging, PV devices", XEN, "pvh", "pvh", "blkback, netback"),
        Technique("kvm-virtio", "KVM, nested paging, virtio", KVM, "virtio", "kvm", "QEMU's disk, vhost-net"),
        Technique("kvm-emulated", "KVM, nested paging, IDE and e1000", KVM, "emulated", "kvm", "QEMU"),
        Technique("kvm-shadow", "KVM, shadow paging, virtio", KVM, "shadow", "kvm", "QEMU's disk, vhost-net"),
    )
}
#: What can serve a disk under Xen, and the vif beside it: a technique's name gets the ending.
BACKENDS = {
    "kernel": ("", "blkback, netback"),
    "qemu": ("-qemu", "QEMU's qdisk, netback"),
    "ours": ("-ours", "xentool block serve, netback"),
}
#: What is not tried, and why.
LEFT_OUT = {"xen-hvm": TYPES_LEFT_OUT["hvm"]}
WORKS = {
    each.name: each
    for each in (
        Work("disk-read", 100, "4 KiB read from the disk past the page cache, one request at a time"),
        Work("disk-write", 100, "4 KiB written to the disk past the page cache, one request at a time"),
        Work("net", 50, "a 1400-byte ping to the host and its answer"),
        Work("fork", 20, "a process made, that runs a static program and ends"),
        Work("timer", 50, "a wait of 20 ms"),
        Work("idle", 2, "a second of nothing"),
    )
}


def columns(names: Sequence[str], backends: Sequence[str]) -> Iterator[Technique]:
    """Give the techniques of some names; of Xen one for each backend that can serve the disk."""
    for name in names:
        technique = TECHNIQUES.get(name)
        if technique is not None:
            for served in backends if technique.under is XEN else backends[:1]:
                ending, words = BACKENDS[served]
                yield replace(
                    technique,
                    name=f"{name}{ending}" if technique.under is XEN else name,
                    backend=words if technique.under is XEN else technique.backend,
                    served=served,
                )
