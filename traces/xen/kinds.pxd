"""What ``lane`` does about an event, by its number. Inlined where it is used."""

from libc.stdint cimport uint8_t, uint32_t

from traces.xen.formats.ids cimport *

cdef enum Kind:
    UNSEEN
    PLAIN
    RUNSTATE
    WAKE
    HYPERCALL
    SUBCALL
    VMMCALL
    EXIT
    ENTRY
    SWITCH
    SWITCHED_IN
    SWITCHED_OUT
    LOSS
    MAP
    UNMAP
    TRAP_32
    TRAP_64
    ADDED
    REMOVED
    IRQ
    IO
    CR_WRITE
    INJECTION
    CPUID


cdef inline uint8_t classify(uint32_t event) noexcept nogil:
    cdef uint32_t exit_ = event & ~<uint32_t>EXIT_FLAGS
    if (event & ~<uint32_t>RUNSTATE_BITS) == RUNSTATE_CHANGE or event == CONTINUE_RUNNING:
        return RUNSTATE
    if event == PV_HYPERCALL_V2:
        return HYPERCALL
    if event == PV_HYPERCALL_SUBCALL:
        return SUBCALL
    if exit_ == HVM_VMENTRY:
        return ENTRY
    if exit_ == HVM_VMX_EXIT or exit_ == HVM_SVM_EXIT:
        return EXIT
    if event == SCHED_WAKE:
        return WAKE
    if event == SCHED_SWITCH or event == SWITCH_INFCONT:
        return SWITCH
    if event == SWITCH_INFNEXT:
        return SWITCHED_IN
    if event == SWITCH_INFPREV:
        return SWITCHED_OUT
    if event == HVM_VMMCALL:
        return VMMCALL
    if event == HVM_INJ_VIRQ:
        return INJECTION
    if event == HVM_CPUID:
        return CPUID
    if event == GRANT_MAP:
        return MAP
    if event == GRANT_UNMAP:
        return UNMAP
    if event == PV_TRAP:
        return TRAP_32
    if event == PV_TRAP | FLAG_64:
        return TRAP_64
    if event == LOST_RECORDS:
        return LOSS
    if event == HW_IRQ_HANDLED:
        return IRQ
    if event == DOM0_DOM_ADD or event == SCHED_DOM_ADD:
        return ADDED
    if event == DOM0_DOM_REM or event == SCHED_DOM_REM:
        return REMOVED
    if event & ~<uint32_t>FLAG_64 == HVM_CR_WRITE:
        return CR_WRITE
    if event & ~<uint32_t>FLAG_64 in (HVM_IOPORT_READ, HVM_IOPORT_WRITE, HVM_IOMEM_READ, HVM_IOMEM_WRITE):
        return IO
    return PLAIN
