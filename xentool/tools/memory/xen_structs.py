"""What Xen tells about a domain and a vCPU: bytes of its structs → our words. A test holds offsets to its headers.

Ref: xen/include/public/domctl.h (4.17: version 0x15, 4.20: 0x17), arch-x86/xen.h, arch-x86/xen-x86_64.h and _32.h,
arch-x86/hvm/save.h; xen/arch/x86/domctl.c, arch_get_info_guest()
"""

import struct
from typing import NamedTuple

from xentool.tools.memory.guest import Vcpu
from xentool.tools.memory.paging import FOUR_LEVELS, PAGE_SHIFT, PV32, Paging, paging

#: xen_domctl_getdomaininfo, its beginning: field → format, offset. So are those below.
DOMAIN = {"domain": ("H", 0), "flags": ("I", 4), "max_vcpu_id": ("I", 68)}
#: As much of it as the side in dom0 hands over.
DOMAIN_BYTES = 96
DOMINF_DYING, DOMINF_HVM, DOMINF_PAUSED, DOMINF_HAP = 1 << 0, 1 << 1, 1 << 3, 1 << 8

PV64 = {"flags": ("Q", 512), "rip": ("Q", 648), "cr0": ("Q", 4984), "cr3": ("Q", 5008), "cr4": ("Q", 5016)}
PV_32 = {"flags": ("I", 512), "rip": ("I", 548), "cr0": ("I", 2716), "cr3": ("I", 2728), "cr4": ("I", 2732)}
VGCF_IN_KERNEL = 1 << 2

HVM = {
    "rip": ("Q", 640),
    "cr0": ("Q", 656),
    "cr3": ("Q", 672),
    "cr4": ("Q", 680),
    "cs_base": ("Q", 808),
    "cs_arbytes": ("I", 888),
    "ss_arbytes": ("I", 908),
    "efer": ("Q", 992),
}
_CS_LONG = 1 << 9  # attributes as Xen packs them: type, s, dpl, p, avl, l, db, g
_DPL_SHIFT, _USER_RING = 5, 3

#: XEN_DOMCTL_PFINFO_*: what a frame is; tables count from 1 to 4, and are pinned or not.
PFINFO_MASK, PFINFO_XTAB, PFINFO_L1TAB, PFINFO_L4TAB, PFINFO_LPINTAB = 0xF << 28, 0xF << 28, 1 << 28, 4 << 28, 1 << 31
#: An element of the table of machine frames whose highest bit is set is none. Ref: asm-x86/mm.h, VALID_M2P
_NO_PFN = 1 << 63

#: Bits of entries that Xen writes into a 64-bit PV guest's. Ref: asm/x86_64/page.h, _PAGE_GUEST_KERNEL, _PAGE_GNTTAB
MARKS = {52: "kernel's", 62: "grant"}


class Domain(NamedTuple):
    """A domain, as Xen has it.

    :param max_vcpu: the highest number of a vCPU
    """

    domid: int
    hvm: bool
    hap: bool
    paused: bool
    dying: bool
    max_vcpu: int


def domains(told: bytes) -> list[Domain]:
    """Read domains, `DOMAIN_BYTES` each; what is left over is left out."""
    found = []
    for at in range(0, len(told) - DOMAIN_BYTES + 1, DOMAIN_BYTES):
        of = _fields(DOMAIN, told[at:])
        hvm, hap, paused, dying = (
            bool(of["flags"] & bit) for bit in (DOMINF_HVM, DOMINF_HAP, DOMINF_PAUSED, DOMINF_DYING)
        )
        found.append(Domain(of["domain"], hvm, hap, paused, dying, of["max_vcpu_id"]))
    return found


def pv_vcpu(number: int, context: bytes, width: int) -> Vcpu:
    """Read a PV guest's vCPU, by its vcpu_guest_context.

    Its root is that of its kernel, which has what user mode sees as well.

    :param width: bytes of its words, 4 or 8
    """
    of = _fields(PV64 if width == 8 else PV_32, context)
    if width == 8:
        how = Paging(FOUR_LEVELS, of["cr3"] & 0x000FFFFFFFFFF000, marks=MARKS)
    else:
        # Its frame's highest bits are lowest, for CR3 has 32. Ref: arch-x86/xen-x86_32.h, xen_cr3_to_pfn
        how = Paging(PV32, (of["cr3"] >> PAGE_SHIFT | of["cr3"] << 20 & 0xFFFFFFFF) << PAGE_SHIFT)
    registers = {name: of[name] for name in ("cr0", "cr3", "cr4")}
    return Vcpu(number, of["rip"], not of["flags"] & VGCF_IN_KERNEL, how, registers)


def hvm_vcpu(number: int, context: bytes) -> Vcpu:
    """Read a PVH or HVM guest's vCPU, by its hvm_hw_cpu."""
    of = _fields(HVM, context)
    how = paging(of["cr0"], of["cr3"], of["cr4"], of["efer"])
    long = bool(of["cs_arbytes"] & _CS_LONG)
    rip = of["rip"] if long else of["cs_base"] + of["rip"] & 0xFFFFFFFF
    user = of["ss_arbytes"] >> _DPL_SHIFT & 3 == _USER_RING
    return Vcpu(number, rip, user, how, {name: of[name] for name in ("cr0", "cr3", "cr4", "efer")})


def pfn(element: int) -> int | None:
    """Read an element of the table of machine frames."""
    return None if element & _NO_PFN else element


def foreign(kind: int) -> bool:
    """Tell by a frame's type whether it is none of the domain's memory."""
    return kind & PFINFO_MASK == PFINFO_XTAB


def table(kind: int) -> tuple[int | None, bool]:
    """Tell by a frame's type which level's table it is, if it is one, and whether it is pinned."""
    level = (kind & PFINFO_MASK & ~PFINFO_LPINTAB) // PFINFO_L1TAB
    return (level, bool(kind & PFINFO_LPINTAB)) if 1 <= level <= PFINFO_L4TAB // PFINFO_L1TAB else (None, False)


def _fields(layout: dict[str, tuple[str, int]], data: bytes) -> dict[str, int]:
    return {name: struct.unpack_from(f"<{kind}", data, at)[0] for name, (kind, at) in layout.items()}
