"""What runs on a host. A value that nobody tells is null, never 0."""

from typing import Literal, TypedDict

State = Literal[
    "running",
    "runnable",
    "blocked",
    "paused",
    "suspended",
    "shutdown",
    "rebooting",
    "crashed",
    "dying",
    "off",
    "unknown",
]


class Host(TypedDict):
    """``xentool info --json``: a host and its hypervisor."""

    schema: Literal["xentool.host/1"]
    name: str
    hypervisor: str  # Xen, QEMU, LXC, ...
    version: str
    kernel: str | None  # of dom0
    machine: str | None
    pcpus: int | None
    nodes: int | None  # of NUMA
    cores_per_socket: int | None
    threads_per_core: int | None
    hz: float | None
    memory_bytes: int | None
    free_bytes: int | None  # what could still be given to domains
    scheduler: str | None
    guests: list[str]  # kinds of guests by their ABI
    virtualization: list[str]  # what Xen has for guests: pv, hvm, hap, gnttab-v2, ...
    command_line: str | None
    build: dict[str, str] | None  # keys as `xl info` has them


class Domains(TypedDict):
    """``xentool list --json``."""

    schema: Literal["xentool.domains/1"]
    domains: "list[Domain]"


class OneDomain(TypedDict):
    """``xentool show --json``."""

    schema: Literal["xentool.domain/1"]
    domain: "Domain"
    devices: "list[Device] | None"  # null by way of libvirt, which has no ends of devices
    pci: "list[PciFunction] | None"  # of dom0 those that no guest has; null likewise


class Domain(TypedDict):
    """A domain, or what a libvirt driver has for one."""

    domid: int | None  # null while it is off
    name: str | None
    state: State
    uuid: str | None
    type: str | None  # pv, pvh, hvm; another driver's own word
    vcpus: int | None  # online
    max_vcpus: int | None
    memory_bytes: int | None
    max_memory_bytes: int | None  # null also where there is no limit
    cpu_seconds: float | None  # of all vCPUs, since it was started
    each_vcpu: "list[Vcpu]"
    blocks: "list[Block]"
    nets: "list[Net]"


class Vcpu(TypedDict):
    """A virtual CPU."""

    vcpu: int
    state: Literal["running", "runnable", "blocked", "offline", "unknown"]
    pcpu: int | None  # where it is, or was last
    cpu_seconds: float | None
    hard_affinity: str | None  # all, or ranges such as 0-1,3
    soft_affinity: str | None


class Block(TypedDict):
    """A virtual disk's counters since it was attached."""

    device: str  # as the guest names it
    reads: int | None
    read_bytes: int | None
    writes: int | None
    written_bytes: int | None
    flushes: int | None
    out_of_requests: int | None  # how often the backend had no request left


class Net(TypedDict):
    """A network interface's counters as the guest sees them."""

    device: str
    received_bytes: int | None
    received_packets: int | None
    received_errors: int | None
    received_dropped: int | None
    sent_bytes: int | None
    sent_packets: int | None
    sent_errors: int | None
    sent_dropped: int | None


class Top(TypedDict):
    """A line of ``xentool top --json``."""

    schema: Literal["xentool.top/1"]
    time: float  # since the epoch
    span_s: float
    domains: "list[Rates]"
    lost_records: int | None  # of the trace, with -x


class Rates(TypedDict):
    """What a domain did meanwhile."""

    domid: int | None
    name: str | None
    state: State
    vcpus: int | None
    memory_bytes: int | None
    cpu_seconds: float | None
    cpu_percent: float | None  # of one physical CPU: two busy vCPUs make 200
    reads_per_s: float | None
    read_bytes_per_s: float | None
    writes_per_s: float | None
    written_bytes_per_s: float | None
    received_bytes_per_s: float | None
    received_packets_per_s: float | None
    sent_bytes_per_s: float | None
    sent_packets_per_s: float | None
    hypercalls_per_s: float | None  # with -x
    each_vcpu: "list[VcpuRates]"  # empty by way of libvirt
    blocks: "list[BlockRates]"
    nets: "list[NetRates]"


class VcpuRates(TypedDict):
    """What a vCPU did meanwhile."""

    vcpu: int
    state: Literal["running", "runnable", "blocked", "offline", "unknown"]
    pcpu: int | None
    cpu_percent: float | None


class BlockRates(TypedDict):
    """What a disk did meanwhile."""

    device: str
    reads_per_s: float | None
    read_bytes_per_s: float | None
    writes_per_s: float | None
    written_bytes_per_s: float | None


class NetRates(TypedDict):
    """What a network interface did meanwhile, as the guest sees it."""

    device: str
    received_bytes_per_s: float | None
    received_packets_per_s: float | None
    sent_bytes_per_s: float | None
    sent_packets_per_s: float | None


class Devices(TypedDict):
    """``xentool device list --json``."""

    schema: Literal["xentool.devices/1"]
    devices: "list[Device]"
    stale: list[str]  # uppermost nodes of domains that are gone
    unlisted: list[str]  # what of the store could not be read
    pci: "list[PciFunction]"  # that a guest has or could have


class PciFunction(TypedDict):
    """A PCI function that a guest has, that is held for one, or that belongs to a card cut up by SR-IOV."""

    address: str  # domain:bus:device.function
    ids: str | None  # vendor and device
    kind: str | None  # by its class: network, storage, display, ...
    driver: str | None  # that has it in dom0
    group: int | None  # of the IOMMU's; null under Xen, which keeps the IOMMU to itself
    group_with: list[str]  # who else is in it: groups are given away whole
    physical: str | None  # whose virtual function it is
    functions: int  # virtual ones that it has now
    functions_max: int
    interfaces: list[str]  # of dom0's network
    assignable: bool  # whether xl may hand it to a guest
    domid: int | None  # whose it is
    slot: str | None  # where it is there


class Device(TypedDict):
    """A PV device with both its ends."""

    domid: int  # of the frontend
    kind: str  # vbd, vif, console, vkbd, ...
    devid: int
    name: str  # as the guest calls it, where that is known
    front: "End | None"
    back: "End | None"
    queues: "list[Queue]"
    details: dict[str, str]
    unreadable: dict[str, str]  # nodes that should hold a number and don't
    problems: list[str]  # what looks wrong


class End(TypedDict):
    """One end of a device."""

    domid: int
    path: str
    state: str | None  # Initialising, InitWait, Initialised, Connected, Closing, Closed, ...
    state_text: str | None  # what the node holds
    features: dict[str, str]  # what it offers or asks for, by node
    error: str | None  # what its driver complained of
    nodes: dict[str, str]


class Queue(TypedDict):
    """What a frontend shares for one queue."""

    queue: int | None
    rings: dict[str, list[int]]  # grant references by node
    ports: dict[str, int]
