"""Many captures at once."""

from typing import Literal, TypedDict


class Fleet(TypedDict):
    """``xentool fleet report --json``."""

    schema: Literal["xentool.fleet/1"]
    totals: "Totals"
    by: str  # what groups have in common: host, domain, day, …
    groups: "list[Group]"  # by name; beyond a thousand, "others"
    captures: "list[Capture]"
    outliers: "list[Outlier]"  # captures that stand out, the least likely first
    slowest: "list[SlowWait]"  # the longest waits for a pCPU of all captures whose clock is known
    failed: "list[Failed]"  # what could not be read, and what is damaged
    others: int  # files in folders that are no captures
    kept: int  # captures of which an earlier run's answer was taken
    interrupted: bool  # by Ctrl-C: it is about what was read until then
    seconds: "Seconds"
    workers: int  # 0 where nothing had to be read
    memory: "Memory"


class Totals(TypedDict):
    """Sums over all captures."""

    captures: int
    sources: dict[str, int]  # how many are of xentrace, how many of kvm
    failed: int
    bytes: int
    records: int
    lost_records: int
    skipped_bytes: int
    seconds: float


class Group(TypedDict):
    """Captures that have something in common, added up; by domain, what that domain did."""

    name: str
    source: str  # of all of them: those of another are a group of the same name
    captures: int
    seconds: float
    hypercalls: int
    exits: int
    pages_mapped: int  # of its own that others mapped
    runstates: dict[str, float]  # shares of the vCPUs' time
    waits: "dict[str, Waits]"  # wake_to_run, preempted_to_run, exits


class Waits(TypedDict):
    """A distribution; its quantiles are at most a quarter off."""

    count: int
    p50_s: float
    p90_s: float
    p99_s: float
    p99_9_s: float
    max_s: float


class Capture(TypedDict):
    """One capture."""

    file: str
    host: str | None
    day: str | None  # of its first record, by its host's clock
    source: str  # xentrace or kvm
    version: str | None  # of Xen, or of a kernel
    records: int
    lost_records: int
    bytes: int
    seconds: float
    domains: list[str]
    damage: str | None


class Outlier(TypedDict):
    """A capture that stands out."""

    file: str
    why: str  # the first of its measures in words
    measures: "list[Measure]"


class Measure(TypedDict):
    """A measure by which a capture stands out."""

    domain: str | None
    kind: str  # hypercalls, exits and grants in 1/s, runstates and records as shares, latencies: p99 in seconds
    name: str
    value: float
    usual: float  # the median of all captures of the same source that have such a domain
    p: float  # how likely it is to be chance


class SlowWait(TypedDict):
    """A time that a vCPU waited for a pCPU."""

    file: str
    domain: str
    vcpu: int
    pcpu: int
    begin_s: float
    seconds: float
    offset: int | None  # where in the (unpacked) file the record that ended it is, in bytes


class Failed(TypedDict):
    """What could not be read, or not as a whole."""

    url: str
    error: str


class Seconds(TypedDict):
    """What it took."""

    start: float  # until the workers were there
    work: float


class Memory(TypedDict):
    """The most bytes that a process had."""

    client: int
    worker: int


class FleetRecord(TypedDict):
    """``xentool fleet record --json``."""

    schema: Literal["xentool.fleet.record/1"]
    recorded: "list[RecordedHost]"
    failed: "list[MissedHost]"
    spread_s: float | None  # between the first that began and the last, as far as clocks tell; null with fewer than two
    interrupted: bool


class RecordedHost(TypedDict):
    """A host and its capture."""

    host: str  # as it was given
    file: str
    kind: Literal["xen", "kvm"]
    version: str | None  # of Xen, or of the kernel
    bytes: int
    seconds: float
    began: str | None  # by this machine's clock, in UTC, as far as the host's offset is known
    clock: "HostClock"


class HostClock(TypedDict):
    """A host's clock against this machine's, when the host got ready: at most ``--timeout`` before it was recorded."""

    offset_s: float  # by how much the host's is ahead
    error_s: float  # it is known to so much on either side


class MissedHost(TypedDict):
    """A host that was not recorded, or not to the end."""

    host: str
    error: str
    file: str | None  # what came before it failed


class FleetDiff(TypedDict):
    """``xentool fleet diff --json``."""

    schema: Literal["xentool.fleet.diff/1"]
    before: int  # captures of A
    after: int  # captures of B
    domains: "list[DomainDiff]"
    few: list[str]  # domains that fewer than three captures of A or B have: not compared
    failed: "list[Failed]"
    interrupted: bool
    seconds: "Seconds"


class DomainDiff(TypedDict):
    """What changed in domains of one name."""

    name: str | None  # null for what captures are as such: lost records
    source: str | None  # xentrace or kvm: domains are compared among those of one
    before: int  # captures of A that have it
    after: int
    changes: "list[FleetChange]"
    alike: int  # measures that differ by no more than by chance


class FleetChange(TypedDict):
    """A measure in both groups: means over captures."""

    kind: str  # see Measure
    name: str
    before: float
    after: float
    low: float  # of the 95 % interval of after - before
    high: float
    p: float


class FleetConversion(TypedDict):
    """``xentool fleet convert --json``."""

    schema: Literal["xentool.fleet.convert/1"]
    to: str  # the dataset
    totals: "Converted"
    captures: "list[ConvertedCapture]"  # those that were converted
    kept: int  # captures that were there, and have not changed since
    failed: "list[Failed]"  # what could not be read, and what is damaged
    others: int  # files in folders that are no captures
    interrupted: bool  # by Ctrl-C: what is there is whole, and another run goes on
    seconds: "Seconds"
    workers: int  # 0 where nothing had to be converted
    memory: "Memory"


class Converted(TypedDict):
    """Sums over what was converted."""

    captures: int
    records: int
    bytes: int  # of their files


class ConvertedCapture(TypedDict):
    """One capture, and its file."""

    file: str
    path: str  # below the dataset
    records: int
    bytes: int
