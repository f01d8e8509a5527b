"""VM exits: what Xen records as their reason, and its names in Intel's numbering and AMD's.

Law: a number is never changed here; what no processor says has its number as its name.

Before 4.19 (320e644) AMD's exits have Intel's event id, so that only the trace as a whole tells the numbering
(``analyses.vendor``). The reason is recorded as the processor gives it: VMX puts flags into its high half.

Ref: xen/arch/x86/include/asm/hvm/vmx/vmx.h, xen/arch/x86/hvm/svm/vmcb.h, svm.c and vmx.c at Xen 4.22 (c447b7308b);
Intel SDM volume 3 appendix C and section 27.9.1; AMD APM volume 2 appendix C.
"""

from collections.abc import Mapping
from typing import Literal

Vendor = Literal["intel", "amd"]
VENDORS: tuple[Vendor, ...] = ("intel", "amd")


#: Of VMX, by the low half of a reason. 76 and 77 (SEAMCALL, TDCALL) have no name: no guest of Xen has to do with TDX,
#: so that such a number is rather a stray one, and is shown as it is.
VMX_EXITS: Mapping[int, str] = {
    0: "EXCEPTION_NMI",
    1: "EXTERNAL_INTERRUPT",
    2: "TRIPLE_FAULT",
    3: "INIT",
    4: "SIPI",
    5: "IO_SMI",
    6: "OTHER_SMI",
    7: "PENDING_VIRT_INTR",
    8: "PENDING_VIRT_NMI",
    9: "TASK_SWITCH",
    10: "CPUID",
    11: "GETSEC",
    12: "HLT",
    13: "INVD",
    14: "INVLPG",
    15: "RDPMC",
    16: "RDTSC",
    17: "RSM",
    18: "VMCALL",
    19: "VMCLEAR",
    20: "VMLAUNCH",
    21: "VMPTRLD",
    22: "VMPTRST",
    23: "VMREAD",
    24: "VMRESUME",
    25: "VMWRITE",
    26: "VMXOFF",
    27: "VMXON",
    28: "CR_ACCESS",
    29: "DR_ACCESS",
    30: "IO_INSTRUCTION",
    31: "MSR_READ",
    32: "MSR_WRITE",
    33: "INVALID_GUEST_STATE",
    34: "MSR_LOADING",
    36: "MWAIT_INSTRUCTION",
    37: "MONITOR_TRAP_FLAG",
    39: "MONITOR_INSTRUCTION",
    40: "PAUSE_INSTRUCTION",
    41: "MCE_DURING_VMENTRY",
    43: "TPR_BELOW_THRESHOLD",
    44: "APIC_ACCESS",
    45: "EOI_INDUCED",
    46: "ACCESS_GDTR_OR_IDTR",
    47: "ACCESS_LDTR_OR_TR",
    48: "EPT_VIOLATION",
    49: "EPT_MISCONFIG",
    50: "INVEPT",
    51: "RDTSCP",
    52: "VMX_PREEMPTION_TIMER_EXPIRED",
    53: "INVVPID",
    54: "WBINVD",
    55: "XSETBV",
    56: "APIC_WRITE",
    57: "RDRAND",
    58: "INVPCID",
    59: "VMFUNC",
    60: "ENCLS",
    61: "RDSEED",
    62: "PML_FULL",
    63: "XSAVES",
    64: "XRSTORS",
    66: "SPP_EVENT",
    67: "UMWAIT",
    68: "TPAUSE",
    69: "LOADIWKEY",
    70: "ENCLV",
    72: "ENQCMD_PASID",
    73: "ENQCMDS_PASID",
    74: "BUS_LOCK",
    75: "NOTIFY",
    78: "RDMSRLIST",
    79: "WRMSRLIST",
    80: "URDMSR",
    81: "UWRMSR",
    84: "RDMSR_IMMEDIATE",
    85: "WRMSRNS_IMMEDIATE",
}

_SVM_NAMED = {
    0x055: "EXCEPTION_CP",
    0x05C: "EXCEPTION_HV",
    0x05D: "EXCEPTION_VC",
    0x05E: "EXCEPTION_SX",
    0x060: "INTR",
    0x061: "NMI",
    0x062: "SMI",
    0x063: "INIT",
    0x064: "VINTR",
    0x065: "CR0_SEL_WRITE",
    0x066: "IDTR_READ",
    0x067: "GDTR_READ",
    0x068: "LDTR_READ",
    0x069: "TR_READ",
    0x06A: "IDTR_WRITE",
    0x06B: "GDTR_WRITE",
    0x06C: "LDTR_WRITE",
    0x06D: "TR_WRITE",
    0x06E: "RDTSC",
    0x06F: "RDPMC",
    0x070: "PUSHF",
    0x071: "POPF",
    0x072: "CPUID",
    0x073: "RSM",
    0x074: "IRET",
    0x075: "SWINT",
    0x076: "INVD",
    0x077: "PAUSE",
    0x078: "HLT",
    0x079: "INVLPG",
    0x07A: "INVLPGA",
    0x07B: "IOIO",
    0x07C: "MSR",
    0x07D: "TASK_SWITCH",
    0x07E: "FERR_FREEZE",
    0x07F: "SHUTDOWN",
    0x080: "VMRUN",
    0x081: "VMMCALL",
    0x082: "VMLOAD",
    0x083: "VMSAVE",
    0x084: "STGI",
    0x085: "CLGI",
    0x086: "SKINIT",
    0x087: "RDTSCP",
    0x088: "ICEBP",
    0x089: "WBINVD",
    0x08A: "MONITOR",
    0x08B: "MWAIT",
    0x08C: "MWAIT_CONDITIONAL",
    0x08D: "XSETBV",
    0x08E: "RDPRU",
    0x08F: "EFER_WRITE_TRAP",
    0x0A0: "INVLPGB",
    0x0A1: "INVLPGB_ILLEGAL",
    0x0A2: "INVPCID",
    0x0A3: "MCOMMIT",
    0x0A4: "TLBSYNC",
    0x0A5: "BUS_LOCK",
    0x0A6: "IDLE_HLT",
    0x400: "NPF",
    0x401: "AVIC_INCOMPLETE_IPI",
    0x402: "AVIC_NOACCEL",
    0x403: "VMGEXIT",
    0x404: "PAGE_NOT_VALIDATED",
    # 64-bit codes, of which Xen records the low half.
    0xFFFF_FFFC: "INVALID_PMC",  # -4
    0xFFFF_FFFD: "IDLE_REQUIRED",
    0xFFFF_FFFE: "BUSY",
    0xFFFF_FFFF: "INVALID",
}
_SVM_RANGES = (
    *(("CR{}_READ", 0x00, 16), ("CR{}_WRITE", 0x10, 16), ("DR{}_READ", 0x20, 16), ("DR{}_WRITE", 0x30, 16)),
    ("CR{}_WRITE_TRAP", 0x90, 16),
)
_EXCEPTIONS = (
    *("DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "09"),
    *("TS", "NP", "SS", "GP", "PF", "0F", "MF", "AC", "MC", "XF"),
)

#: Of SVM, by the whole code.
SVM_EXITS: Mapping[int, str] = {
    **{first + i: pattern.format(i) for pattern, first, count in _SVM_RANGES for i in range(count)},
    **{0x40 + i: f"EXCEPTION_{name}" for i, name in enumerate(_EXCEPTIONS)},
    **_SVM_NAMED,
}

#: Bits in the high half of VMX's reasons. The others are not defined.
VMX_FLAGS: Mapping[int, str] = {
    1 << 31: "failed VM entry",
    1 << 29: "in VMX root operation",
    1 << 28: "MTF pending",
    1 << 27: "in enclave mode",
    1 << 26: "bus lock",
    1 << 25: "shadow stack busy",
}
_VMX_BASIC = 0xFFFF
_VMX_UNDEFINED = 0xFFFF_0000 & ~sum(VMX_FLAGS)

#: What tells exits apart beside their reason, above it in a key: whether a nested guest made it (TRC_HVM_NESTEDFLAG,
#: which only svm.c sets), and whether it came under AMD's own event id.
NESTED = 1 << 32
AMDS_ID = 1 << 33
_REASON = NESTED - 1


def key_of(reason: int, *, nested: bool, amds_id: bool) -> int:
    """Make of a reason what tells one kind of exits from another."""
    return reason | NESTED * nested | AMDS_ID * amds_id


def reason_of(key: int) -> int:
    """Give the reason as it was recorded."""
    return key & _REASON


def vmx_reason(reason: int) -> tuple[int, list[str]] | None:
    """Take VMX's flags from a reason: the basic reason and their names; None where VMX defines no such reason."""
    basic = reason & _VMX_BASIC
    if reason & _VMX_UNDEFINED or basic not in VMX_EXITS:
        return None
    return basic, [name for bit, name in VMX_FLAGS.items() if reason & bit]


def exit_name(key: int, vendor: Vendor) -> str:
    """Name a kind of exits, as in ``EPT_VIOLATION (bus lock)``; a reason that the vendor lacks becomes ``exit_0xN``.

    :param key: as ``key_of`` makes it; a bare reason is one
    :param vendor: whose numbering it is
    """
    reason = reason_of(key)
    name, notes = f"exit_{reason:#x}", []
    if vendor == "amd":
        name = SVM_EXITS.get(reason, name)
    elif found := vmx_reason(reason):
        name, notes = VMX_EXITS[found[0]], found[1]
    notes += ["nested guest"] if key & NESTED else []
    return f"{name} ({', '.join(notes)})" if notes else name
