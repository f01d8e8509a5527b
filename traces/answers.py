"""The answer that a trace gives: frozen classes, one in the other, of plain values, to be kept or sent.

Law: nothing here counts or prints. ``analyses.report`` makes a ``Report``, analyses and exporters take it.
"""

from collections.abc import Mapping

from traces.account import IDLE_DOMID, NO_SHIFTS, UNKNOWN_DOMID, Account, Diagnostic, Skew
from traces.choice.where import EVERYTHING, Where
from traces.counting.clock import Clock
from traces.counting.latencies import Distribution
from traces.counting.wallclock import Recorded
from traces.plain import field, frozen
from traces.xen.formats.event import Release
from traces.xen.formats.exits import AMDS_ID, NESTED, Vendor, exit_name, reason_of

#: What a vCPU may do, in the order of ``counting.states``.
RUNSTATE_NAMES = ("running", "runnable", "blocked", "offline", "lost")
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


@frozen
class Runstate:
    """One run state of one vCPU.

    ``count`` intervals were seen from beginning to end; ``seconds`` is all time in the state, ``clipped_seconds`` of
    it outside of counted intervals. ``histogram`` is how many counted intervals took at least so many
    seconds, and less than so many, by octaves of the clock's cycles. ``modes`` splits running, where a vCPU is a
    thread: seconds in the guest, in the kernel, and in its machine's process.
    """

    count: int
    seconds: float
    clipped_seconds: float
    histogram: Mapping[tuple[float, float], int] = field(default_factory=dict)
    modes: Mapping[str, float] = field(default_factory=dict)


@frozen
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


@frozen
class Io:
    """Accesses of a guest to a port or to memory ("port", "memory") that a hypervisor or a device model emulates.

    Of Xen, above 4 GiB, ``address`` is that of its page. Of KVM, ``entries`` is for how many of them the machine's
    process was entered, the others were answered in the kernel; ``device`` is who answers there, as far as it is known.
    """

    kind: str
    address: int
    reads: int
    writes: int
    entries: int | None = None
    device: str | None = None


@frozen
class Msr:
    """Accesses of a guest of KVM's to a model-specific register, with an exit each; ``name`` where it is known."""

    number: int
    name: str | None
    reads: int
    writes: int


@frozen
class Exit:
    """VM exits of one kind: seconds in Xen, and apart from them those while the vCPU was descheduled.

    ``key`` is that of ``formats.exits.key_of``; ``latency`` how long each was in Xen, of those that a VM entry ended.
    Of KVM, the kernel stands for Xen, and ``user_seconds`` were spent in the machine's process.
    """

    key: int
    name: str
    count: int
    seconds: float
    descheduled_seconds: float
    latency: Distribution = field(default_factory=Distribution)
    user_seconds: float | None = None

    @property
    def reason(self) -> int:
        """As it was recorded."""
        return reason_of(self.key)

    @property
    def nested(self) -> bool:
        """Whether it was a nested guest's."""
        return bool(self.key & NESTED)


@frozen
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


@frozen
class Trap:
    """How often a PV guest's exception reached Xen."""

    vector: int
    name: str
    count: int


@frozen
class Wait:
    """A time that a vCPU waited for a pCPU: seconds since the trace's beginning, and the pCPU where it ran then.

    ``offset`` is where in the file the record that ended it is, in bytes; None where nobody noted it.
    """

    begin: float
    end: float
    pcpu: int
    offset: int | None = None


@frozen
class Together:
    """How often, and for how many seconds, the vCPUs of a domain were together one of ``CONTENTION_NAMES``."""

    count: int
    seconds: float


@frozen
class Batches:
    """How often a batching hypercall was made, and how many operations those calls asked for."""

    calls: int
    items: int


@frozen
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
    #: Of KVM, the most frequent first.
    msrs: tuple[Msr, ...] = ()
    #: Of KVM, how often the machine's process was entered, by the reason for it.
    entries: Mapping[str, int] = field(default_factory=dict)


@frozen
class DomainReport:
    """What one domain did; ``mode`` is "pv", "hvm", "pvh", "kvm", "idle" or "unknown"."""

    domid: int
    name: str | None
    mode: str
    vcpus: tuple[VcpuReport, ...]
    #: By ``CONTENTION_NAMES``; empty where the trace does not tell. All together are the span.
    contention: Mapping[str, Together] = field(default_factory=dict)
    #: Where the trace tells: when it was created and destroyed, in seconds since the first record; None for before the
    #: trace, and after. Several, where its number was used again.
    lives: tuple[tuple[float | None, float | None], ...] = ()


@frozen
class GrantPair:
    """Pages that ``mapper`` mapped and unmapped of those that ``granter`` granted (domids)."""

    mapper: int
    granter: int
    maps: int
    unmaps: int
    #: Where in the file the first map is, in bytes; of pairs without one, the first unmap.
    first_offset: int = 0


@frozen
class Irq:
    """Hardware interrupts of one number: seconds that Xen took to handle them, each of them, and how many by pCPU."""

    irq: int
    count: int
    seconds: float
    latency: Distribution
    pcpus: Mapping[int, int]


@frozen
class Notification:
    """Event channel notifications between two domains (domids), as far as they can be inferred.

    ``confidence`` that these two have a channel is "high" where something else tells of one: the other side notifies as
    well, or one maps the other's pages. It is "low" where a chance wake may account for all, and "likely" otherwise.
    """

    source: int
    target: int
    count: int
    confidence: str


@frozen
class Numbering:
    """Whose exit reasons are those under Intel's event id, and who says so.

    ``source`` is "option", "host", "trace", or "default" where nothing tells. ``in_doubt`` is whether nothing is sure,
    or much speaks against it. ``by_id`` is whether AMD's own event id means AMD, whatever ``vendor`` is.
    """

    vendor: Vendor
    source: str
    in_doubt: bool = False
    by_id: bool = True
    diagnostics: tuple[Diagnostic, ...] = ()
    #: By reason, as the trace itself has them; of KVM.
    names: Mapping[int, str] = field(default_factory=dict)

    def of(self, key: int) -> Vendor:
        """Say whose a kind of exits is, by ``formats.exits.key_of``."""
        return "amd" if self.by_id and key & AMDS_ID else self.vendor

    def name(self, key: int) -> str:
        """Name a kind of exits, by ``formats.exits.key_of``."""
        if key in self.names:
            return self.names[key]
        return exit_name(key, self.of(key))


#: Of a trace that has no exits, and of one that is not known yet.
UNKNOWN = Numbering("intel", "default")


@frozen
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
    #: The wall clock at the first record; None where nobody noted it, or what was noted does not fit the trace.
    recorded: Recorded | None = None
    noted: bool = False
    #: As the host gives it.
    xen_version: str | None = None
    #: Whose exit reasons they are.
    exits: Numbering = UNKNOWN
    #: What the source has no record for, in words.
    not_recorded: tuple[str, ...] = ()
    #: None where no run states contradict one another.
    skew: Skew | None = None
    #: Whether run states are recorded at all.
    run_states: bool = True
    #: The newest release of Xen that may have recorded it, where the records themselves tell.
    newest_release: Release | None = None
    #: "xentrace", or "kvm" of a Linux kernel that ran machines, and which kernel.
    source: str = "xentrace"
    kernel: str | None = None
    #: How long the trace is, where a stretch of it was chosen by times, and that is known.
    whole_s: float | None = None

    @property
    def told(self) -> tuple[DomainReport, ...]:
        """What people are told about: all domains but the idle one, and the unknown one only where it is not known why.

        Where run states are recorded, it holds no more than what came before the first of each pCPU.
        """
        left_out = (IDLE_DOMID, UNKNOWN_DOMID) if self.run_states else (IDLE_DOMID,)
        # A machine of KVM's may have any number.
        return tuple(domain for domain in self.domains if domain.domid not in left_out or domain.mode == "kvm")

    @property
    def shifts(self) -> Mapping[int, int]:
        """Cycles to add to the time stamps of pCPUs, as this report has done, so that their clocks agree."""
        return self.skew.shifts if self.skew else NO_SHIFTS
