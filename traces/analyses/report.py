"""What one trace shows, as one frozen answer: the report that ``xentool report`` and ``xentool trace`` give."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from traces.account import IDLE_DOMID, NO_SHIFTS, SEVERITIES, UNKNOWN_DOMID, Account, Diagnostic, Skew
from traces.analyses.counts import (
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
from traces.analyses.vendor import numbering
from traces.answers import (
    CONTENTION_NAMES,
    RUNSTATE_NAMES,
    DomainReport,
    Exit,
    GrantPair,
    GuestInterrupt,
    Hypercall,
    Io,
    Irq,
    Notification,
    Numbering,
    Report,
    Runstate,
    Together,
    Trap,
    VcpuReport,
    Wait,
)
from traces.counting import clock as clocks
from traces.counting.clock import Clock
from traces.counting.fold import Domain, Durations, Interrupt, Vcpu
from traces.counting.latencies import Distribution, distribution, merged
from traces.plain import frozen, replace
from traces.xen.formats import events as xentrace
from traces.xen.formats.exits import Vendor
from traces.xen.formats.names import HYPERV, hypercall_name, subop_name, trap_name

if TYPE_CHECKING:
    from traces.counting.counted import Counted

#: What Xen has no trace record for. It is never guessed here.
NOT_RECORDED = (
    "event channels: which port or peer a hypercall means; notifications are inferred from who wakes right after",
    "grants: references, frames and flags; grant copies appear only as counts of grant_table_op",
    "hypercalls: all arguments but the few counts and sub-operations shown, return values, and their duration in PV",
    "multicalls: whether one goes on after a preemption; it counts again, as do the calls that it has left",
    "locks: contention inside Xen; a debug build's lock profile tells it",
    "page tables: the entries that mmu_update, mmuext_op and update_va_mapping write; only their counts",
)
#: The same of viridian guests' calls, where there are any.
NOT_OF_HYPERV = (
    "Hyper-V calls: which one a 64-bit guest makes, as it says that in rcx; names are by eax, as of 32-bit guests"
)

#: Of a trace that has none. The scheduler's own records may tell who runs in their stead.
NO_RUN_STATES = (
    "run states: why a vCPU did not run, and where no switches are recorded either, whose a record is: told by pCPU "
    "under domid 32768, each VM exit up to the next entry on its pCPU. xentrace -e 0x21000 records them, added to the "
    "other bits; so do -e all and `xentool record`"
)

#: So many wakes right after an event_channel_op may be by chance.
_CHANCE = 2
#: Of most vCPUs and domains of a trace that has many, most states: there once.
_NOT_IN_IT, _NOT_TOGETHER = Runstate(0, 0.0, 0.0), Together(0, 0.0)
_PV_ENTRY = 0x00201000
_HVM_ENTRYEXIT = 0x00081000
_SUBCLASS = 0xFFFFF000


@frozen
class DomainInfo:
    """What a host tells about a domain and a trace does not: its name, and "pv", "pvh" or "hvm"."""

    name: str | None = None
    mode: str | None = None


def report(
    scan: "Counted",
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
        not_recorded=_not_recorded(scan.stated, vcpus.values()),
        run_states=scan.stated,
        newest_release=scan.newest_release,
        skew=skew,
    )


def _not_recorded(stated: bool, vcpus: Iterable[Sequence[VcpuReport]]) -> tuple[str, ...]:
    hyperv = any(call.nr & HYPERV for of in vcpus for vcpu in of for call in vcpu.hypercalls)
    of_hyperv = (NOT_OF_HYPERV,) if hyperv else ()
    return (*(() if stated else (NO_RUN_STATES,)), *NOT_RECORDED, *of_hyperv)


def _skew(scan: "Counted") -> Skew | None:
    count, first = scan.contradictions
    return (
        Skew(count, count, first, NO_SHIFTS, of_clocks=len(scan.account.pcpus) > 1, looked_for=False) if count else None
    )


def _notifications(scan: "Counted", grants: Iterable[GrantPair]) -> tuple[Notification, ...]:
    counted = notifications(scan)
    partners = {frozenset((pair.mapper, pair.granter)) for pair in grants}

    def confidence(source: int, target: int) -> str:
        if source != target and ((target, source) in counted or {source, target} in partners):
            return "high"
        return "likely" if counted[source, target] > _CHANCE else "low"

    return tuple(Notification(*pair, count, confidence(*pair)) for pair, count in sorted(counted.items()))


def _account(scan: "Counted", vcpus_left: int, exits: Numbering, skew: Skew | None) -> Account:
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


def _grants(scan: "Counted") -> tuple[GrantPair, ...]:
    maps, unmaps = grants(scan, "maps"), grants(scan, "unmaps")
    firsts = first_grants(scan, "unmaps") | first_grants(scan, "maps")
    return tuple(
        GrantPair(*pair, maps=maps[pair], unmaps=unmaps[pair], first_offset=firsts[pair])
        for pair in sorted(maps | unmaps)
    )


def _irqs(scan: "Counted", clock: Clock) -> tuple[Irq, ...]:
    answer = []
    by_number: dict[int, dict[int, Handled]] = {}
    for (pcpu, number), of in sorted(irqs(scan).items()):
        by_number.setdefault(number, {})[pcpu] = of
    for number in sorted(by_number):
        # What was read off goes while its answer is made: a hostile trace has as many as there is room for.
        pcpus = by_number.pop(number)
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
    return Wait(clock.seconds(begin), clock.seconds(end), vcpu.longest_wait_pcpu, vcpu.longest_wait_offset)


def _contention(domain: Domain | None, clock: Clock) -> dict[str, Together]:
    if domain is None or domain.domid == IDLE_DOMID:
        return {}
    found = {
        name: Together(count, clock.seconds(cycles)) if count or cycles else _NOT_TOGETHER
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


def _clock(hz: float | None, host_hz: float | None, scan: "Counted") -> Clock:
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
        if count or cycles or clipped
        else _NOT_IN_IT
        for name, (count, cycles, clipped), stays in zip(RUNSTATE_NAMES, vcpu.runstates, vcpu.histograms, strict=True)
    }


def _octaves(counts: Mapping[int, int], clock: Clock) -> dict[tuple[float, float], int]:
    return {_octave(i, clock.hz): count for i, count in sorted(counts.items())}


@lru_cache(maxsize=128)
def _octave(number: int, hz: float) -> tuple[float, float]:
    return (1 << number) / hz, (2 << number) / hz


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
