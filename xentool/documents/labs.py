"""Labs and their guests."""

from typing import Literal, TypedDict


class Labs(TypedDict):
    """``xentool lab status --json``."""

    schema: Literal["xentool.labs/1"]
    labs: "list[Lab]"


class Lab(TypedDict):
    """A lab that was started and not ended."""

    name: str
    xen: str  # the version of Xen in its image, which a lab of KVM does not boot
    image: str
    accel: str
    memory_mib: int
    vcpus: int
    ssh_port: int
    ssh_key: str
    known_hosts: str
    qemu_pid: int
    started: float  # since the epoch
    state: str
    hypervisor: str  # xen or kvm
    restored: bool  # from a snapshot of a lab like it; false for one that has booted itself
    reason: str | None  # why it is not up


class Guests(TypedDict):
    """``xentool lab guest list --json``."""

    schema: Literal["xentool.guests/1"]
    guests: "list[Guest]"


class Guest(TypedDict):
    """A guest that runs."""

    name: str
    domid: int  # under KVM QEMU's process
    type: str | None
    vcpus: int
    workload: str | None  # null for a domain that somebody else started
