"""The numbers of xentrace records that compiled code tells apart; a test compares them with ``formats.events``.

Ref: xen/include/public/trace.h, xen/include/public/xen.h, xen/common/trace.c
"""

cdef enum:
    # Windows and what Xen says of its buffers.
    CPU_CHANGE_HEADER = 0x2001F003
    CPU_CHANGE_SIZE = 12
    LOST_RECORDS = 0x0001F001
    WRAP_BUFFER = 0x0001F002
    # Scheduling.
    RUNSTATE_CHANGE = 0x00021001
    RUNSTATE_BITS = 0x330
    CONTINUE_RUNNING = 0x00021002
    SCHED_WAKE = 0x00028004
    SCHED_YIELD = 0x00028005
    SCHED_BLOCK = 0x00028006
    SCHED_SHUTDOWN = 0x00028007
    SCHED_SWITCH = 0x0002800A
    SWITCH_INFPREV = 0x0002800E
    SWITCH_INFNEXT = 0x0002800F
    SCHED_SHUTDOWN_CODE = 0x00028010
    SWITCH_INFCONT = 0x00028011
    # What schedulers record, each for itself.
    SCHED_CLASS = 0x00022000
    CREDIT2_BURN = 0x00022203
    RTDS_BURN = 0x00022803
    SCHED_DOM_ADD = 0x00028001
    SCHED_DOM_REM = 0x00028002
    DOM0_DOM_ADD = 0x00041001
    DOM0_DOM_REM = 0x00041002
    # PV guests.
    FLAG_64 = 0x100
    PV_TRAP = 0x00201003
    TRAP_MASK = 0x7FFF
    PV_HYPERCALL_V2 = 0x0020100D
    PV_HYPERCALL_SUBCALL = 0x0020200E
    HYPERCALL_OP_MASK = 0x000FFFFF
    HAS_ARG0 = 3 << 20
    HAS_ARG1 = 3 << 22
    # HVM and PVH guests.
    HVM_VMENTRY = 0x00081001
    HVM_VMX_EXIT = 0x00081002
    HVM_SVM_EXIT = 0x00081003
    HVM_INJ_VIRQ = 0x00082004
    HVM_CPUID = 0x0008200E
    HVM_VMMCALL = 0x00082012
    HVM_CR_WRITE = 0x00082009
    HVM_IOPORT_READ = 0x00082016
    HVM_IOPORT_WRITE = 0x00082216
    HVM_IOMEM_READ = 0x00082017
    HVM_IOMEM_WRITE = 0x00082217
    # 64-bit addresses and nested guests don't change which exit it is.
    FLAG_NESTED = 0x400
    EXIT_FLAGS = 0x500
    # Grants.
    GRANT_MAP = 0x0010F001
    GRANT_UNMAP = 0x0010F002
    # Interrupts.
    HW_IRQ_HANDLED = 0x00802008
    # Hypercalls.
    MMU_UPDATE = 1
    MULTICALL = 13
    EVENT_CHANNEL_OP_COMPAT = 16
    GRANT_TABLE_OP = 20
    VCPU_OP = 24
    MMUEXT_OP = 26
    SCHED_OP = 29
    EVENT_CHANNEL_OP = 32
