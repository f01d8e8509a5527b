"""What `-e` means: named classes of events, and the smallest event mask that makes Xen record them.

Law: this file knows event numbers, not layouts; it imports the standard library only.

Ref: xen/include/public/trace.h, xen/common/trace.c trace(), stable-4.17 and stable-4.20
"""

from collections.abc import Iterable

from traces.plain import frozen

# TRC_ALL, which is also what Xen starts with.
ALL_EVENTS = 0x0FFF_F000
# trace() ANDs these two fields of mask and event independently, so that a mask is their cross product:
# asking for HVM_HANDLER (subclass 2) and SCHED_MIN (subclass 1) records HVM_ENTRYEXIT (HVM, subclass 1) as well.
CLASS_BITS = 0x0FFF_0000
SUBCLASS_BITS = 0x0000_F000

SCHED_MIN, SCHED_CLASS, SCHED_VERBOSE = 0x0002_1000, 0x0002_2000, 0x0002_8000
DOM0_DOMOPS = 0x0004_1000
HVM_ENTRYEXIT, HVM_HANDLER = 0x0008_1000, 0x0008_2000
MEM, SHADOW = 0x0010_F000, 0x0040_F000
PV_ENTRY, PV_SUBCALL = 0x0020_1000, 0x0020_2000
HW_IRQ = 0x0080_2000

# Without run states no record can be told to belong to a domain; the switch records of SCHED_VERBOSE hold the
# clock rate; domains that come and go (DOM0_DOMOPS) are rare.
ALWAYS = (SCHED_MIN, SCHED_VERBOSE, DOM0_DOMOPS)

# In HVM and PV events: another layout of the same event (TRC_64_FLAG), and nested virtualization.
VARIANT_BITS = 0x0000_0500
WITH_VARIANTS = (HVM_ENTRYEXIT & CLASS_BITS, PV_ENTRY & CLASS_BITS)

HYPERCALL_EVENTS = frozenset({PV_ENTRY + 1, PV_ENTRY + 13, PV_SUBCALL + 14, HVM_HANDLER + 0x12})


@frozen
class EventClass:
    """One name for `-e`: which events it means.

    :param meaning: one line for help texts
    :param events: single events of it, without their variant bits
    :param whole: subclasses (or classes) of which every event belongs to it
    :param hypercalls: numbers of the hypercalls that belong to it
    """

    meaning: str
    events: frozenset[int] = frozenset()
    whole: tuple[int, ...] = ()
    hypercalls: frozenset[int] = frozenset()


def _events(base: int, *offsets: int) -> frozenset[int]:
    return frozenset(base + offset for offset in offsets)


CLASSES: dict[str, EventClass] = {
    "hypercall": EventClass("hypercalls and multicall sub-calls", HYPERCALL_EVENTS),
    "grant": EventClass(
        "grant maps, unmaps and transfers, grant_table_op",
        _events(MEM, 1, 2, 3),
        hypercalls=frozenset({20}),
    ),
    "evtchn": EventClass("event_channel_op, and the notifications inferred from it", hypercalls=frozenset({32})),
    "sched": EventClass(
        "run states, switches, the scheduler's own events",
        whole=(SCHED_MIN, SCHED_CLASS, SCHED_VERBOSE),
    ),
    "exit": EventClass("VM entries and exits of PVH and HVM guests", whole=(HVM_ENTRYEXIT,)),
    "mm": EventClass(
        "page tables, page faults, shadow and p2m",
        _events(MEM, 4, 5, 16, 17, 18) | _events(PV_ENTRY, 4, 9, 11, 12) | _events(HVM_HANDLER, 0x01, 0x02, 0x14, 0x21),
        whole=(SHADOW,),
        hypercalls=frozenset({1, 14, 22, 26}),  # mmu_update, update_va_mapping, ..._otherdomain, mmuext_op
    ),
    "trap": EventClass(
        "traps, exceptions, NMI and machine checks",
        _events(PV_ENTRY, 3, 5, 7, 8, 10) | _events(HVM_HANDLER, 0x03, 0x10, 0x11, 0x15, 0x23, 0x24),
    ),
    "irq": EventClass(
        "hardware interrupts and those injected into guests",
        _events(HVM_HANDLER, 0x04, 0x05, 0x0F, 0x20, 0x25),
        whole=(HW_IRQ,),
    ),
    "io": EventClass(
        "port and memory-mapped I/O, emulated privileged instructions",
        _events(PV_ENTRY, 6) | _events(HVM_HANDLER, 0x06, 0x07, 0x16, 0x17, 0x216, 0x217),
    ),
}


def mask_for(places: Iterable[int]) -> int:
    """Return the event mask with the fewest bits that records some subclasses and what every report needs."""
    mask = 0
    for subclass in (*ALWAYS, *places):
        mask |= subclass & CLASS_BITS
        # An event with all four bits passes with any of them, and `ALWAYS` brings one.
        if subclass & SUBCLASS_BITS != SUBCLASS_BITS:
            mask |= subclass & SUBCLASS_BITS
    return mask


def is_recorded(event: int, mask: int) -> bool:
    """Tell whether Xen records an event under an event mask, as xen/common/trace.c trace() decides it."""
    return bool(mask & event & CLASS_BITS and mask & event & SUBCLASS_BITS)


def classes_of(event: int, hypercall: int | None = None) -> frozenset[str]:
    """Return the classes that an event belongs to; empty for what has no name here (power management, ...).

    :param event: the record's 28-bit event
    :param hypercall: for a hypercall record, the number of the hypercall
    """
    plain = event & ~VARIANT_BITS if event & CLASS_BITS in WITH_VARIANTS else event
    called = hypercall if plain in HYPERCALL_EVENTS else None
    return frozenset(
        name
        for name, kind in CLASSES.items()
        if plain in kind.events
        or called in kind.hypercalls
        or any(plain & CLASS_BITS == place & CLASS_BITS and plain & place & SUBCLASS_BITS for place in kind.whole)
    )
