"""What one trace shows, as one frozen answer: the report that ``xentool report`` and ``xentool trace`` give."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from traces.account import IDLE_DOMID, NO_SHIFTS, SEVERITIES, UNKNOWN_DOMID, Account, Diagnostic, Skew
from traces.analyses.counts import (
    Batches,
    Counts,
    Handled,
    busiest,
    by_vcpu,
    first_grants,
    grants,
    irqs,
    kinds,
    notifications,
    unknown_events,
)
from traces.analyses.vendor import UNKNOWN, Numbering, numbering
from traces.analyses.wallclock import Recorded
from traces.choice.where import EVERYTHING, Where
from traces.counting import clock as clocks
from traces.counting.clock import Clock
from traces.counting.fold import Domain, Durations, Interrupt, Vcpu
from traces.counting.latencies import Distribution, distribution, merged
from traces.scan import Scan
from traces.xen.formats import events as xentrace
from traces.xen.formats.event import Release
from traces.xen.formats.exits import NESTED, Vendor, reason_of
from traces.xen.formats.names import hypercall_name, subop_name, trap_name

RUNSTATE_NAMES = (*xentrace.RUNSTATES, "lost")
#: What the vCPUs of a domain may be together, under xenalyze's names, in ``fold``'s order.
CONTENTION_NAMES = (
    "lost",
    "blocked",
    "partial_run",
    "full_run",
    "partial_contention",
    "concurrency_hazard",
    "full_contention",
)

#: What Xen has no trace record for. It is never guessed here.
NOT_RECORDED = (
    "event channels: which port or peer a hypercall means; notifications are inferred from who wakes right after",
    "grants: references, frames and flags; grant copies appear only as counts of grant_table_op",
    "hypercalls: all arguments but the few counts and sub-operations shown, return values, and their duration in PV",
    "Hyper-V calls: which one a 64-bit guest makes, as it says that in rcx; names are by eax, as of 32-bit guests",
    "multicalls: whether one goes on after a preemption; it counts again, as do the calls that it has left",
    "locks: contention inside Xen; a debug build's lock profile tells it",
    "page tables: the entries that mmu_update, mmuext_op and update_va_mapping write; only their counts",
)

#: Of a trace that has none. The scheduler's own records may tell who runs in their stead.
NO_RUN_STATES = (
    "run states: why a vCPU did not run, and where no switches are recorded either, whose a record is: told by pCPU "
    "under domid 32768, each VM exit up to the next entry on its pCPU. xentrace -e 0x21000 records them, added to the "
    "other bits; so do -e all and `xentool record`"
)

#: So many wakes right after an event_channel_op may be by chance.
_CHANCE = 2
_PV_ENTRY = 0x00201000
_HVM_ENTRYEXIT = 0x00081000
_SUBCLASS = 0xFFFFF000


@dataclass(frozen=True, slots=True)
class DomainInfo:
    """What a host tells about a domain and a trace does not: its name, and "pv", "pvh" or "hvm"."""

    name: str | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class Runstate:
    """One run state of one vCPU.

    ``count`` intervals were seen from beginning to end; ``seconds`` is all time in the state, ``clipped_seconds`` of
    it outside of counted intervals. ``histogram`` is how many counted intervals took at least so many
    seconds, and less than so many, by octaves of the clock's cycles.
    """

    count: int
    seconds: float
    clipped_seconds: float
    histogram: Mapping[tuple[float, float], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hypercall:
    """How often one hypercall was made, and its sub-operations where Xen records them.

    One that Xen preempts is made again to go on; ``restarts`` counts these records, ``count`` does not.
    """

    nr: int
    name: str
    count: int
    subops: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0
    #: Where in the file the first one is, in bytes.
    first_offset: int = 0


@dataclass(frozen=True, slots=True)
class Io:
    """Accesses of an HVM guest to a port or to memory ("port", "memory") that Xen or a device model emulates.

    Above 4 GiB, ``address`` is that of its page.
    """

    kind: str
    address: int
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class Exit:
    """VM exits of one kind: seconds in Xen, and apart from them those while the vCPU was descheduled.

    ``key`` is that of ``formats.exits.key_of``; ``latency`` how long each was in Xen, of those that a VM entry ended.
    """

    key: int
    name: str
    count: int
    seconds: float
    descheduled_seconds: float
    latency: Distribution = field(default_factory=Distribution)

    @property
    def reason(self) -> int:
        """As it was recorded."""
        return reason_of(self.key)

    @property
    def nested(self) -> bool:
        """Whether it was a nested guest's."""
        return bool(self.key & NESTED)


@dataclass(frozen=True, slots=True)
class GuestInterrupt:
    """Interrupts of one vector that Xen gave an HVM or PVH guest's vCPU.

    The distributions tell how long it ran on, from the VM entry with which it got one until it halted, as xenalyze
    tells it: ``wake_to_halt`` of those that woke it, ``alone`` of these where no other came until then, and
    ``interrupt_to_halt`` of those that it got while it was awake. Of several until it halts, the first is timed. Time
    while others ran counts.
    """

    vector: int
    count: int
    alone: Distribution
    wake_to_halt: Distribution
    interrupt_to_halt: Distribution


@dataclass(frozen=True, slots=True)
class Trap:
    """How often a PV guest's exception reached Xen."""

    vector: int
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A time that a vCPU waited for a pCPU: seconds since the trace's beginning, and the pCPU where it ran then."""

    begin: float
    end: float
    pcpu: int


@dataclass(frozen=True, slots=True)
class Together:
    """How often, and for how many seconds, the vCPUs of a domain were together one of ``CONTENTION_NAMES``."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class VcpuReport:
    """What one vCPU did. ``batches`` is about calls that carry several operations, by hypercall name.

    ``latencies`` has, where there are any, "wake_to_run": from runnable after it was blocked or offline until it ran,
    "preempted_to_run": from runnable after it ran until it ran again, and "exits": in Xen, from a VM exit to the entry
    that ended it.
    """

    vcpu: int
    runstates: Mapping[str, Runstate]
    hypercalls: tuple[Hypercall, ...]
    multicall_subcalls: tuple[Hypercall, ...]
    batches: Mapping[str, Batches]
    exits: tuple[Exit, ...]
    traps: tuple[Trap, ...]
    events: Mapping[str, int]
    #: Where in the file the first of each of these events is, in bytes.
    first_offsets: Mapping[str, int] = field(default_factory=dict)
    latencies: Mapping[str, Distribution] = field(default_factory=dict)
    #: How often it ran on another pCPU than before.
    migrations: int = 0
    #: Seconds that it ran on each pCPU.
    pcpus: Mapping[int, float] = field(default_factory=dict)
    longest_wait: Wait | None = None
    io: tuple[Io, ...] = ()
    #: Writes of cr3 by the address of the page table that they chose, most first: an HVM guest's switches of process.
    cr3_writes: Mapping[int, int] = field(default_factory=dict)
    #: The most frequent first.
    interrupts: tuple[GuestInterrupt, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainReport:
    """What one domain did; ``mode`` is "pv", "hvm", "pvh", "idle" or "unknown"."""

    domid: int
    name: str | None
    mode: str
    vcpus: tuple[VcpuReport, ...]
    #: By ``CONTENTION_NAMES``; empty where the trace does not tell. All together are the span.
    contention: Mapping[str, Together] = field(default_factory=dict)
    #: Where the trace tells: when it was created and destroyed, in seconds since the first record; None for before the
    #: trace, and after. Several, where its number was used again.
    lives: tuple[tuple[float | None, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class GrantPair:
    """Pages that ``mapper`` mapped and unmapped of those that ``granter`` granted (domids)."""

    mapper: int
    granter: int
    maps: int
    unmaps: int
    #: Where in the file the first map is, in bytes; of pairs without one, the first unmap.
    first_offset: int = 0


@dataclass(frozen=True, slots=True)
class Irq:
    """Hardware interrupts of one number: seconds that Xen took to handle them, each of them, and how many by pCPU."""

    irq: int
    count: int
    seconds: float
    latency: Distribution
    pcpus: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Notification:
    """Event channel notifications between two domains (domids), as far as they can be inferred.

    ``confidence`` that these two have a channel is "high" where something else tells of one: the other side notifies as
    well, or one maps the other's pages. It is "low" where a chance wake may account for all, and "likely" otherwise.
    """

    source: int
    target: int
    count: int
    confidence: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer; ``account`` says what became of the input's bytes."""

    account: Account
    clock: Clock
    span_s: float
    domains: tuple[DomainReport, ...]
    grants: tuple[GrantPair, ...]
    notifications: tuple[Notification, ...]
    irqs: tuple[Irq, ...] = ()
    #: Of all domains that have one, also those that a selection left out.
    names: Mapping[int, str] = field(default_factory=dict)
    #: What of the trace it is about.
    where: Where = EVERYTHING
    #: Of one of dom0's processors, the share that the tracer itself took; None where nobody measured it.
    tracer_share: float | None = None
    #: The wall clock at the first record; None where nobody noted it.
    recorded: Recorded | None = None
    #: As the host gives it.
    xen_version: str | None = None
    #: Whose exit reasons they are.
    exits: Numbering = UNKNOWN
    not_recorded: tuple[str, ...] = NOT_RECORDED
    #: None where no run states contradict one another.
    skew: Skew | None = None
    #: Whether run states are recorded at all.
    run_states: bool = True
    #: The newest release of Xen that may have recorded it, where the records themselves tell.
    newest_release: Release | None = None

    @property
    def told(self) -> tuple[DomainReport, ...]:
        """What people are told about: all domains but the idle one, and the unknown one only where it is not known why.

        Where run states are recorded, it holds no more than what came before the first of each pCPU.
        """
        left_out = (IDLE_DOMID, UNKNOWN_DOMID) if self.run_states else (IDLE_DOMID,)
        return tuple(domain for domain in self.domains if domain.domid not in left_out)

    @property
    def shifts(self) -> Mapping[int, int]:
        """Cycles to add to the time stamps of pCPUs, as this report has done, so that their clocks agree."""
        return self.skew.shifts if self.skew else NO_SHIFTS


def report(
    scan: Scan,
    *,
    hz: float | None = None,
    host_hz: float | None = None,
    infos: Mapping[int, DomainInfo] | None = None,
    xen_version: str | None = None,
    vendor: Vendor | None = None,
    host_vendor: Vendor | None = None,
    skew: Skew | None = None,
) -> Report:
    """Answer what a finished scan shows.

    :param hz: the clock's rate in cycles a second, if the user says so
    :param host_hz: the same as the capturing host gives it, used when the trace does not tell
    :param infos: what the host says about the domains, by domid
    :param xen_version: of the host
    :param vendor: whose exit reasons they are, if the user says so
    :param host_vendor: the same as the capturing host gives it
    :param skew: what is known of contradictory run states; if not given, what the scan has
    """
    infos = infos or {}
    skew = skew or _skew(scan)
    clock = _clock(hz, host_hz, scan)
    told, left = busiest(scan)
    counted = by_vcpu(scan, told)
    exits = numbering(scan, option=vendor, host=host_vendor, version=xen_version)
    vcpus: dict[int, list[VcpuReport]] = {}
    for domid, number in sorted(told):
        folded = scan.vcpus.get(domid << 16 | number)
        vcpu = _vcpu(number, counted.get((domid, number), Counts()), folded, clock, exits)
        vcpus.setdefault(domid, []).append(vcpu)
    modes = _modes(kinds(scan), infos)
    return Report(
        account=_account(scan, left, exits, skew),
        clock=clock,
        span_s=clock.seconds(scan.span),
        domains=tuple(
            DomainReport(
                domid,
                infos.get(domid, DomainInfo()).name,
                modes.get(domid, "unknown"),
                tuple(of),
                _contention(scan.domains.get(domid), clock) if scan.stated else {},
                _lives(scan.lives.get(domid, ()), clock),
            )
            for domid, of in vcpus.items()
        ),
        grants=(grants := _grants(scan)),
        notifications=_notifications(scan, grants),
        irqs=_irqs(scan, clock),
        names={domid: info.name for domid, info in infos.items() if info.name},
        xen_version=xen_version,
        exits=exits,
        not_recorded=NOT_RECORDED if scan.stated else (NO_RUN_STATES, *NOT_RECORDED),
        run_states=scan.stated,
        newest_release=scan.newest_release,
        skew=skew,
    )


def _skew(scan: Scan) -> Skew | None:
    count, first = scan.contradictions
    return (
        Skew(count, count, first, NO_SHIFTS, of_clocks=len(scan.account.pcpus) > 1, looked_for=False) if count else None
    )


def _notifications(scan: Scan, grants: Iterable[GrantPair]) -> tuple[Notification, ...]:
    counted = notifications(scan)
    partners = {frozenset((pair.mapper, pair.granter)) for pair in grants}

    def confidence(source: int, target: int) -> str:
        if source != target and ((target, source) in counted or {source, target} in partners):
            return "high"
        return "likely" if counted[source, target] > _CHANCE else "low"

    return tuple(Notification(*pair, count, confidence(*pair)) for pair, count in sorted(counted.items()))


def _account(scan: Scan, vcpus_left: int, exits: Numbering, skew: Skew | None) -> Account:
    account = scan.account
    if skew:
        code = "clock_skew" if skew.of_clocks else "contradictory_states"
        account.diagnostics.append(Diagnostic(code, SEVERITIES[code], skew.contradictions, skew.first_offset))
    unknown, first = unknown_events(scan)
    if unknown:
        account.diagnostics.append(Diagnostic("unknown_event", SEVERITIES["unknown_event"], unknown, first))
    if scan.uncounted:
        account.diagnostics.append(Diagnostic("too_many_kinds", SEVERITIES["too_many_kinds"], scan.uncounted, 0))
    if vcpus_left:
        account.diagnostics.append(Diagnostic("too_many_vcpus", SEVERITIES["too_many_vcpus"], vcpus_left, 0))
    account.diagnostics.extend(exits.diagnostics)
    return account


def _grants(scan: Scan) -> tuple[GrantPair, ...]:
    maps, unmaps = grants(scan, "maps"), grants(scan, "unmaps")
    firsts = first_grants(scan, "unmaps") | first_grants(scan, "maps")
    return tuple(
        GrantPair(*pair, maps=maps[pair], unmaps=unmaps[pair], first_offset=firsts[pair])
        for pair in sorted(maps | unmaps)
    )


def _irqs(scan: Scan, clock: Clock) -> tuple[Irq, ...]:
    found = irqs(scan)
    answer = []
    by_number: dict[int, dict[int, Handled]] = {}
    for (pcpu, number), of in sorted(found.items()):
        by_number.setdefault(number, {})[pcpu] = of
    for number, pcpus in sorted(by_number.items()):
        whole = Handled()
        for of in pcpus.values():
            whole.add(of.count, of.cycles, of.longest)
            whole.took += of.took
        latency = distribution(whole.took, whole.longest, whole.cycles, clock.hz)
        by_pcpu = {pcpu: of.count for pcpu, of in pcpus.items()}
        answer.append(Irq(number, whole.count, clock.seconds(whole.cycles), latency, by_pcpu))
    return tuple(answer)


def _modes(events: Mapping[int, set[int]], infos: Mapping[int, DomainInfo]) -> dict[int, str]:
    modes = {IDLE_DOMID: "idle", UNKNOWN_DOMID: "unknown"}
    for domid, of in events.items():
        subclasses = {event & _SUBCLASS for event in of}
        if subclasses & {_PV_ENTRY, _HVM_ENTRYEXIT}:
            modes.setdefault(domid, "pv" if _PV_ENTRY in subclasses else "hvm")
    # A trace can't tell PVH from HVM; the host can.
    return modes | {domid: info.mode for domid, info in infos.items() if info.mode and domid != IDLE_DOMID}


def _vcpu(number: int, counts: Counts, folded: Vcpu | None, clock: Clock, numbers: Numbering) -> VcpuReport:
    exits = _exits(counts.exits, folded, clock, numbers)
    return VcpuReport(
        vcpu=number,
        runstates=_runstates(folded, clock),
        hypercalls=_hypercalls("hypercalls", counts.hypercalls, counts.restarts, counts),
        multicall_subcalls=_hypercalls("subcalls", counts.subcalls, counts.subcall_restarts, counts),
        batches={hypercall_name(nr): batches for nr, batches in sorted(counts.batches.items())},
        exits=exits,
        traps=tuple(Trap(vector, trap_name(vector), count) for vector, count in sorted(counts.traps.items())),
        events={xentrace.event_name(event): count for event, count in sorted(counts.events.items())},
        first_offsets=_first_offsets(counts),
        latencies=_latencies(folded, exits, clock),
        migrations=folded.migrations if folded else 0,
        pcpus={p: clock.seconds(cycles) for p, cycles in sorted(folded.pcpus.items())} if folded else {},
        longest_wait=_longest_wait(folded, clock),
        io=_io(counts),
        cr3_writes=dict(counts.roots.most_common()),
        interrupts=_interrupts(counts.injections, folded.interrupts if folded else {}, clock),
    )


def _io(counts: Counts) -> tuple[Io, ...]:
    found = [Io(*place, of.reads, of.writes) for place, of in counts.io.items()]
    return tuple(sorted(found, key=lambda one: (-one.reads - one.writes, one.kind, one.address)))


def _interrupts(counts: Counter[int], timed: Mapping[int, Interrupt], clock: Clock) -> tuple[GuestInterrupt, ...]:
    untimed = Durations()
    found = []
    for vector, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        of = timed.get(vector)
        each = (of.alone, of.woke, of.running) if of else (untimed,) * 3
        found.append(GuestInterrupt(vector, count, *(_distribution(one, clock) for one in each)))
    return tuple(found)


def _first_offsets(counts: Counts) -> dict[str, int]:
    return {xentrace.event_name(value): at for (table, value), at in sorted(counts.firsts.items()) if table == "events"}


def _longest_wait(vcpu: Vcpu | None, clock: Clock) -> Wait | None:
    if vcpu is None or not vcpu.longest_wait:
        return None
    begin, end = vcpu.longest_wait_since, vcpu.longest_wait_since + vcpu.longest_wait
    return Wait(clock.seconds(begin), clock.seconds(end), vcpu.longest_wait_pcpu)


def _contention(domain: Domain | None, clock: Clock) -> dict[str, Together]:
    if domain is None or domain.domid == IDLE_DOMID:
        return {}
    found = {
        name: Together(count, clock.seconds(cycles))
        for name, (count, cycles) in zip(CONTENTION_NAMES, domain.states, strict=True)
    }
    return found if any(one.seconds for one in found.values()) else {}


def _lives(told: Iterable[tuple[int, bool]], clock: Clock) -> tuple[tuple[float | None, float | None], ...]:
    found: list[tuple[float | None, float | None]] = []
    for cycles, created in told:
        if created:
            found.append((clock.seconds(cycles), None))
        elif found and found[-1][1] is None:
            found[-1] = (found[-1][0], clock.seconds(cycles))
        else:
            found.append((None, clock.seconds(cycles)))
    return tuple(found)


def _hypercalls(table: str, made: Counter[int], restarts: Counter[int], counts: Counts) -> tuple[Hypercall, ...]:
    return tuple(
        Hypercall(
            nr,
            hypercall_name(nr),
            count,
            {subop_name(nr, cmd): times for cmd, times in sorted(counts.subops.get(nr, {}).items())},
            restarts[nr],
            counts.firsts[table, nr],
        )
        for nr, count in sorted(made.items(), key=lambda item: (-item[1], item[0]))
    )


def _clock(hz: float | None, host_hz: float | None, scan: Scan) -> Clock:
    if hz:
        return Clock(hz, "option")
    found = clocks.from_trace(scan.clock_pairs)
    if found and not found.assumed:
        return found
    if host_hz:
        return Clock(host_hz, "host")
    return found or Clock(clocks.DEFAULT_HZ, "default")


def _runstates(vcpu: Vcpu | None, clock: Clock) -> dict[str, Runstate]:
    if vcpu is None:
        return {}
    return {
        name: Runstate(count, clock.seconds(cycles + clipped), clock.seconds(clipped), _octaves(stays, clock))
        for name, (count, cycles, clipped), stays in zip(RUNSTATE_NAMES, vcpu.runstates, vcpu.histograms, strict=True)
    }


def _octaves(counts: Mapping[int, int], clock: Clock) -> dict[tuple[float, float], int]:
    return {(clock.seconds(1 << i), clock.seconds(2 << i)): count for i, count in sorted(counts.items())}


def _exits(settled: Mapping[int, Handled], folded: Vcpu | None, clock: Clock, numbers: Numbering) -> tuple[Exit, ...]:
    around = folded.exits if folded else {}
    found = []
    for key in settled.keys() | around.keys():
        of = replace(settled.get(key, Handled()))
        away = 0
        if key in around:
            more = around[key]
            of.add(more.count, more.cycles, more.took.longest)
            of.took = of.took + Counter(more.took.counts)
            away = more.away
        latency = distribution(of.took, of.longest, of.cycles, clock.hz)
        seconds = clock.seconds(of.cycles)
        found.append(Exit(key, numbers.name(key), of.count, seconds, clock.seconds(away), latency))
    return tuple(sorted(found, key=lambda exit_: (-exit_.seconds, exit_.key)))


def _distribution(durations: Durations, clock: Clock) -> Distribution:
    return distribution(durations.counts, durations.longest, durations.cycles, clock.hz)


def _latencies(vcpu: Vcpu | None, exits: tuple[Exit, ...], clock: Clock) -> dict[str, Distribution]:
    woken = preempted = Durations()
    # The idle domain stands back for everybody: its waits are no latencies.
    if vcpu and vcpu.domid != IDLE_DOMID:
        woken, preempted = vcpu.wake_to_run, vcpu.preempted_to_run
    found = {
        "wake_to_run": _distribution(woken, clock),
        "preempted_to_run": _distribution(preempted, clock),
        "exits": merged(exit_.latency for exit_ in exits),
    }
    return {name: one for name, one in found.items() if one.count}
