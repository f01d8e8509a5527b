"""The stats model from libvirt, whichever of its drivers it is: xen, qemu, lxc, test, ...

Ref: https://libvirt.org/html/libvirt-libvirt-domain.html; src/libxl/libxl_driver.c for what Xen's driver means
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from xml.etree import ElementTree

from xentool import extras
from xentool.errors import Unavailable, XentoolError
from xentool.tools.domains.stats import Block, Domain, Machine, Net, Sample, State, Vcpu, VcpuState
from xentool.tools.store.nodes import Unlisted

Result = TypeVar("Result")

# virDomainState and virVcpuState, by number. "Running" is all that is neither paused nor ending: on Xen a domain whose
# vCPUs wait, too.
_STATES: tuple[State, ...] = (
    "unknown",
    "running",
    "blocked",
    "paused",
    "dying",
    "off",
    "crashed",
    "suspended",
)
_VCPU_STATES: tuple[VcpuState, ...] = ("offline", "running", "blocked")
#: What libvirt calls a guest's ABI on Xen.
_XEN_TYPES = {"xen": "pv", "linux": "pv", "xenpvh": "pvh", "hvm": "hvm"}
#: dom0's end of a guest's interface, which Xen's driver calls it by.
_XEN_VIF = re.compile(r"vif\d+\.(\d+)")
#: Our counters of disks by libvirt's names.
_BLOCK = {
    "reads": "rd_operations",
    "read_bytes": "rd_bytes",
    "writes": "wr_operations",
    "written_bytes": "wr_bytes",
    "flushes": "flush_operations",
}
#: Xen's driver gives as errors what is none.
_XEN_BLOCK = {**_BLOCK, "out_of_requests": "errs"}


class LibvirtToolstack:
    """What a libvirt driver says, by a connection that can only read.

    :param uri: ``xen:///system``, ``qemu:///system``, ``lxc:///``, ``test:///default``, ...
    :raises Unavailable: libvirt's Python binding is not there, or the driver is not to be reached
    """

    def __init__(self, uri: str) -> None:
        try:
            import libvirt  # noqa: PLC0415 - an extra; nobody else needs it
        except ImportError:
            raise Unavailable(extras.missing("libvirt", "a connection by libvirt")) from None
        self.name = uri
        self.unlisted: list[Unlisted] = []  # libvirt hides XenStore
        self._error: type[Exception] = libvirt.libvirtError
        libvirt.registerErrorHandler(lambda _context, _error: None, None)  # it would print what is raised anyway
        try:
            self._connection: Any = libvirt.openReadOnly(uri)
        except libvirt.libvirtError as error:
            raise Unavailable(f"cannot connect to libvirt at {uri}: {error}") from error

    def sample(self, *, details: bool = True) -> Sample:
        """Return all domains, those that are off too, by rising domid and then by name.

        :param details: also each vCPU
        :raises XentoolError: libvirt failed
        """
        domains = [self._domain(domain, details) for domain in self._ask(self._connection.listAllDomains)]
        there = [domain for domain in domains if domain is not None]
        there.sort(key=lambda domain: (domain.domid is None, domain.domid, domain.name))
        return Sample(time.monotonic(), tuple(there))

    def devices(self, domid: int) -> None:  # noqa: ARG002 - part of the seam
        """Return nothing: libvirt does not reach into XenStore."""
        return

    def functions(self, domid: int) -> None:  # noqa: ARG002 - part of the seam
        """Return nothing: what xl hands out is asked of xl, and sysfs is dom0's."""
        return

    def machine(self) -> Machine:
        """Return what libvirt says about the machine.

        :raises XentoolError: libvirt failed
        """
        connection = self._connection
        arch, memory_mib, cpus, mhz, nodes, _sockets, cores, threads = self._ask(connection.getInfo)
        hypervisor = self._ask(connection.getType)
        capabilities = self._maybe(connection.getCapabilities)
        return Machine(
            name=self._ask(connection.getHostname),
            hypervisor=hypervisor,
            version=_version(self._maybe(connection.getVersion), hypervisor),
            machine=arch,
            pcpus=cpus,
            nodes=nodes,
            cores_per_socket=cores,
            threads_per_core=threads,
            hz=mhz * 1e6 or None,
            memory_bytes=memory_mib << 20,
            free_bytes=self._maybe(connection.getFreeMemory),
            guests=_guests(capabilities) if capabilities else (),
        )

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _ask(self, call: Callable[..., Result], *arguments: object) -> Result:
        try:
            return call(*arguments)
        except self._error as error:
            raise XentoolError(f"libvirt at {self.name} failed: {error}") from error

    def _maybe(self, call: Callable[..., Result], *arguments: object) -> Result | None:
        # A driver may lack a counter, or a domain in its state. A lost connection is told of by the next `_ask`.
        try:
            return call(*arguments)
        except self._error:
            return None

    def _domain(self, domain: Any, details: bool) -> Domain | None:  # noqa: ANN401 - libvirt has no types
        info, xml = self._maybe(domain.info), self._maybe(domain.XMLDesc)
        if info is None or xml is None:
            return None  # it has gone since it was listed
        state, max_kib, kib, vcpus, cpu_ns = info
        on = domain.ID() >= 0
        described = ElementTree.fromstring(xml)  # noqa: S314 - made by libvirt
        on_xen = described.get("type") == "xen"
        return Domain(
            domid=domain.ID() if on else None,
            name=domain.name(),
            state=_STATES[state] if state < len(_STATES) else "unknown",
            uuid=domain.UUIDString(),
            type=_type(described),
            vcpus=vcpus,
            max_vcpus=self._maybe(domain.maxVcpus) if on else None,
            memory_bytes=kib << 10 if on else None,
            max_memory_bytes=max_kib << 10,
            cpu_seconds=cpu_ns / 1e9 if on else None,
            each_vcpu=self._vcpus(domain, on_xen) if on and details else (),
            blocks=tuple(self._block(domain, name, on_xen) for name in _targets(described, "disk")),
            nets=tuple(
                _net(_xen_vif(name) if on_xen else name, self._maybe(domain.interfaceStats, name))
                for name in _targets(described, "interface")
            ),
        )

    def _vcpus(self, domain: Any, on_xen: bool) -> tuple[Vcpu, ...]:  # noqa: ANN401 - libvirt has no types
        told = self._maybe(domain.vcpus)
        if told is None and on_xen:
            # libvirt's binding first asks how many CPUs the host has, in a way that Xen's driver does not know. What
            # that driver gives as times by pCPU are those of the vCPUs.
            each = self._maybe(domain.getCPUStats, False) or ()
            return tuple(Vcpu(number, "unknown", cpu_seconds=one["cpu_time"] / 1e9) for number, one in enumerate(each))
        return _vcpus(told)

    def _block(self, domain: Any, name: str, on_xen: bool) -> Block:  # noqa: ANN401 - libvirt has no types
        typed = self._maybe(domain.blockStatsFlags, name)
        if typed is None:
            return _block(name, self._maybe(domain.blockStats, name))
        return _typed_block(name, typed, _XEN_BLOCK if on_xen else _BLOCK)


def _version(number: int | None, hypervisor: str) -> str:
    if number is None:
        return "unknown"
    major, minor, release = number // 1_000_000, number // 1000 % 1000, number % 1000
    # Xen's driver does not tell the third, which Xen's own tools do.
    return f"{major}.{minor}" if hypervisor == "Xen" else f"{major}.{minor}.{release}"


def _type(described: ElementTree.Element) -> str | None:
    kind = described.get("type")
    return _XEN_TYPES.get(described.findtext("os/type", "")) if kind == "xen" else kind


def _targets(described: ElementTree.Element, kind: str) -> list[str]:
    return [name for target in described.iterfind(f"devices/{kind}/target") if (name := target.get("dev"))]


def _vcpus(told: Any) -> tuple[Vcpu, ...]:  # noqa: ANN401 - libvirt has no types
    if told is None:
        return ()
    return tuple(
        Vcpu(
            vcpu=number,
            state=_VCPU_STATES[state] if 0 <= state < len(_VCPU_STATES) else "unknown",
            pcpu=pcpu if pcpu >= 0 else None,
            cpu_seconds=ns / 1e9,
            hard_affinity=_ranges(pcpus),
        )
        for (number, state, ns, pcpu), pcpus in zip(*told, strict=True)
    )


def _ranges(allowed: Sequence[bool]) -> str:
    """Write a set of CPUs as xl does: all, or 0-1,3."""
    if all(allowed):
        return "all"
    ranges: list[list[int]] = []
    for cpu in (cpu for cpu, yes in enumerate(allowed) if yes):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _block(name: str, counters: Sequence[int] | None) -> Block:
    # reads, bytes read, writes, bytes written, errors; -1 is what the driver lacks.
    return Block(name, *map(_known, counters[:4])) if counters else Block(name)


def _typed_block(name: str, counters: Mapping[str, int], names: Mapping[str, str]) -> Block:
    return Block(name, **{ours: _known(counters.get(theirs, -1)) for ours, theirs in names.items()})


def _xen_vif(name: str) -> str:
    """Call an interface as xl does: vif0."""
    named = _XEN_VIF.fullmatch(name)
    return f"vif{named[1]}" if named else name


def _net(name: str, counters: Sequence[int] | None) -> Net:
    # received bytes, packets, errors, dropped, and the same sent; from the guest's side
    return Net(name, *map(_known, counters)) if counters else Net(name)


def _known(counter: int) -> int | None:
    return counter if counter >= 0 else None


def _guests(capabilities: str) -> tuple[str, ...]:
    described = ElementTree.fromstring(capabilities)  # noqa: S314 - made by libvirt
    kinds = (
        f"{guest.findtext('os_type')} {arch.get('name')}"
        for guest in described.iterfind("guest")
        for arch in guest.iterfind("arch")
    )
    return tuple(dict.fromkeys(kinds))
