"""Names of hypercalls, their sub-operations, exit reasons and traps.

Ref: xen/include/public/{xen,grant_table,vcpu,sched}.h, xen/arch/x86/include/asm/hvm/{vmx/vmx.h,svm/vmcb.h} at
Xen 4.22 (c447b7308b); AMD APM volume 2 appendix C; Intel SDM volume 3 appendix C.
"""

from collections.abc import Mapping

#: Hypercall numbers (xen/include/public/xen.h). Arch-specific ones start at 48.
HYPERCALLS: Mapping[int, str] = {
    0: "set_trap_table",
    1: "mmu_update",
    2: "set_gdt",
    3: "stack_switch",
    4: "set_callbacks",
    5: "fpu_taskswitch",
    6: "sched_op_compat",
    7: "platform_op",
    8: "set_debugreg",
    9: "get_debugreg",
    10: "update_descriptor",
    12: "memory_op",
    13: "multicall",
    14: "update_va_mapping",
    15: "set_timer_op",
    16: "event_channel_op_compat",
    17: "xen_version",
    18: "console_io",
    19: "physdev_op_compat",
    20: "grant_table_op",
    21: "vm_assist",
    22: "update_va_mapping_otherdomain",
    23: "iret",
    24: "vcpu_op",
    25: "set_segment_base",
    26: "mmuext_op",
    27: "xsm_op",
    28: "nmi_op",
    29: "sched_op",
    30: "callback_op",
    31: "xenoprof_op",
    32: "event_channel_op",
    33: "physdev_op",
    34: "hvm_op",
    35: "sysctl",
    36: "domctl",
    37: "kexec_op",
    38: "tmem_op",
    39: "argo_op",
    40: "xenpmu_op",
    41: "dm_op",
    42: "hypfs_op",
    48: "mca",
}

MULTICALL = 13
MMU_UPDATE = 1
MMUEXT_OP = 26
GRANT_TABLE_OP = 20
EVENT_CHANNEL_OP = 32
EVENT_CHANNEL_OP_COMPAT = 16

_GRANT_TABLE_OPS = (
    "map_grant_ref",
    "unmap_grant_ref",
    "setup_table",
    "dump_table",
    "transfer",
    "copy",
    "query_size",
    "unmap_and_replace",
    "set_version",
    "get_status_frames",
    "get_version",
    "swap_grant_ref",
    "cache_flush",
)
_VCPU_OPS = (
    "initialise",
    "up",
    "down",
    "is_up",
    "get_runstate_info",
    "register_runstate_memory_area",
    "set_periodic_timer",
    "stop_periodic_timer",
    "set_singleshot_timer",
    "stop_singleshot_timer",
    "register_vcpu_info",
    "send_nmi",
    "get_physid",
    "register_vcpu_time_memory_area",
    "register_runstate_phys_area",
    "register_vcpu_time_phys_area",
)
_SCHED_OPS = ("yield", "block", "shutdown", "poll", "remote_shutdown", "shutdown_code", "watchdog", "pin_override")

#: The hypercalls whose first recorded argument is a sub-operation, and its names (common/trace.c, __trace_hypercall).
SUBOPS: Mapping[int, tuple[str, ...]] = {20: _GRANT_TABLE_OPS, 24: _VCPU_OPS, 29: _SCHED_OPS}

#: x86 exception vectors.
TRAPS: tuple[str, ...] = (
    "divide_error",
    "debug",
    "nmi",
    "int3",
    "overflow",
    "bounds",
    "invalid_op",
    "no_device",
    "double_fault",
    "copro_seg",
    "invalid_tss",
    "no_segment",
    "stack_error",
    "gp_fault",
    "page_fault",
    "spurious_int",
    "copro_error",
    "alignment_check",
    "machine_check",
    "simd_error",
    "virtualisation",
    "control_protection",
)

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
    58: "INVPCID",
    59: "VMFUNC",
    61: "RDSEED",
    62: "PML_FULL",
    63: "XSAVES",
    64: "XRSTORS",
    74: "BUS_LOCK",
    75: "NOTIFY",
}

_SVM_NAMED = {
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
    0x0A2: "INVPCID",
    0x0A5: "BUS_LOCK",
    0x0A6: "IDLE_HLT",
    0x400: "NPF",
    0x401: "AVIC_INCOMPLETE_IPI",
    0x402: "AVIC_NOACCEL",
    0x403: "VMGEXIT",
}
_SVM_RANGES = (("CR{}_READ", 0x00, 16), ("CR{}_WRITE", 0x10, 16), ("DR{}_READ", 0x20, 16), ("DR{}_WRITE", 0x30, 16))
_EXCEPTIONS = (
    *("DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "09"),
    *("TS", "NP", "SS", "GP", "PF", "0F", "MF", "AC", "MC", "XF"),
)

SVM_EXITS: Mapping[int, str] = {
    **{first + i: pattern.format(i) for pattern, first, count in _SVM_RANGES for i in range(count)},
    **{0x40 + i: f"EXCEPTION_{name}" for i, name in enumerate(_EXCEPTIONS)},
    **_SVM_NAMED,
}

#: The largest reason VMX has: any larger one under the VMX event id tells that the capture is AMD's, before 4.19.
VMX_REASON_MAX = max(VMX_EXITS)


def hypercall_name(nr: int) -> str:
    """Name a hypercall; an unassigned number becomes ``hypercall_N``."""
    return HYPERCALLS.get(nr, f"hypercall_{nr}")


def subop_name(nr: int, cmd: int) -> str:
    """Name the sub-operation of a hypercall in ``SUBOPS``; an unassigned one becomes ``op_N``."""
    names = SUBOPS[nr]
    return names[cmd] if cmd < len(names) else f"op_{cmd}"


def trap_name(vector: int) -> str:
    """Name an x86 exception vector; others become ``vector_N``."""
    return TRAPS[vector] if vector < len(TRAPS) else f"vector_{vector}"


def exit_name(reason: int, *, svm: bool) -> str:
    """Name a VM exit's reason in AMD's numbering or Intel's; an unassigned one becomes ``exit_0xN``."""
    return (SVM_EXITS if svm else VMX_EXITS).get(reason, f"exit_{reason:#x}")
