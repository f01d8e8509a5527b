"""One model of what runs on a host, whichever toolstack tells it, and the rates between two samples of it.

A value that a toolstack, a driver or a domain's state does not give is None, never 0.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

#: A domain is running when a vCPU of it is; runnable: none runs, but one would; blocked: all wait for events. libvirt
#: calls it running in all three cases.
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
VcpuState = Literal["running", "runnable", "blocked", "offline", "unknown"]


@dataclass(frozen=True)
class Vcpu:
    """A virtual CPU.

    :param pcpu: the physical CPU that it is on or was on last
    :param hard_affinity: the physical CPUs that it may run on: ``all`` or ranges such as ``0-1,3``
    :param soft_affinity: those that it prefers
    """

    vcpu: int
    state: VcpuState
    pcpu: int | None = None
    cpu_seconds: float | None = None
    hard_affinity: str | None = None
    soft_affinity: str | None = None


@dataclass(frozen=True)
class Block:
    """A virtual disk's counters since it was attached.

    :param device: as the guest names it: xvda
    :param out_of_requests: how often the backend had no request left for the guest's
    """

    device: str
    reads: int | None = None
    read_bytes: int | None = None
    writes: int | None = None
    written_bytes: int | None = None
    flushes: int | None = None
    out_of_requests: int | None = None


@dataclass(frozen=True)
class Net:
    """A virtual network interface's counters as the guest sees them: what it received and what it sent."""

    device: str
    received_bytes: int | None = None
    received_packets: int | None = None
    received_errors: int | None = None
    received_dropped: int | None = None
    sent_bytes: int | None = None
    sent_packets: int | None = None
    sent_errors: int | None = None
    sent_dropped: int | None = None


@dataclass(frozen=True)
class Domain:
    """A domain, or what a libvirt driver has for one: a virtual machine, a container.

    :param domid: None while it is off
    :param name: None while it is being made or is dying
    :param type: pv, pvh, hvm; another driver's own word; None for one that the toolstack did not make
    :param vcpus: online
    :param max_memory_bytes: None also where there is no limit
    :param cpu_seconds: of all vCPUs, since it was started
    """

    domid: int | None
    name: str | None
    state: State
    uuid: str | None = None
    type: str | None = None
    vcpus: int | None = None
    max_vcpus: int | None = None
    memory_bytes: int | None = None
    max_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    each_vcpu: tuple[Vcpu, ...] = ()
    blocks: tuple[Block, ...] = ()
    nets: tuple[Net, ...] = ()


@dataclass(frozen=True)
class Machine:
    """A host and its hypervisor.

    :param hypervisor: Xen, QEMU, LXC, ...
    :param kernel: of dom0
    :param free_bytes: what could still be given to domains
    :param hz: clock rate of a physical CPU
    :param guests: kinds of guests by their ABI: ``xen-3.0-x86_64``, ``hvm x86_64``
    :param virtualization: what Xen has for guests: pv, hvm, hap (nested paging), gnttab-v2, ...
    :param build: how this Xen was made: changeset, compiler, date; keys as ``xl info`` has them
    """

    name: str
    hypervisor: str
    version: str
    kernel: str | None = None
    machine: str | None = None
    pcpus: int | None = None
    nodes: int | None = None
    cores_per_socket: int | None = None
    threads_per_core: int | None = None
    hz: float | None = None
    memory_bytes: int | None = None
    free_bytes: int | None = None
    scheduler: str | None = None
    guests: tuple[str, ...] = ()
    virtualization: tuple[str, ...] = ()
    command_line: str | None = None
    build: dict[str, str] | None = None


@dataclass(frozen=True)
class Sample:
    """All domains at one time.

    :param seconds: by a clock of the host, or of this machine, that only goes forward
    :param hypercalls: of domains by domid, since a trace that runs meanwhile began; None where none does
    :param lost_records: of that trace
    """

    seconds: float
    domains: tuple[Domain, ...]
    hypercalls: Mapping[int, int] | None = None
    lost_records: int | None = None


@dataclass(frozen=True)
class VcpuRates:
    """What a vCPU did between two samples; its state and place are of the second."""

    vcpu: int
    state: VcpuState
    pcpu: int | None
    cpu_percent: float | None


@dataclass(frozen=True)
class BlockRates:
    """What a disk did between two samples."""

    device: str
    reads_per_s: float | None
    read_bytes_per_s: float | None
    writes_per_s: float | None
    written_bytes_per_s: float | None


@dataclass(frozen=True)
class NetRates:
    """What a network interface did between two samples, as the guest sees it."""

    device: str
    received_bytes_per_s: float | None
    received_packets_per_s: float | None
    sent_bytes_per_s: float | None
    sent_packets_per_s: float | None


@dataclass(frozen=True)
class Rates:
    """What a domain did between two samples; None where a counter is missing, began anew, or was not there before.

    :param cpu_percent: of one physical CPU: two busy vCPUs make 200
    :param each_vcpu: empty where the toolstack tells of none without being asked for longer
    """

    domid: int | None
    name: str | None
    state: State
    vcpus: int | None
    memory_bytes: int | None
    cpu_seconds: float | None
    cpu_percent: float | None
    reads_per_s: float | None
    read_bytes_per_s: float | None
    writes_per_s: float | None
    written_bytes_per_s: float | None
    received_bytes_per_s: float | None
    received_packets_per_s: float | None
    sent_bytes_per_s: float | None
    sent_packets_per_s: float | None
    hypercalls_per_s: float | None = None
    each_vcpu: tuple[VcpuRates, ...] = ()
    blocks: tuple[BlockRates, ...] = ()
    nets: tuple[NetRates, ...] = ()


@dataclass(frozen=True)
class Frame:
    """The rates of each domain that runs, over so many seconds.

    :param lost_records: meanwhile, where a trace runs: there were more hypercalls then; None where none does
    """

    span_s: float
    domains: tuple[Rates, ...]
    lost_records: int | None = None


def rates(before: Sample, now: Sample) -> Frame:
    """Give the rates between two samples."""
    span = now.seconds - before.seconds
    # A domid alone is not enough: it is given anew in time.
    older = {(domain.domid, domain.name): domain for domain in before.domains}
    running = (domain for domain in now.domains if domain.domid is not None)
    domains = tuple(_rates(older.get((domain.domid, domain.name)), domain, span) for domain in running)
    if before.hypercalls is None or now.hypercalls is None or span <= 0:
        return Frame(span, domains)
    called = Counter(now.hypercalls)
    called.subtract(before.hypercalls)
    domains = tuple(replace(each, hypercalls_per_s=called[each.domid or 0] / span) for each in domains)
    return Frame(span, domains, (now.lost_records or 0) - (before.lost_records or 0))


def _rates(before: Domain | None, now: Domain, span: float) -> Rates:
    cpu = None if before is None else _grown(before.cpu_seconds, now.cpu_seconds)

    def of(devices: str, counter: str, only: Block | Net | None = None) -> float | None:
        if before is None:
            return None
        counted = _devices(now, devices) if only is None else {only.device: only}
        grown = _sum(_devices(before, devices), counted, counter)
        return None if grown is None or span <= 0 else grown / span

    return Rates(
        domid=now.domid,
        name=now.name,
        state=now.state,
        vcpus=now.vcpus,
        memory_bytes=now.memory_bytes,
        cpu_seconds=now.cpu_seconds,
        cpu_percent=None if cpu is None or span <= 0 else 100 * cpu / span,
        reads_per_s=of("blocks", "reads"),
        read_bytes_per_s=of("blocks", "read_bytes"),
        writes_per_s=of("blocks", "writes"),
        written_bytes_per_s=of("blocks", "written_bytes"),
        received_bytes_per_s=of("nets", "received_bytes"),
        received_packets_per_s=of("nets", "received_packets"),
        sent_bytes_per_s=of("nets", "sent_bytes"),
        sent_packets_per_s=of("nets", "sent_packets"),
        each_vcpu=_each_vcpu(before, now, span),
        blocks=tuple(BlockRates(one.device, *(of("blocks", each, one) for each in _BLOCK)) for one in now.blocks),
        nets=tuple(NetRates(one.device, *(of("nets", each, one) for each in _NET)) for one in now.nets),
    )


#: In the order of the fields of their rates.
_BLOCK = ("reads", "read_bytes", "writes", "written_bytes")
_NET = ("received_bytes", "received_packets", "sent_bytes", "sent_packets")


def _each_vcpu(before: Domain | None, now: Domain, span: float) -> tuple[VcpuRates, ...]:
    older = {} if before is None else {vcpu.vcpu: vcpu.cpu_seconds for vcpu in before.each_vcpu}
    found = []
    for vcpu in now.each_vcpu:
        spent = _grown(older.get(vcpu.vcpu), vcpu.cpu_seconds)
        percent = None if spent is None or span <= 0 else 100 * spent / span
        found.append(VcpuRates(vcpu.vcpu, vcpu.state, vcpu.pcpu, percent))
    return tuple(found)


def _devices(domain: Domain, kind: str) -> dict[str, Block | Net]:
    devices: Iterable[Block | Net] = getattr(domain, kind)
    return {device.device: device for device in devices}


def _sum(before: dict[str, Block | Net], now: dict[str, Block | Net], counter: str) -> float | None:
    # A sum that lacks a device would be too small and look right; one that was attached meanwhile counts from 0.
    grown = [
        _grown(getattr(before[name], counter) if name in before else 0, getattr(device, counter))
        for name, device in now.items()
    ]
    known = [each for each in grown if each is not None]
    return sum(known) if known and len(known) == len(grown) else None


def _grown(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None or now < before else now - before
