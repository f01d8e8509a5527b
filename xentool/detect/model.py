"""The answer's shape. Nothing here reads or decides."""

from dataclasses import dataclass, field
from typing import Literal

#: Type-1 runs on the bare machine, type-2 in a host's operating system, a container shares its host's kernel.
Kind = Literal["type-1", "type-2", "container", "unknown"]
#: yes: what was read says so; implied: what was found works no other way; no: excluded by either; unknown: neither.
State = Literal["yes", "implied", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read, and where: a path below the root, with what is meant in it; printable and short."""

    source: str
    value: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that virtualizes, or could (`Answer.hosted`).

    :param name: of the hypervisor or container manager
    :param note: what to know about its kind
    :param product: what runs the hypervisor or is built on it: QEMU, Amazon EC2
    :param role: of this machine under Xen: dom0 or domU
    :param mode: of a Xen domain: PV, PVH, HVM
    :param presents: hypervisors whose interfaces it shows to its guests besides its own
    :param contested: a contradiction puts it in doubt
    """

    name: str
    kind: Kind
    evidence: tuple[Evidence, ...]
    note: str = ""
    product: str | None = None
    role: Literal["dom0", "domU"] | None = None
    mode: Literal["PV", "PVH", "HVM"] | None = None
    version: str | None = None
    presents: tuple[str, ...] = ()
    contested: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """Whether something is so, why, and what was read; ``by`` names the layer that does it."""

    state: State = "unknown"
    why: str = ""
    evidence: tuple[Evidence, ...] = ()
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique: whether this machine is run by it, and whether it has it for guests of its own."""

    area: Literal["cpu", "memory", "io", "isolation"]
    name: str
    used: Statement = field(default_factory=Statement)
    offered: Statement = field(default_factory=Statement)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two things that were read and do not agree."""

    text: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """All that is known.

    :param virtualized: None when nothing readable could tell; False is "no sign of it", which a hypervisor can arrange
    :param bare: the evidence that no hypervisor is there
    :param layers: outermost first
    :param hosted: hypervisors that could run guests here
    :param unread: paths that this user may not read
    """

    virtualized: bool | None
    bare: tuple[Evidence, ...]
    layers: tuple[Layer, ...]
    hosted: tuple[Layer, ...]
    techniques: tuple[Technique, ...]
    contradictions: tuple[Contradiction, ...]
    unread: tuple[str, ...]
