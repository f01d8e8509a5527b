"""What is told of a recording, and kept beside it."""

from typing import Literal, TypedDict


class Recording(TypedDict):
    """``xentool record --json``: what was captured, and where."""

    schema: Literal["xentool.record/1"]
    file: str
    host: str
    xen_version: str
    pcpus: int
    hz: float  # rate of the time stamps, as Xen measured it when it booted
    domain: "RecordedDomain | None"  # null with --all
    mask: int  # Xen's event mask
    classes: list[str]
    buffer_pages: int  # 4 KiB pages per CPU that Xen's buffers really have
    bytes: int
    seconds: float
    interrupted: bool  # ended by Ctrl-C; the data are whole all the same
    tracer_share: float | None  # of one of dom0's processors


class RecordedDomain(TypedDict):
    """For which domain it was."""

    domid: int
    name: str | None
    type: str | None
    vcpus: int


class KvmRecording(TypedDict):
    """``xentool record --json`` on a KVM host: which machine was recorded, and where."""

    schema: Literal["xentool.kvm.record/1"]
    file: str
    host: str
    kernel: str | None
    machine: "RecordedMachine"
    bytes: int  # of the trace.dat
    records: int
    lost_records: int  # by the kernel's own count
    seconds: float | None
    interrupted: bool  # ended by Ctrl-C; the data are whole all the same


class RecordedMachine(TypedDict):
    """A machine of KVM's."""

    pid: int  # of its process
    name: str | None


class KvmSidecar(TypedDict):
    """``FILE.meta.json``, beside a trace.dat: what only the host knew."""

    schema: Literal["xentool.kvm.capture/1"]
    host: str
    kernel: str | None
    command: list[str]
    begin: str | None
    end: str | None
    clock: "Clock | None"  # where several hosts were recorded together
    machines: "list[SidecarMachine]"


class SidecarMachine(TypedDict):
    """A machine that was recorded."""

    pid: int
    name: str | None
    threads: "list[SidecarThread]"


class SidecarThread(TypedDict):
    """One of its process's, or of the kernel's that work for it."""

    tid: int
    name: str | None


class Sidecar(TypedDict):
    """``FILE.meta.json``, beside a capture: what only the host knew."""

    schema: Literal["xentool.capture/1"]
    host: str
    xen_version: str
    hz: float
    vendor: Literal["intel", "amd"] | None
    mask: int
    command: list[str]
    tracer_cpu_share: float | None
    recorded: "Noted | None"
    clock: "Clock | None"  # where several hosts were recorded together
    domains: "list[SidecarDomain]"


class Clock(TypedDict):
    """A host's clock against that of the machine where the capture is kept."""

    offset_s: float  # by how much the host's is ahead
    error_s: float  # it is known to so much on either side


class SidecarDomain(TypedDict):
    """A domain when the capture began."""

    domid: int
    name: str | None
    type: str | None


class Noted(TypedDict):
    """When, by dom0's clock: ISO 8601 with its zone."""

    begin: str
    end: str | None
    pairs: "list[Pair]"


class Pair(TypedDict):
    """Clock and time stamp counter, read together."""

    tsc: int
    at: str
    error_s: float


class EventsMetadata(TypedDict):
    """The metadata of Parquet files (``schema`` and others, as text): the columns are in reading.md."""

    schema: Literal["xentool.events/1"]
    hz: str
    hz_source: str
    pandas: str  # what tells pandas to keep numbers whole


class RecordsMetadata(TypedDict):
    """The same of the files of a dataset: the columns are in datasets.md."""

    schema: Literal["xentool.records/1"]
    hz: str
    hz_source: str
    source: str  # what the capture was called
    pandas: str  # what tells pandas to keep numbers whole
