"""A guest's addresses, through its page tables to the machine. Addresses and frames are texts, as in 0x1a44."""

from typing import Literal, TypedDict


class Walk(TypedDict):
    """``xentool walk --json``: one address."""

    schema: Literal["xentool.walk/1"]
    domid: int  # of KVM: QEMU's process
    name: str | None
    type: str  # pv, pvh, hvm, kvm
    paused: bool  # by somebody else: a walk pauses nothing
    paging: "Paging"
    vcpu: "Vcpu"
    not_told: list[str]  # what nobody tells about such a guest, in sentences
    va: str
    is_rip: bool
    settled: bool  # whether two walks in a row agreed
    levels: "list[Level]"  # from the root down
    end: str  # page, not present, reserved bits, table not readable, not canonical, paging is off
    address: str | None  # of the byte, in the memory that tables speak of
    page_bytes: int | None  # of the page: 4096, 2097152, 1073741824
    allows: list[str]  # by all levels together: writable, user, executable
    page: "Frame | None"


class Range(TypedDict):
    """``xentool walk --pages RANGE --json``: many."""

    schema: Literal["xentool.walk.pages/1"]
    domid: int
    name: str | None
    type: str
    paused: bool
    paging: "Paging"
    vcpu: "Vcpu"
    not_told: list[str]
    ranges: "list[Run]"
    cut_at: str | None  # where it would go on, if it has more pages than are walked at once


class Paging(TypedDict):
    """How a vCPU translates."""

    kind: str  # direct, nested, shadow
    mode: str | None  # 5-level, 4-level, PAE, 2-level; null where paging is off
    root: str  # address of the first table
    tables_hold: str  # machine frames, guest frames


class Vcpu(TypedDict):
    """A vCPU at that moment."""

    vcpu: int
    rip: str
    user_mode: bool
    registers: dict[str, str]  # cr0, cr3, cr4, efer, as far as they are told


class Level(TypedDict):
    """A table on the way."""

    level: int
    index: int
    table: "Table"
    entry: "Entry | None"  # null where the table cannot be read


class Entry(TypedDict):
    """An entry of a table."""

    value: str
    leads_to: str  # table, page, not present, reserved bits
    address: str | None
    flags: list[str]
    software_bits: list[int]  # set, and free for software
    reserved_bits: list[int]  # set, and must not be


class Frame(TypedDict):
    """What is known of a frame of 4 KiB; null for what nobody tells."""

    mfn: str | None  # in the machine; of KVM the host's
    gfn: str | None  # the guest's own number: of PV its pfn
    owner: int | None  # a domid; 32754 is Xen itself, 32753 a device
    special: bool  # a page of Xen's that it shares with its owner
    table_level: int | None  # of a PV guest's page table
    pinned: bool
    hva: str | None  # of KVM: where it is in QEMU's address space


class Table(TypedDict):
    """A table."""

    address: str
    frame: "Frame"


class Run(TypedDict):
    """Addresses that are alike, and lie in memory one behind the other."""

    va: str
    bytes: int
    end: str
    pages: int
    page_bytes: int | None
    address: str | None  # of the first
    allows: list[str]
    flags: list[str]  # of the entries that map them, without accessed and dirty
    page: Frame | None  # the first
