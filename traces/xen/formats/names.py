"""Names of hypercalls, their sub-operations and traps; those of VM exits are in ``exits``.

Ref: xen/include/public/{xen,grant_table,vcpu,sched}.h, xen/arch/x86/hvm/{hypercall,viridian/viridian}.c at Xen 4.22
(c447b7308b); Hyper-V's Top Level Functional Specification, "Hypercall Reference"
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

#: Set in the number of a call of Hyper-V's, which Xen does for viridian domains: their hypercall page sets it in eax,
#: the only register that is recorded.
HYPERV = 1 << 31
#: Below it is the call's code. Above that is how it is made (fast, with a header), and bits that are zero in a call.
HYPERV_CODE = 0xFFFF
HYPERV_ZEROS = 0x7800_0000
#: Hyper-V's calls by code. A 32-bit guest has it in eax; a 64-bit one in rcx, which Xen does not record.
HYPERV_CALLS: Mapping[int, str] = {
    0x0001: "HvCallSwitchVirtualAddressSpace",
    0x0002: "HvCallFlushVirtualAddressSpace",
    0x0003: "HvCallFlushVirtualAddressList",
    0x0008: "HvCallNotifyLongSpinWait",
    0x000B: "HvCallSendSyntheticClusterIpi",
    0x000C: "HvCallModifyVtlProtectionMask",
    0x000D: "HvCallEnablePartitionVtl",
    0x000F: "HvCallEnableVpVtl",
    0x0011: "HvCallVtlCall",
    0x0012: "HvCallVtlReturn",
    0x0013: "HvCallFlushVirtualAddressSpaceEx",
    0x0014: "HvCallFlushVirtualAddressListEx",
    0x0015: "HvCallSendSyntheticClusterIpiEx",
    0x0050: "HvCallGetVpRegisters",
    0x0051: "HvCallSetVpRegisters",
    0x005C: "HvCallPostMessage",
    0x005D: "HvCallSignalEvent",
    0x0069: "HvCallPostDebugData",
    0x006A: "HvCallRetrieveDebugData",
    0x006B: "HvCallResetDebugSession",
    0x007E: "HvCallRetargetDeviceInterrupt",
    0x0099: "HvCallStartVirtualProcessor",
    0x009A: "HvCallGetVpIndexFromApicId",
    0x00AF: "HvCallFlushGuestPhysicalAddressSpace",
    0x00B0: "HvCallFlushGuestPhysicalAddressList",
    0x8001: "HvExtCallQueryCapabilities",
    0x8002: "HvExtCallGetBootZeroedMemory",
    0x8003: "HvExtCallMemoryHeatHint",
    0x8004: "HvExtCallEpfSetup",
    0x8006: "HvExtCallMemoryHeatHintAsync",
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


def hypercall_nr(eax: int) -> int:
    """Give the number of an HVM guest's hypercall: of Hyper-V's, ``HYPERV`` and its code, however it is made."""
    return eax & (HYPERV | HYPERV_CODE) if eax & HYPERV and not eax & HYPERV_ZEROS else eax


def hypercall_name(nr: int) -> str:
    """Name a hypercall; an unassigned number becomes ``hypercall_N``, of Hyper-V's ``hyperv_0xN``."""
    if nr & HYPERV:
        known = None if nr & ~(HYPERV | HYPERV_CODE) else HYPERV_CALLS.get(nr & HYPERV_CODE)
        return known or f"hyperv_{nr:#x}"
    return HYPERCALLS.get(nr, f"hypercall_{nr}")


def subop_name(nr: int, cmd: int) -> str:
    """Name the sub-operation of a hypercall in ``SUBOPS``; an unassigned one becomes ``op_N``."""
    names = SUBOPS[nr]
    return names[cmd] if cmd < len(names) else f"op_{cmd}"


def trap_name(vector: int) -> str:
    """Name an x86 exception vector; others become ``vector_N``."""
    return TRAPS[vector] if vector < len(TRAPS) else f"vector_{vector}"
