"""Techniques of virtualization side by side."""

from typing import Any, Literal, TypedDict


class Compare(TypedDict):
    """``xentool compare --json``. Counts are per request, without what surrounds any work."""

    schema: Literal["xentool.compare/1"]
    emulated: bool  # processors were: times say nothing of real ones
    works: dict[str, str]  # what a request of each is
    techniques: "list[Technique]"
    left_out: dict[str, str]  # techniques that were asked for and not tried, and why


class Technique(TypedDict):
    """What works took under one technique."""

    name: str
    meaning: str
    runs: str  # the hypervisor and its host's kernel, with their versions
    backend: str  # what serves the guest's devices
    works: "list[Work]"


class Work(TypedDict):
    """What one work took."""

    work: str
    requests: int  # of each phase
    figures: "dict[str, PerRequest]"  # doorbells, completions, exits, …; one that no trace tells of is left out
    kinds: dict[str, dict[str, float]]  # by figure: means per request by kind, such as an exit's reason
    shares: dict[str, float]  # of the window: guest, hypervisor, device_model, waiting, blocked; besides, backend
    seconds: "PerRequest"


class PerRequest(TypedDict):
    """A count per request."""

    mean: float
    plus_minus: float | None  # half of the 95 % confidence interval over repeats; null of one repeat
    repeats: list[float]


class Phases(TypedDict):
    """The file ``TRACE.phases.json`` beside a trace that ``xentool compare --keep`` kept: what its guest did."""

    schema: Literal["xentool.phases/1"]
    technique: str
    meaning: str
    runs: str
    backend: str
    emulated: bool
    mode: Literal["pv", "pvh", "kvm"]
    domid: int  # under KVM QEMU's process
    vcpus: int
    hz: float  # of a trace of Xen: rate of the clock
    vendor: str | None  # of a trace of Xen: of the processors
    works: list[list[Any]]  # each phase's work and requests, in order
