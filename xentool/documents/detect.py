"""What virtualizes a machine."""

from typing import Literal, TypedDict


class Detected(TypedDict):
    """``xentool detect --json``."""

    schema: Literal["xentool.detect/1"]
    virtualized: bool | None  # null when nothing readable could tell; false is "no sign of it"
    bare: "list[Evidence]"  # that no hypervisor is there
    layers: "list[Layer]"  # outermost first
    hosted: "list[Layer]"  # hypervisors that could run guests here
    techniques: "list[Technique]"
    contradictions: "list[Contradiction]"
    unread: list[str]  # paths that this user may not read


class Evidence(TypedDict):
    """What was read, and where."""

    source: str
    value: str


class Layer(TypedDict):
    """One thing that virtualizes, or could."""

    name: str
    kind: Literal["type-1", "type-2", "container", "unknown"]
    evidence: "list[Evidence]"
    note: str
    product: str | None  # what runs the hypervisor or is built on it
    role: Literal["dom0", "domU"] | None  # under Xen
    mode: Literal["PV", "PVH", "HVM"] | None  # of a Xen domain
    version: str | None
    presents: list[str]  # hypervisors whose interfaces it shows besides its own
    contested: bool  # a contradiction puts it in doubt


class Technique(TypedDict):
    """One technique: whether this machine is run by it, and whether it has it for guests of its own."""

    area: Literal["cpu", "memory", "io", "isolation"]
    name: str
    used: "Statement"
    offered: "Statement"


class Statement(TypedDict):
    """Whether something is so, why, and what was read."""

    state: Literal["yes", "implied", "no", "unknown"]
    why: str
    evidence: "list[Evidence]"
    by: str | None  # the layer that does it


class Contradiction(TypedDict):
    """Two things that were read and do not agree."""

    text: str
    evidence: "list[Evidence]"
