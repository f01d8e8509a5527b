"""What traces say: reports, and what differs between two."""

from typing import Any, Literal, NotRequired, TypedDict


class Report(TypedDict):
    """``xentool report --json`` and ``xentool trace --json``. Times are in seconds, rates in hertz."""

    schema: Literal["xentool.report/1"]
    capture: "Capture"
    chosen: "Chosen | None"  # what was asked for; null for everything
    domains: "list[Domain]"
    grants: "list[GrantPair]"
    notifications: "list[Notification]"  # inferred from hypercalls: Xen records none
    irqs: "list[Irq]"  # physical interrupts
    findings: "list[Finding]"  # what calls for attention
    not_recorded: list[str]  # what Xen does not record, in sentences
    hypercall_times: NotRequired["list[CallTimes]"]  # with --times
    slowest: NotRequired["dict[str, Slowest]"]  # with --slowest: waits, exits
    intervals: NotRequired["list[Interval]"]  # with --interval


class Capture(TypedDict):
    """The trace itself. Decoded bytes and ``skipped_bytes`` make ``bytes``, always."""

    source: Literal["xentrace", "kvm"]
    bytes: int
    records: int
    skipped_bytes: int  # of damage
    lost_records: int  # that Xen had no room for
    lost_per_s: float | None  # while records were lost
    tracer_cpu_share: float | None  # of one of dom0's processors, as far as the sidecar knows
    pcpus: list[int]
    span_s: float
    hz: float  # rate of the clock
    hz_source: Literal["trace", "option", "host", "default"]
    hz_error: float | None  # as a share, where the trace tells
    clock_skew: "Skew | None"  # null where pCPUs' clocks agree
    xen_version: str | None
    kernel: NotRequired[str]  # of KVM: the Linux that ran the machines
    exit_vendor: Literal["intel", "amd"] | None
    exit_vendor_source: str  # by what it is known
    recorded: "Recorded | None"  # when, as far as it was noted
    diagnostics: "list[Diagnostic]"


class Skew(TypedDict):
    """Clocks of pCPUs that differ."""

    contradictions: int
    contradictions_left: int  # after what was added
    corrected: bool
    added_seconds: dict[str, float]  # by pCPU


class Recorded(TypedDict):
    """When it was recorded, by dom0's clock."""

    begin: str  # ISO 8601 with its zone
    end: str
    first_record_unix_ns: int
    error_s: float
    basis: str  # pairs: clock and time stamp counter were read together; else by the ends of the recording


class Diagnostic(TypedDict):
    """Damage, or what could not be told, of one kind."""

    code: str
    severity: Literal["info", "data_loss", "error"]
    count: int
    first_offset: int | None  # in the file


class Chosen(TypedDict):
    """What of the trace was asked for."""

    domid: int | None
    vcpus: list[int]  # empty: all
    pcpus: list[int]
    events: str  # as `-e` takes it
    from_s: float
    to_s: float | None


class Domain(TypedDict):
    """A domain; 32767 is idle, 32768 what nobody can be named for."""

    domid: int
    name: str | None
    mode: Literal["pv", "hvm", "pvh", "kvm", "idle", "unknown"]
    lives: "list[Life]"
    contention: "dict[str, CountSeconds]"  # how many of its vCPUs ran or would have run together
    vcpus: "list[Vcpu]"


class Life(TypedDict):
    """From a domain's creation to its end, as far as both lie in the trace; a domid can be given again."""

    created_s: float | None
    destroyed_s: float | None


class CountSeconds(TypedDict):
    """How often, and how long in all."""

    count: int
    seconds: float


class Vcpu(TypedDict):
    """A vCPU."""

    vcpu: int
    runstates: "dict[str, RunState]"  # running, runnable, blocked, offline, lost
    hypercalls: "list[Hypercall]"
    multicall_subcalls: "list[Subcall]"
    batches: "dict[str, Batches]"  # by hypercall
    exits: "list[Exit]"
    interrupts: "list[Interrupt]"  # that the guest got
    traps: "list[Trap]"
    events: dict[str, int]  # all records by name
    migrations: int
    pcpus: dict[str, float]  # seconds on each pCPU
    io: "list[Io]"  # emulated accesses
    msrs: NotRequired["list[Msr]"]  # under KVM: accesses with an exit
    entries: NotRequired[dict[str, int]]  # under KVM: how often the machine's process was entered, by reason
    cr3_writes: "list[Cr3]"
    latencies: "dict[str, Latency]"  # wake_to_run, preempted, ...


class RunState(TypedDict):
    """Time in a run state."""

    count: int
    seconds: float
    clipped_seconds: float  # of intervals that do not begin and end in the trace: not among the others
    histogram: "list[Octave]"
    modes: NotRequired[dict[str, float]]  # of running, under KVM: seconds in the guest, the kernel, the user's process


class Octave(TypedDict):
    """How many lasted so long."""

    from_s: float
    to_s: float
    count: int


class Hypercall(TypedDict):
    """A hypercall, by number."""

    nr: int
    name: str
    count: int
    restarts: int  # preempted, and begun again
    first_offset: int | None
    subops: dict[str, int]  # by sub-operation


class Subcall(TypedDict):
    """A hypercall that came in a multicall."""

    nr: int
    name: str
    count: int
    restarts: int
    first_offset: int | None


class Batches(TypedDict):
    """What batching hypercalls carried."""

    calls: int
    items: int


class Exit(TypedDict):
    """VM exits of a reason."""

    reason: int
    name: str
    nested: bool  # of a guest's own guest
    count: int
    seconds: float
    descheduled_seconds: float  # of these, while another vCPU ran
    user_seconds: NotRequired[float]  # under KVM: in the machine's process; seconds is in the kernel
    latency: "Latency | None"


class Interrupt(TypedDict):
    """Interrupts of a vector that a guest got."""

    vector: int
    count: int
    wake_to_halt_alone: "Latency | None"
    wake_to_halt: "Latency | None"
    interrupt_to_halt: "Latency | None"


class Trap(TypedDict):
    """Traps of a vector."""

    vector: int
    name: str
    count: int


class Io(TypedDict):
    """Emulated accesses to an address."""

    kind: str  # port, memory, ...
    address: int
    reads: int
    writes: int
    entries: NotRequired[int]  # under KVM: for how many of them the machine's process was entered
    device: NotRequired[str | None]  # under KVM: who answers there


class Msr(TypedDict):
    """Accesses to a model-specific register."""

    number: int
    name: str | None
    reads: int
    writes: int


class Cr3(TypedDict):
    """Loads of a page table's root."""

    cr3: int
    count: int


class Latency(TypedDict):
    """A distribution of durations."""

    count: int
    seconds: float
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    p99_9_s: float | None
    max_s: float
    histogram: "list[Octave]"


class GrantPair(TypedDict):
    """Grants of one domain used by another."""

    mapper: int
    granter: int
    maps: int
    unmaps: int


Notification = TypedDict("Notification", {"from": int, "to": int, "count": int, "confidence": str})
"""Event channel notifications of one domain to another."""


class Irq(TypedDict):
    """A physical interrupt."""

    irq: int
    count: int
    seconds: float  # in its handlers
    pcpus: dict[str, int]
    latency: "Latency"


class Finding(TypedDict):
    """What a rule found: numbers that call for attention."""

    rule: str
    domid: int | None
    vcpu: int | None
    text: str
    evidence: dict[str, Any]  # units in the names


class CallTimes(TypedDict):
    """How long hypercalls of a number took (``--times``)."""

    domid: int
    vcpu: int
    nr: int
    name: str
    bound: str  # exact, or at most
    unknown: int  # calls whose end nothing tells
    latency: "Latency | None"


class Slowest(TypedDict):
    """The slowest of a kind (``--slowest``)."""

    count: int  # of all that were looked at
    slowest: "list[Slow]"


class Slow(TypedDict):
    """One that was slow."""

    domid: int
    vcpu: int
    pcpu: int | None
    reason: NotRequired[int]  # of an exit
    name: NotRequired[str]
    seconds: float
    begin_s: float
    end_s: float
    meanwhile: "list[Meanwhile]"
    records: list[dict[str, Any]]  # as `xentool dump --json` gives them


class Meanwhile(TypedDict):
    """Who ran there."""

    domid: int
    vcpu: int
    seconds: float


class Interval(TypedDict):
    """What happened in an interval (``--interval``)."""

    begin_ns: int
    end_ns: int
    domains: "list[DomainInterval]"


class DomainInterval(TypedDict):
    """What a domain did in it; null for what the trace cannot tell."""

    domid: int
    runstates: "dict[str, Share] | None"
    hypercalls: int | None
    multicall_subcalls: int | None
    exits: int | None
    interrupts: int | None  # that it got
    grant_maps: int | None  # of others' pages
    grant_unmaps: int | None
    notifications: int | None  # that it sent


class Share(TypedDict):
    """Time of all vCPUs, and its share of what they had."""

    seconds: float
    share: float | None


class Diff(TypedDict):
    """``xentool diff --json``."""

    schema: Literal["xentool.diff/1"]
    before: str  # the files
    after: str
    domains: "list[DomainChanges]"
    unmatched: "Unmatched"
    not_compared: list[str]  # kinds of measures, where one trace is of Xen and one of KVM


class Unmatched(TypedDict):
    """Domids that have no counterpart."""

    before: list[int]
    after: list[int]


class DomainChanges(TypedDict):
    """What changed in a domain, the largest changes first."""

    before: int  # its domid
    after: int
    name: str | None
    changes: "list[Change]"
    alike: int  # measures that did not change by more than chance


class Change(TypedDict):
    """A measure in both traces: in 1/s, as a share of time (runstates), or in seconds (latencies)."""

    kind: str
    name: str
    before: float
    after: float
    low: float  # of the 95 % interval of after - before
    high: float
    p: float


class KvmRecord(TypedDict):
    """``xentool dump --json`` of a trace.dat, an object a line."""

    byte_offset: int  # in its processor's pages
    tsc: int  # of the trace's clock
    ns: int  # since the first record
    pcpu: int
    domid: int | None  # of the machine whose vCPU the thread is
    vcpu: int | None
    pid: int  # the thread
    comm: str | None
    event: int
    name: str
    fields: dict[str, int | str | None]  # as the event's format names them; null beyond its end; with values' names
    took_ns: NotRequired[int]  # of what the record ends, a wait for a pCPU or a VM exit


class Record(TypedDict):
    """A line of ``xentool dump --json`` and ``export --format jsonl``; then the event's own fields."""

    byte_offset: int
    tsc: int
    ns: int | None  # since the first record
    pcpu: int
    domid: int | None
    vcpu: int | None
    event: int
    name: str
    unix_ns: NotRequired[int]  # with -t
    symbol: NotRequired[str]  # with --symbols
    extra: NotRequired[list[int]]  # words that no field is declared for
