"""What Xen records of shadowed page tables (TRC_SHADOW). None of these has a time stamp.

How wide a page-table entry and an address are depends on the guest's levels of page tables, which bits 9:8 of the id
tell: 0 for two levels, 1 for three (PAE), 2 for four.

Ref: xen/arch/x86/mm/shadow/{multi,common,oos}.c at Xen 4.22 (c447b7308b), and at 4.14, where the events about
unshadowing lack the flags.
"""

from traces.xen.formats.event import Event
from traces.xen.formats.layout import Int32ul, Int64ul, Struct

SHADOW_CLASS = 0x0040F000
LEVELS_SHIFT = 8
LEVELS_MASK = 3 << LEVELS_SHIFT

#: (page-table entry or frame, address) by levels of page tables.
_WIDTHS = ((Int32ul, Int32ul), (Int64ul, Int32ul), (Int64ul, Int64ul))
_Address = [Struct("address" / address) for _, address in _WIDTHS]
_Entry = [Struct("pte" / entry, "address" / address, "flags" / Int32ul) for entry, address in _WIDTHS]
_Frame = [Struct("gfn" / frame, "address" / address, "flags" / Int32ul) for frame, address in _WIDTHS]
# ``written`` are the bytes that the guest wrote, which need not be a whole entry.
_Emulate = [
    Struct("pte" / entry, "written" / entry, "address" / address, "flags" / Int32ul) for entry, address in _WIDTHS
]
_Gfn = Struct("gfn" / Int64ul)


def _event(number: int, name: str, layouts: list[Struct]) -> Event:
    return Event(SHADOW_CLASS + number, f"shadow_{name}", layouts[0], by_levels=tuple(layouts[1:]))


SHADOW_EVENTS = (
    _event(0x1, "not_shadow", _Entry),
    _event(0x2, "fast_propagate", _Address),
    _event(0x3, "fast_mmio", _Address),
    _event(0x4, "false_fast_path", _Address),
    _event(0x5, "mmio", _Address),
    _event(0x6, "fixup", _Entry),
    _event(0x7, "domf_dying", _Address),
    _event(0x8, "emulate", _Emulate),
    _event(0x9, "emulate_unshadow_user", _Frame),
    _event(0xA, "emulate_unshadow_evtinj", _Frame),
    _event(0xB, "emulate_unshadow_unhandled", _Frame),
    # These know no levels.
    Event(SHADOW_CLASS + 0xC, "shadow_wrmap_bf", _Gfn),
    Event(SHADOW_CLASS + 0xD, "shadow_prealloc_unpin", _Gfn),
    Event(SHADOW_CLASS + 0xE, "shadow_resync_full", _Gfn),
    Event(SHADOW_CLASS + 0xF, "shadow_resync_only", _Gfn),
)
