"""Structs of Xen's, as its headers have them (libxen-dev) and as they are read."""

import struct
from pathlib import Path

import pytest

from tests.missing import missing
from tests.pvdrivers.abi.compiler import complaints
from tests.xentool.tools.memory.guests import packed
from xentool.tools.memory import guest, xen_dom0
from xentool.tools.memory import xen_structs as structs
from xentool.tools.memory.paging import FOUR_LEVELS, PV32, Paging

HEADERS = ("stdint.h", "xen/xen.h", "xen/domctl.h", "xen/hvm/save.h", "xen/foreign/x86_32.h")
#: By struct: the layout, and what a field is called in C if not as here.
STRUCTS = {
    "xen_domctl_getdomaininfo": (structs.DOMAIN, {}),
    "vcpu_guest_context": (structs.PV64, {"rip": "user_regs.rip"}),
    "vcpu_guest_context_x86_32": (structs.PV_32, {"rip": "user_regs.eip"}),
    "hvm_hw_cpu": (structs.HVM, {"efer": "msr_efer"}),
}
NUMBERS = {
    "XEN_DOMINF_dying": structs.DOMINF_DYING,
    "XEN_DOMINF_hvm_guest": structs.DOMINF_HVM,
    "XEN_DOMINF_paused": structs.DOMINF_PAUSED,
    "XEN_DOMINF_hap": structs.DOMINF_HAP,
    "VGCF_in_kernel": structs.VGCF_IN_KERNEL,
    "XEN_DOMCTL_PFINFO_LTAB_MASK": structs.PFINFO_MASK,
    "XEN_DOMCTL_PFINFO_XTAB": structs.PFINFO_XTAB,
    "XEN_DOMCTL_PFINFO_L1TAB": structs.PFINFO_L1TAB,
    "XEN_DOMCTL_PFINFO_L4TAB": structs.PFINFO_L4TAB,
    "XEN_DOMCTL_PFINFO_LPINTAB": structs.PFINFO_LPINTAB,
    "DOMID_XEN": guest.XEN,
    "DOMID_IO": guest.DEVICES,
    "HVM_SAVE_CODE(CPU)": xen_dom0.HVM_SAVE_CPU,
}
ROOM = xen_dom0.ROOM


def test_offsets_and_constants_are_those_of_xens_headers() -> None:
    if not Path("/usr/include/xen/domctl.h").exists():
        missing("no headers of Xen's (libxen-dev)")
    assertions = [
        f"sizeof(struct vcpu_guest_context) <= {ROOM}",
        f"sizeof(struct hvm_hw_cpu) <= {ROOM}",
        f"sizeof(struct xen_domctl_getdomaininfo) >= {structs.DOMAIN_BYTES}",
        *(f"{name} == {value}u" for name, value in NUMBERS.items()),
    ]
    for name, (layout, called) in STRUCTS.items():
        for field, (kind, at) in layout.items():
            register = name.startswith("vcpu") and field.startswith("cr")
            c = f"ctrlreg[{field[2:]}]" if register else called.get(field, field)
            assertions.append(f"__builtin_offsetof(struct {name}, {c}) == {at}")
            assertions.append(f"sizeof(((struct {name} *)0)->{c}) == {struct.calcsize(kind)}")
    assert complaints(HEADERS, assertions, defined=["__XEN_TOOLS__"]) == ""
    assert complaints(HEADERS, ["DOMID_XEN == 1"], defined=["__XEN_TOOLS__"]) != ""


def test_both_sides_have_one_length_for_a_domain() -> None:
    assert structs.DOMAIN_BYTES == xen_dom0.DOMAIN_BYTES


def test_domains() -> None:
    told = b"".join(
        packed(structs.DOMAIN_BYTES, structs.DOMAIN, domain=domid, flags=flags, max_vcpu_id=most)
        for domid, flags, most in ((0, 1 << 5, 3), (7, 1 << 1 | 1 << 8 | 1 << 3, 0), (9, 1, 1))
    )
    assert structs.domains(told + b"\xff" * 95) == [
        structs.Domain(0, False, False, False, False, 3),
        structs.Domain(7, True, True, True, False, 0),
        structs.Domain(9, False, False, False, True, 1),
    ]


def test_a_pv_vcpu() -> None:
    fields = {"rip": 0xFFFFFFFF81E0B2AA, "cr3": 0x15CE6E000, "cr0": 0x8005003B, "cr4": 0x2660}
    seen = structs.pv_vcpu(2, packed(ROOM, structs.PV64, flags=1 << 2 | 1 << 5, **fields), 8)
    assert (seen.number, seen.rip, seen.user) == (2, fields["rip"], False)
    assert seen.paging == Paging(FOUR_LEVELS, 0x15CE6E000, marks=structs.MARKS)
    assert seen.registers == {name: fields[name] for name in ("cr0", "cr3", "cr4")}
    assert structs.pv_vcpu(0, packed(ROOM, structs.PV64, flags=1 << 5), 8).user


def test_a_32_bit_pv_vcpu_has_its_frames_highest_bits_lowest() -> None:
    frame = 0x12345678
    told = packed(ROOM, structs.PV_32, rip=0xC0123456, cr3=(frame << 12 | frame >> 20) & 0xFFFFFFFF)
    seen = structs.pv_vcpu(0, told, 4)
    assert (seen.rip, seen.paging.mode, seen.paging.root) == (0xC0123456, PV32, frame << 12)


@pytest.mark.parametrize(
    ("cs_arbytes", "rip"), [(0xA9B, 0x1_0000_F39E), (0x09B, 0xFF39E)], ids=["64 bits", "real mode"]
)
def test_an_hvm_vcpus_instruction_is_where_its_segment_says(cs_arbytes: int, rip: int) -> None:
    told = packed(ROOM, structs.HVM, rip=0x1_0000_F39E, cs_base=0xF0000, cs_arbytes=cs_arbytes, ss_arbytes=0x93)
    seen = structs.hvm_vcpu(1, told)
    assert (seen.rip, seen.user, seen.paging.mode) == (rip, False, None)
    assert structs.hvm_vcpu(1, packed(ROOM, structs.HVM, ss_arbytes=0xF3)).user


@pytest.mark.parametrize(
    ("kind", "foreign", "table"),
    [
        (0, False, (None, False)),
        (1 << 28, False, (1, False)),
        (4 << 28 | 1 << 31, False, (4, True)),
        (0xF << 28, True, (None, False)),
        (0xD << 28, False, (None, False)),
        (0xE << 28, False, (None, False)),
    ],
)
def test_types_of_frames(kind: int, foreign: bool, table: tuple[int | None, bool]) -> None:
    assert (structs.foreign(kind), structs.table(kind)) == (foreign, table)


def test_what_is_no_pfn() -> None:
    assert [structs.pfn(each) for each in (0x1A44, (1 << 64) - 1, (1 << 64) - 2)] == [0x1A44, None, None]
