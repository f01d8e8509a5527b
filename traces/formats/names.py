"""Names of hypercalls, their sub-operations and traps; those of VM exits are in ``exits``.

Ref: xen/include/public/{xen,grant_table,vcpu,sched}.h at Xen 4.22 (c447b7308b)
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
