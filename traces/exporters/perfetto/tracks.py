"""The tracks of a Perfetto trace: one for each pCPU, and under each domain one for each vCPU, and its counters."""

from collections.abc import Iterator
from heapq import nlargest

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    BUILTIN_CLOCK_BOOTTIME,
    BUILTIN_CLOCK_REALTIME,
    Trace,
    TrackDescriptor,
)

from traces.account import UNKNOWN_DOMID
from traces.answers import DomainReport, Report, VcpuReport
from traces.counting.wallclock import Recorded
from traces.exporters.sources import words

_EXPLICIT = TrackDescriptor.EXPLICIT
#: Behind all vCPUs.
_COUNTERS_RANK = 1 << 20
#: Who maps whose pages is counted for so many pairs of domains, of those that do it most.
_PAIRS_MAX = 1 << 10


def _clocks(recorded: Recorded) -> bytes:
    # Packets count from the first record, by the clock that is Perfetto's default.
    trace = Trace()
    snapshot = trace.packet.add(trusted_packet_sequence_id=1).clock_snapshot
    snapshot.primary_trace_clock = BUILTIN_CLOCK_BOOTTIME
    snapshot.clocks.add(clock_id=BUILTIN_CLOCK_BOOTTIME, timestamp=0)
    snapshot.clocks.add(clock_id=BUILTIN_CLOCK_REALTIME, timestamp=recorded.ns)
    system = trace.packet.add(trusted_packet_sequence_id=1).system_info
    system.timezone_off_mins = recorded.utc_offset_s // 60
    made: bytes = trace.SerializeToString()
    return made


class Tracks:
    """Numbers the tracks (uuids) of what a report knows; the idle domain has none, its time is a pCPU's gap.

    pcpus     by number
    vcpus     by (domid, vcpu): run states, and what the vCPU did
    exits     by (domid, vcpu): VM exits, for those that have any
    stated    vCPUs (domid, vcpu) that have run states: none where -e leaves them out

    Of counters, which nothing is drawn of where only what was slow is wanted:

    waiting   how many vCPUs wait for a pCPU; None where that is not told
    rates     by domid: VM exits a second
    mapped    by (mapper, granter): pages that the one has mapped of the other's
    """

    def __init__(self, report: Report) -> None:
        self._names = report.names
        self._recorded = report.recorded
        self._descriptors: list[TrackDescriptor] = []
        self._running: dict[tuple[int, int], str] = {}  # of who was asked for: the report's vCPUs, by the million
        self.pcpus: dict[int, int] = {}
        self.vcpus: dict[tuple[int, int], int] = {}
        self.exits: dict[tuple[int, int], int] = {}
        self.stated = {(one.domid, v.vcpu) for one in report.domains for v in one.vcpus if v.runstates}
        self.waiting: int | None = None
        self.rates: dict[int, int] = {}
        self.mapped: dict[tuple[int, int], int] = {}
        root = self._add("pCPUs", description=f"Which vCPU each pCPU runs; gaps are {words(report).gaps}.")
        for pcpu in sorted(report.where.pcpus & {*report.account.pcpus}) or report.account.pcpus:
            self.pcpus[pcpu] = self._add(f"pCPU {pcpu}", root, rank=pcpu)
        parents = {domain.domid: self._add_domain(domain) for domain in report.told}
        if not report.where.slower:
            self._add_counters(report, parents)

    def described(self) -> bytes:
        """Give the packets that say when the trace begins and declare the tracks, parents first."""
        return b"".join(self._packets())

    def running(self, domid: int, vcpu: int) -> str:
        """Name a vCPU as its pCPU's track shows it."""
        found = self._running.get((domid, vcpu))
        if found is None:
            found = self._running[domid, vcpu] = self._named(domid, vcpu)
        return found

    def _named(self, domid: int, vcpu: int) -> str:
        if domid == UNKNOWN_DOMID:
            return f"pCPU {vcpu}"
        name = self._names.get(domid)
        return f"{name} v{vcpu}" if name else f"d{domid}v{vcpu}"

    def _packets(self) -> Iterator[bytes]:
        if self._recorded is not None:
            yield _clocks(self._recorded)
        for descriptor in self._descriptors:
            trace = Trace()
            trace.packet.add(track_descriptor=descriptor, trusted_packet_sequence_id=1)
            yield trace.SerializeToString()

    def _add_counters(self, report: Report, parents: dict[int, int]) -> None:
        # Who waits is on no pCPU.
        if self.stated and not report.where.pcpus:
            self.waiting = self._add("run queue", unit="vCPUs", description="vCPUs that wait for a pCPU")
        for domain in report.told:
            if any(vcpu.exits for vcpu in domain.vcpus):
                self.rates[domain.domid] = self._add("VM exits a second", parents[domain.domid], unit="1/s")
        told = (one for one in report.grants if one.mapper in parents)
        for pair in nlargest(_PAIRS_MAX, told, key=lambda one: one.maps + one.unmaps):
            self.mapped[pair.mapper, pair.granter] = self._add(
                f"pages mapped of d{pair.granter}",
                parents[pair.mapper],
                unit="pages",
                description="More than when the trace began: below zero, some that were mapped before were unmapped.",
            )

    def _add_domain(self, domain: DomainReport) -> int:
        name = f"{domain.name} (d{domain.domid})" if domain.name else f"d{domain.domid}"
        if domain.domid == UNKNOWN_DOMID:
            name = f"nobody says whose (d{domain.domid})"
        parent = self._add(name, description=f"Domain {domain.domid}, {domain.mode}")
        for vcpu in domain.vcpus:
            self._add_vcpu(domain.domid, vcpu, parent)
        return parent

    def _add_vcpu(self, domid: int, vcpu: VcpuReport, parent: int) -> None:
        name = self.running(domid, vcpu.vcpu)
        self.vcpus[domid, vcpu.vcpu] = track = self._add(name, parent, rank=vcpu.vcpu)
        if vcpu.exits:
            self.exits[domid, vcpu.vcpu] = self._add(f"{name} VM exits", track)

    def _add(self, name: str, parent: int = 0, *, rank: int = 0, description: str = "", unit: str = "") -> int:
        uuid = len(self._descriptors) + 1
        descriptor = TrackDescriptor(uuid=uuid, name=name, sibling_order_rank=rank, child_ordering=_EXPLICIT)
        if parent:
            descriptor.parent_uuid = parent
        if description:
            descriptor.description = description
        if unit:
            # A track with a unit is a counter's.
            descriptor.counter.unit_name = unit
            descriptor.sibling_order_rank = _COUNTERS_RANK
        self._descriptors.append(descriptor)
        return uuid
