"""What a trace.dat shows of KVM's machines, as the report that a trace of Xen gives: a domain is a machine."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from traces.account import SEVERITIES, UNKNOWN_DOMID, Account, Diagnostic
from traces.answers import DomainReport, Exit, GuestInterrupt, Io, Msr, Numbering, Report, Runstate, VcpuReport, Wait
from traces.counting.clock import DEFAULT_HZ, Clock
from traces.counting.latencies import Distribution, distribution, merged
from traces.kvm.counted import STATES
from traces.kvm.devices import Devices
from traces.kvm.formats.msrs import NAMES as MSRS
from traces.kvm.formats.reasons import Reasons
from traces.plain import frozen, replace

if TYPE_CHECKING:
    from traces.kvm.counted import Counted, Row, Thread
    from traces.kvm.decode.tracedat import Process, TraceDat

#: What KVM's events do not tell. It is never guessed here.
NOT_RECORDED = (
    "user space: when a machine's process asks the kernel to run its guest again; until the next entry is user space",
)
_NO_PROCESSES = (
    "machines: which process a thread is of, and what it is called; threads are put together by their vCPUs' numbers"
)
NO_RUN_STATES = (
    "run states: the scheduler's switches; trace-cmd record -e sched:sched_switch -e sched:sched_wakeup adds them"
)
MODES = ("guest", "kernel", "user")
_ENTERED, _INTERRUPTED = "kvm_userspace_exit", 0xFFFFFFFF
#: Clocks that count nanoseconds. Ref: Linux, kernel/trace/trace.c, trace_clocks
_NANOSECONDS = frozenset({"local", "global", "perf", "mono", "mono_raw", "boot", "tai"})
_CYCLES = "x86-tsc"
#: Of what the kernel says of a processor's buffer. Ref: Linux, kernel/trace/trace.c, tracing_stats_read
_LOST = re.compile(r"^(?:overrun|commit overrun|dropped events): (\d{1,19})$", re.MULTILINE)
_BUCKET_BITS, _WHO, _EVENT = 9, 32, 16


@frozen
class Machine:
    """A machine: the number that stands for its process, its name if anything tells it, its vCPUs' threads by index."""

    pid: int
    name: str | None
    threads: tuple[int, ...]


def machines(
    threads: "Sequence[Thread]", guests: Mapping[int, str], processes: "Sequence[Process]" = ()
) -> list[Machine]:
    """Put threads that run vCPUs together to machines.

    A process makes its vCPUs' threads in order of their numbers: where these do not rise, another machine begins. The
    lowest thread stands for the process. Both are guesses for a trace that does not tell processes.

    :param guests: names of machines by thread, as far as the trace tells
    :param processes: of machines, as far as it tells those
    """
    told = {tid: one for one in processes for tid in one.threads}
    known: dict[int, list[int]] = {}
    found: list[list[int]] = []
    last = -1
    for index, one in sorted(enumerate(threads), key=lambda item: item[1].pid):
        if one.vcpu is None:
            continue
        if one.pid in told:
            known.setdefault(told[one.pid].pid, []).append(index)
            continue
        if not found or one.vcpu <= last or guests.get(one.pid) != guests.get(threads[found[-1][0]].pid):
            found.append([])
        found[-1].append(index)
        last = one.vcpu
    of_processes = [Machine(one.pid, one.name, tuple(known[one.pid])) for one in processes if one.pid in known]
    return of_processes + [Machine(pid := threads[of[0]].pid, guests.get(pid), tuple(of)) for of in found]


def vcpus(counted: "Counted", trace: "TraceDat") -> dict[int, tuple[int, int]]:
    """Give (machine, vCPU) of the threads that are one."""
    threads = counted.threads
    return {
        threads[index].pid: (machine.pid, threads[index].vcpu or 0)
        for machine in machines(threads, trace.guests, trace.processes)
        for index in machine.threads
    }


def report(
    counted: "Counted",
    trace: "TraceDat",
    diagnostics: Iterable[Diagnostic] = (),
    *,
    hz: float | None = None,
    devices: Devices | None = None,
) -> Report:
    """Answer what a finished count shows.

    :param devices: of the machines; without it, those that PCs have
    :param diagnostics: of reading it, besides those of the trace itself
    :param hz: the clock's rate in ticks a second, if the user says so
    """
    clock = clock_of(trace, hz)
    tables = _Tables(counted, trace, clock, devices or Devices())
    threads = counted.threads
    found = machines(threads, trace.guests, trace.processes)
    of_machines = {index for machine in found for index in machine.threads}
    domains = [
        DomainReport(
            machine.pid,
            machine.name,
            "kvm",
            tuple(_vcpu(index, threads[index], tables, clock) for index in machine.threads),
        )
        for machine in found
    ]
    others = tables.events_of(index for index in tables.events if index not in of_machines)
    if others:
        rest = VcpuReport(0, {}, (), (), {}, (), (), dict(sorted(others.items())))
        domains.append(DomainReport(UNKNOWN_DOMID, None, "unknown", (rest,)))
    return Report(
        account=_account(counted, trace, diagnostics),
        clock=clock,
        span_s=clock.seconds(counted.span),
        domains=tuple(domains),
        grants=(),
        notifications=(),
        names={machine.pid: machine.name for machine in found if machine.name},
        not_recorded=(
            *(() if counted.switched else (NO_RUN_STATES,)),
            *NOT_RECORDED,
            *(() if trace.processes else (_NO_PROCESSES,)),
        ),
        exits=Numbering(
            "amd" if counted.amd else "intel",
            "trace",
            names={exit_.key: exit_.name for domain in domains for vcpu in domain.vcpus for exit_ in vcpu.exits},
        ),
        source="kvm",
        kernel=trace.kernel,
    )


def seen(counted: "Counted") -> frozenset[int]:
    """Give the numbers of the events that a finished count has met."""
    return frozenset(key & 0xFFFF for key, *_ in counted.items("events"))


def clock_of(trace: "TraceDat", hz: float | None) -> Clock:
    """Say how fast a trace's clock ticks.

    :param hz: as the user says
    """
    if hz:
        return Clock(hz, "option")
    if trace.clock in _NANOSECONDS:
        return Clock(1e9, "trace")
    if trace.clock == _CYCLES and trace.nanoseconds and trace.nanoseconds[0] and trace.nanoseconds[1] < 64:
        factor, shift = trace.nanoseconds
        return Clock(1e9 * (1 << shift) / factor, "trace")
    return Clock(DEFAULT_HZ, "default")


class _Tables:
    # What was counted, by the thread that it is of.
    def __init__(self, counted: "Counted", trace: "TraceDat", clock: Clock, devices: Devices) -> None:
        self.clock, self.devices = clock, devices
        names = {number: one.name for number, one in trace.layouts.items()}
        self.events: dict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
        for key, count, _sum, _most, first in counted.items("events"):
            event = key & 0xFFFF
            self.events[key >> _EVENT][names.get(event, f"event_{event}")] = (count, first)
        self.exits = _by_thread(counted.items("exits"), _WHO)
        self.user = {key: sum_ for key, _count, sum_, *_ in counted.items("exits_user")}
        self.away = {key: sum_ for key, _count, sum_, *_ in counted.items("exits_away")}
        self.took: dict[int, Counter[int]] = defaultdict(Counter)
        for key, count, *_ in counted.items("exits_took"):
            self.took[key >> _BUCKET_BITS][key & (1 << _BUCKET_BITS) - 1] += count
        self.interrupts = _by_thread(counted.items("interrupts"), _WHO)
        self.ports = _by_thread(counted.items("ports"), 48)
        self.memory = _by_thread(counted.items("memory"), 48)
        self.msrs = _by_thread(counted.items("msrs"), _WHO)
        self.entries = _by_thread(counted.items("entries"), _WHO)
        self.entered = next((one.symbols("reason") for one in trace.layouts.values() if one.name == _ENTERED), [])
        self.pcpus = _by_thread(counted.items("pcpus"), _EVENT)
        self._reasons, self._amd = Reasons(trace.layouts.values()), counted.amd
        self.switched = counted.switched

    def events_of(self, threads: Iterable[int]) -> Counter[str]:
        found: Counter[str] = Counter()
        for index in threads:
            for name, (count, _first) in self.events[index].items():
                found[name] += count
        return found

    def exit_name(self, reason: int) -> str:
        return self._reasons.name(reason, amd=self._amd)

    def entry_name(self, reason: int) -> str:
        if reason == _INTERRUPTED:
            return "a signal"
        return (self.entered[0] if self.entered else {}).get(reason, f"reason {reason}")


def _by_thread(rows: "Iterable[Row]", bits: int) -> "dict[int, list[Row]]":
    found: dict[int, list[Row]] = defaultdict(list)
    for key, *rest in rows:
        found[key >> bits].append((key & (1 << bits) - 1, *rest))  # type: ignore[arg-type] # of four, as it was of five
    return found


def _vcpu(index: int, thread: "Thread", tables: _Tables, clock: Clock) -> VcpuReport:
    exits = _exits(index, tables, clock)
    events = dict(sorted(tables.events.get(index, {}).items()))
    waits = {
        "wake_to_run": _distribution(*thread.wake_to_run, clock),
        "preempted_to_run": _distribution(*thread.preempted_to_run, clock),
        "exits": merged(one.latency for one in exits),
    }
    length, since, pcpu = thread.longest_wait
    return VcpuReport(
        vcpu=thread.vcpu or 0,
        runstates=_runstates(thread, clock) if tables.switched else {},
        hypercalls=(),
        multicall_subcalls=(),
        batches={},
        exits=exits,
        traps=(),
        events={name: count for name, (count, _first) in events.items()},
        first_offsets={name: first for name, (_count, first) in events.items()},
        latencies={name: one for name, one in waits.items() if one.count},
        migrations=thread.migrations,
        pcpus={pcpu: clock.seconds(sum_) for pcpu, _count, sum_, *_ in sorted(tables.pcpus.get(index, []))},
        longest_wait=Wait(clock.seconds(since), clock.seconds(since + length), pcpu) if length else None,
        io=_io(index, tables),
        msrs=_msrs(index, tables),
        entries={tables.entry_name(reason): count for reason, count, *_ in sorted(tables.entries.get(index, []))},
        interrupts=tuple(
            GuestInterrupt(vector, count, Distribution(), Distribution(), Distribution())
            for vector, count, *_ in sorted(tables.interrupts.get(index, []), key=lambda row: (-row[1], row[0]))
        ),
    )


def _runstates(thread: "Thread", clock: Clock) -> dict[str, Runstate]:
    found = {
        name: Runstate(count, clock.seconds(ticks), clock.seconds(clipped), _octaves(stays, clock))
        for name, (count, ticks, clipped), stays in zip(STATES, thread.states, thread.stays, strict=True)
        if name != "offline"
    }
    running = found["running"]
    modes = {name: clock.seconds(ticks) for name, ticks in zip(MODES, thread.modes, strict=True)}
    found["running"] = replace(running, modes=modes)
    return found


def _octaves(stays: Mapping[int, int], clock: Clock) -> dict[tuple[float, float], int]:
    return {((1 << i) / clock.hz, (2 << i) / clock.hz): count for i, count in sorted(stays.items())}


def _exits(index: int, tables: _Tables, clock: Clock) -> tuple[Exit, ...]:
    found = []
    for reason, count, kernel, longest, _first in tables.exits.get(index, []):
        key = index << _WHO | reason
        latency = _distribution(tables.took.get(key, {}), longest, kernel, clock)
        away, user = clock.seconds(tables.away.get(key, 0)), clock.seconds(tables.user.get(key, 0))
        found.append(Exit(reason, tables.exit_name(reason), count, clock.seconds(kernel), away, latency, user))
    return tuple(sorted(found, key=lambda one: (-one.seconds, one.key)))


def _io(index: int, tables: _Tables) -> tuple[Io, ...]:
    found = [
        Io(kind, address, count - writes, writes, entries, tables.devices.name(kind, address))
        for kind, of in (("port", tables.ports), ("memory", tables.memory))
        for address, count, writes, entries, _first in of.get(index, [])
    ]
    return tuple(sorted(found, key=lambda one: (-one.reads - one.writes, one.kind, one.address)))


def _msrs(index: int, tables: _Tables) -> tuple[Msr, ...]:
    found = [
        Msr(number, MSRS.get(number), count - writes, writes)
        for number, count, writes, *_ in tables.msrs.get(index, [])
    ]
    return tuple(sorted(found, key=lambda one: (-one.reads - one.writes, one.number)))


def _distribution(counts: Mapping[int, int], longest: int, ticks: int, clock: Clock) -> Distribution:
    return distribution(counts, longest, ticks, clock.hz)


def _lost(stats: Iterable[str]) -> int:
    return sum(int(count) for text in stats for count in _LOST.findall(text))


def _account(counted: "Counted", trace: "TraceDat", diagnostics: Iterable[Diagnostic]) -> Account:
    found: dict[str, tuple[int, int]] = {}
    # Pages tell of what was lost before them, and nothing of what was lost after the last.
    lost = max(counted.lost, _lost(trace.stats))
    told = [
        *((one.code, one.count, one.first_offset) for one in (*trace.diagnostics, *diagnostics)),
        *counted.damages,
        ("short_record", *counted.short),
        ("unknown_event", *counted.unknown),
        ("too_many_kinds", counted.uncounted, 0),
        ("lost_records", lost - counted.lost, counted.bytes),
    ]
    for code, count, first in told:
        if count:
            known, earliest = found.get(code, (0, first))
            found[code] = (known + count, min(earliest, first))
    return Account(
        bytes=counted.bytes,
        records=counted.records,
        skipped_bytes=counted.skipped_bytes,
        lost_records=lost,
        pcpus=sorted({one.cpu for one in trace.streams}),
        diagnostics=[Diagnostic(code, SEVERITIES[code], *of) for code, of in sorted(found.items())],
    )
