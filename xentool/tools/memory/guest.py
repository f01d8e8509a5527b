"""What a walk needs of a guest, whoever runs it, and what is known of its frames. Data; the sources are beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from xentool.tools.memory.paging import PAGE_SHIFT, Paging

#: Owners that are no domains: Xen, and devices. Ref: xen/include/public/xen.h, DOMID_XEN, DOMID_IO
XEN, DEVICES = 0x7FF2, 0x7FF1


class Kind(Enum):
    """By what means a guest's addresses become the machine's."""

    DIRECT = "direct"
    NESTED = "nested"
    SHADOW = "shadow"


@dataclass(frozen=True)
class Vcpu:
    """A vCPU at a moment.

    :param rip: the linear address that it executes
    :param user: whether it is in user mode
    :param registers: control registers, by name, as far as they are told
    """

    number: int
    rip: int
    user: bool
    paging: Paging
    registers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """A guest.

    :param domid: of Xen; QEMU's process of KVM
    :param type: pv, pvh, hvm or kvm
    :param frames: what numbers in its tables count: machine frames (mfn), or its own (gfn)
    """

    domid: int
    name: str | None
    type: str
    kind: Kind
    frames: str
    vcpu: Vcpu
    paused: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of a frame that tables lead to; None for what nobody tells.

    :param mfn: in the machine
    :param gfn: the guest's own number of it (of PV: its pfn)
    :param owner: domid of whose it is; `XEN` and `DEVICES` are no domains
    :param special: whether it is a page of Xen's that it shares with its owner
    :param table: of a PV guest's page table, its level; Xen keeps it from being written to by any but itself
    :param pinned: whether it stays one, though nothing leads to it
    :param hva: where it is in QEMU's address space
    """

    mfn: int | None = None
    gfn: int | None = None
    owner: int | None = None
    special: bool = False
    table: int | None = None
    pinned: bool = False
    hva: int | None = None

    def at(self, distance: int) -> "Facts":
        """Give what is known so many bytes further on, if all lies there as it does here."""
        frames = distance >> PAGE_SHIFT
        return replace(
            self,
            mfn=None if self.mfn is None else self.mfn + frames,
            gfn=None if self.gfn is None else self.gfn + frames,
            hva=None if self.hva is None else self.hva + distance,
        )


class Guest(Protocol):
    """A guest whose memory can be looked at."""

    @property
    def subject(self) -> Subject: ...  # noqa: D102

    def read(self, frame: int) -> bytes | None:
        """Give a frame's 4096 bytes; None where it cannot be read.

        :raises XentoolError: whoever is asked is gone
        """
        ...

    def facts(self, frames: Sequence[int]) -> list[Facts]:
        """Tell about frames, in their order.

        :raises XentoolError: as above
        """
        ...
