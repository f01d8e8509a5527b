"""The tracks of a Perfetto trace: one for each pCPU, and under each domain one for each vCPU."""

from collections.abc import Iterator

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackDescriptor

from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.report import DomainReport, Report, VcpuReport

_EXPLICIT = TrackDescriptor.EXPLICIT


class Tracks:
    """Numbers the tracks (uuids) of what a report knows; the idle domain has none, its time is a pCPU's gap.

    pcpus     by number
    vcpus     by (domid, vcpu): run states, and what the vCPU did
    exits     by (domid, vcpu): VM exits, for those that have any
    """

    def __init__(self, report: Report) -> None:
        self._names = report.names
        self._descriptors: list[TrackDescriptor] = []
        self.pcpus: dict[int, int] = {}
        self.vcpus: dict[tuple[int, int], int] = {}
        self.exits: dict[tuple[int, int], int] = {}
        root = self._add("pCPUs", description="Which vCPU each pCPU runs; gaps are idle.")
        for pcpu in sorted(report.where.pcpus & {*report.account.pcpus}) or report.account.pcpus:
            self.pcpus[pcpu] = self._add(f"pCPU {pcpu}", root, rank=pcpu)
        for domain in report.domains:
            if domain.domid not in (IDLE_DOMID, UNKNOWN_DOMID):
                self._add_domain(domain)

    def described(self) -> bytes:
        """Give the packets that declare the tracks, parents first."""
        return b"".join(self._packets())

    def running(self, domid: int, vcpu: int) -> str:
        """Name a vCPU as its pCPU's track shows it."""
        name = self._names.get(domid)
        return f"{name} v{vcpu}" if name else f"d{domid}v{vcpu}"

    def _packets(self) -> Iterator[bytes]:
        for descriptor in self._descriptors:
            trace = Trace()
            trace.packet.add(track_descriptor=descriptor, trusted_packet_sequence_id=1)
            yield trace.SerializeToString()

    def _add_domain(self, domain: DomainReport) -> None:
        name = f"{domain.name} (d{domain.domid})" if domain.name else f"d{domain.domid}"
        parent = self._add(name, description=f"Domain {domain.domid}, {domain.mode}")
        for vcpu in domain.vcpus:
            self._add_vcpu(domain.domid, vcpu, parent)

    def _add_vcpu(self, domid: int, vcpu: VcpuReport, parent: int) -> None:
        name = self.running(domid, vcpu.vcpu)
        self.vcpus[domid, vcpu.vcpu] = track = self._add(name, parent, rank=vcpu.vcpu)
        if vcpu.exits:
            self.exits[domid, vcpu.vcpu] = self._add(f"{name} VM exits", track)

    def _add(self, name: str, parent: int = 0, *, rank: int = 0, description: str = "") -> int:
        uuid = len(self._descriptors) + 1
        descriptor = TrackDescriptor(uuid=uuid, name=name, sibling_order_rank=rank, child_ordering=_EXPLICIT)
        if parent:
            descriptor.parent_uuid = parent
        if description:
            descriptor.description = description
        self._descriptors.append(descriptor)
        return uuid
