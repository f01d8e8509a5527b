"""The xentrace record and what each event carries: the one declaration that every decoder is derived from.

Law: layouts and event ids live here and nowhere else. This file knows no file, no order and no meaning of a trace.

A file is a sequence of windows, each a CPU_CHANGE record and then ``window_size`` bytes of one pCPU's records;
there is no file header. All integers are little-endian.

Ref: xen/include/public/trace.h, xen/common/trace.c (``__insert_record``), tools/xentrace/xentrace.c
(``write_buffer``), and for each payload the call that makes it, named beside it. Read at Xen 4.22 (c447b7308b)
and 4.14; where releases differ the entry says so.
"""

from functools import lru_cache

from traces.xen.formats.devices import DEVICE_EVENTS
from traces.xen.formats.event import Event, Older, Release
from traces.xen.formats.layout import Int16ul, Int32ul, Int64ul, Named, OrNone, Struct
from traces.xen.formats.schedulers import SCHEDULER_EVENTS
from traces.xen.formats.shadow import LEVELS_MASK, LEVELS_SHIFT, SHADOW_CLASS, SHADOW_EVENTS

EXTRA_SHIFT = 28
EXTRA_MAX = 7
CYCLES_FLAG = 1 << 31

#: Flags inside an event id that say how a record of that event looks, not which event it is.
FLAG_64 = 0x100
FLAG_NESTED = 0x400

LOST_RECORDS = 0x0001F001
WRAP_BUFFER = 0x0001F002
CPU_CHANGE = 0x0001F003
RUNSTATE_CHANGE = 0x00021001
CONTINUE_RUNNING = 0x00021002
SCHED_DOM_ADD = 0x00028001
SCHED_DOM_REM = 0x00028002
SCHED_WAKE = 0x00028004
SCHED_SWITCH = 0x0002800A
SWITCH_INFPREV = 0x0002800E
SWITCH_INFNEXT = 0x0002800F
SWITCH_INFCONT = 0x00028011
DOM0_DOM_ADD = 0x00041001
DOM0_DOM_REM = 0x00041002
HW_IRQ_HANDLED = 0x00802008
GRANT_MAP = 0x0010F001
GRANT_UNMAP = 0x0010F002
PV_TRAP = 0x00201003
PV_PAGE_FAULT = 0x00201004
PV_PTWR_EMULATION = 0x0020100B
PV_PTWR_EMULATION_PAE = 0x0020100C
PV_HYPERCALL_V2 = 0x0020100D
PV_HYPERCALL_SUBCALL = 0x0020200E
HVM_VMENTRY = 0x00081001
HVM_VMX_EXIT = 0x00081002
HVM_SVM_EXIT = 0x00081003
HVM_INJ_VIRQ = 0x00082004
HVM_VMMCALL = 0x00082012

CpuChange = Struct("cpu" / Int32ul, "window_size" / Int32ul)

#: Word 0 of a hypercall record: the number, and two bits for each of six arguments that say whether it follows.
HYPERCALL_OP_MASK = 0x000FFFFF
HYPERCALL_ARG_SHIFT = 20

#: Old state in bits 9:8 and new state in bits 5:4 of a RUNSTATE_CHANGE id (sched/core.c, trace_runstate_change).
RUNSTATES = ("running", "runnable", "blocked", "offline")
RUNSTATE_BITS = 0x330
RUNSTATE_OLD_SHIFT = 8
RUNSTATE_NEW_SHIFT = 4

Vcpu = Struct("domid" / Int32ul, "vcpu" / Int32ul)
Domain = Struct("domid" / Int32ul)
Nothing = Struct()
# INVALID_MFN, and how long a unit may run that has no limit.
_Mfn = OrNone(Int64ul, (1 << 64) - 1)
_Slice = OrNone(Int32ul, (1 << 32) - 1)
# What the menu governor says where no timer is set, or one too far (cpuidle_menu.c, get_sleep_length_us).
_NO_TIMER = (1 << 32) - 2000
# arch/x86/irq.c, _trace_irq_mask: a bit for each of the first 192 pCPUs; on smaller machines the rest is stale memory.
_IrqMask = Struct("irq" / Int16ul, "vector" / Int16ul, "pcpus_0_63" / Int64ul)


def _reservation(event: int, name: str, *frames: Named) -> Event:
    # Domain and order grew from 16 to 32 bits in 4.18 (83af664) within the same length, the old one's end being stale
    # memory: only the low half of the domain lies at one place in all releases.
    before = Struct(*frames, "domid" / Int16ul, "order" / Int16ul)
    after = Struct(*frames, "domid" / Int32ul, "order" / Int32ul)
    return Event(event, name, Struct(*frames, "domid" / Int16ul), since=(((4, 0), before), ((4, 18), after)))


EVENTS: tuple[Event, ...] = (
    # TRC_GEN
    Event(
        LOST_RECORDS,
        "lost_records",
        Struct("count" / Int32ul, "domid" / Int16ul, "vcpu" / Int16ul, "first_tsc" / Int64ul),
    ),  # insert_lost_records: domid and vcpu are whoever runs when logging resumes
    Event(WRAP_BUFFER, "wrap_buffer", Nothing),  # insert_wrap_record: payload is stale memory
    Event(CPU_CHANGE, "cpu_change", CpuChange),  # tools/xentrace/xentrace.c
    # TRC_SCHED_MIN: vcpu is the low half, the opposite of LOST_RECORDS
    Event(RUNSTATE_CHANGE, "sched_runstate_change", Struct("vcpu" / Int16ul, "domid" / Int16ul)),
    Event(CONTINUE_RUNNING, "sched_continue_running", Struct("vcpu" / Int16ul, "domid" / Int16ul)),
    # TRC_SCHED_VERBOSE, sched/core.c
    Event(SCHED_DOM_ADD, "sched_dom_add", Domain, older=(Older(Vcpu, words=2),)),  # until 4.6 of each vCPU
    Event(SCHED_DOM_REM, "sched_dom_rem", Domain),
    Event(0x00028003, "sched_sleep", Vcpu),
    Event(SCHED_WAKE, "sched_wake", Vcpu),
    Event(0x00028005, "sched_yield", Vcpu),
    Event(0x00028006, "sched_block", Vcpu),
    Event(0x00028007, "sched_shutdown", Struct("domid" / Int32ul, "vcpu" / Int32ul, "reason" / Int32ul)),
    Event(0x00028008, "sched_ctl", Nothing),
    Event(0x00028009, "sched_adjdom", Domain),
    Event(
        SCHED_SWITCH,
        "sched_switch",
        Struct("prev_domid" / Int32ul, "prev_unit" / Int32ul, "next_domid" / Int32ul, "next_unit" / Int32ul),
    ),
    Event(0x0002800B, "sched_s_timer_fn", Nothing),
    Event(0x0002800C, "sched_t_timer_fn", Nothing),
    Event(0x0002800D, "sched_dom_timer_fn", Nothing),
    # Nanoseconds cut to 32 bits: they wrap after 4.29 s.
    Event(
        SWITCH_INFPREV,
        "sched_switch_infprev",
        Struct("domid" / Int32ul, "unit" / Int32ul, "ran_ns" / Int32ul),
        older=(Older(Struct("domid" / Int32ul, "ran_ns" / Int32ul), words=2),),
    ),  # until 4.7 without the vCPU, like the next
    Event(
        SWITCH_INFNEXT,
        "sched_switch_infnext",
        Struct("domid" / Int32ul, "unit" / Int32ul, "waited_ns" / Int32ul, "slice_ns" / _Slice),
        older=(Older(Struct("domid" / Int32ul, "waited_ns" / Int32ul, "slice_ns" / _Slice), words=3),),
    ),
    Event(0x00028010, "sched_shutdown_code", Struct("domid" / Int32ul, "vcpu" / Int32ul, "reason" / Int32ul)),
    Event(
        SWITCH_INFCONT,
        "sched_switch_infcont",
        Struct("domid" / Int32ul, "unit" / Int32ul, "ran_ns" / Int32ul, "slice_ns" / _Slice),
    ),
    *SCHEDULER_EVENTS,
    # TRC_DOM0OP, common/domain.c
    Event(DOM0_DOM_ADD, "dom0_dom_add", Domain),
    Event(DOM0_DOM_REM, "dom0_dom_rem", Domain),
    # TRC_MEM: "domid" is the other side; the mapper is whoever runs (common/grant_table.c)
    Event(GRANT_MAP, "mem_page_grant_map", Domain),
    Event(GRANT_UNMAP, "mem_page_grant_unmap", Domain),
    Event(0x0010F003, "mem_page_grant_transfer", Domain),
    Event(
        0x0010F004,
        "mem_set_p2m_entry",
        Struct("gfn" / Int64ul, "mfn" / _Mfn, "p2mt" / Int32ul, "domid" / Int16ul, "order" / Int16ul),
    ),  # p2m-pt.c, p2m-ept.c
    _reservation(0x0010F005, "mem_decrease_reservation", "gfn" / Int64ul),
    _reservation(0x0010F010, "mem_pod_populate", "gfn" / Int64ul, "mfn" / Int64ul),
    _reservation(0x0010F011, "mem_pod_zero_reclaim", "gfn" / Int64ul, "mfn" / Int64ul),
    _reservation(0x0010F012, "mem_pod_superpage_splinter", "gfn" / Int64ul),
    # TRC_PV, arch/x86/pv/trace.c: FLAG_64 marks 64-bit addresses
    Event(0x00201001, "pv_hypercall", Struct("eip" / Int32ul, "nr" / Int32ul), Struct("rip" / Int64ul, "nr" / Int32ul)),
    Event(
        PV_TRAP,
        "pv_trap",
        Struct("eip" / Int32ul, "trapnr" / Int16ul, "error_code" / Int16ul),
        Struct("rip" / Int64ul, "trapnr" / Int16ul, "error_code" / Int16ul),
    ),  # trapnr is 15 bits; bit 15 says whether error_code counts
    Event(
        PV_PAGE_FAULT,
        "pv_page_fault",
        Struct("eip" / Int32ul, "address" / Int32ul, "error_code" / Int32ul),
        Struct("rip" / Int64ul, "address" / Int64ul, "error_code" / Int32ul),
    ),
    Event(0x00201005, "pv_forced_invalid_op", Struct("eip" / Int32ul), Struct("rip" / Int64ul)),
    Event(0x00201006, "pv_emulate_privop", Struct("eip" / Int32ul), Struct("rip" / Int64ul)),
    Event(0x00201007, "pv_emulate_4gb", Struct("eip" / Int32ul), Struct("rip" / Int64ul)),
    Event(0x00201008, "pv_math_state_restore", Nothing),
    Event(
        0x00201009,
        "pv_paging_fixup",
        Struct("eip" / Int32ul, "address" / Int32ul),
        Struct("rip" / Int64ul, "address" / Int64ul),
    ),
    Event(
        0x0020100A,
        "pv_gdt_ldt_mapping_fault",
        Struct("eip" / Int32ul, "offset" / Int32ul),
        Struct("rip" / Int64ul, "offset" / Int64ul),
    ),
    Event(
        PV_PTWR_EMULATION,
        "pv_ptwr_emulation",
        Struct("pte" / Int64ul, "address" / Int32ul, "eip" / Int32ul),
        Struct("pte" / Int64ul, "address" / Int64ul, "rip" / Int64ul),
    ),
    Event(
        PV_PTWR_EMULATION_PAE,
        "pv_ptwr_emulation_pae",
        Struct("pte" / Int64ul, "address" / Int32ul, "eip" / Int32ul),
        Struct("pte" / Int64ul, "address" / Int64ul, "rip" / Int64ul),
    ),
    # common/trace.c, __trace_hypercall: "op" packs the number and which arguments follow, 32 bits each
    Event(PV_HYPERCALL_V2, "pv_hypercall_v2", Struct("op" / Int32ul)),
    Event(PV_HYPERCALL_SUBCALL, "pv_hypercall_subcall", Struct("op" / Int32ul)),
    *SHADOW_EVENTS,
    # TRC_HVM_ENTRYEXIT: until 4.18 SVM exits came under the VMX id (320e644)
    Event(HVM_VMENTRY, "hvm_vmentry", Nothing),
    Event(
        HVM_VMX_EXIT,
        "hvm_vmx_exit",
        Struct("reason" / Int32ul, "eip" / Int32ul),
        Struct("reason" / Int32ul, "rip" / Int64ul),
    ),
    Event(
        HVM_SVM_EXIT,
        "hvm_svm_exit",
        Struct("reason" / Int32ul, "eip" / Int32ul),
        Struct("reason" / Int32ul, "rip" / Int64ul),
    ),
    # TRC_HVM_HANDLER, arch/x86/hvm: none of these carries a time stamp
    Event(
        0x00082001,
        "hvm_pf_xen",
        Struct("error_code" / Int32ul, "address" / Int32ul),
        Struct("error_code" / Int32ul, "address" / Int64ul),
    ),
    Event(
        0x00082002,
        "hvm_pf_inject",
        Struct("error_code" / Int32ul, "address" / Int32ul),
        Struct("error_code" / Int32ul, "address" / Int64ul),
    ),
    Event(0x00082003, "hvm_inj_exc", Struct("vector" / Int32ul, "error_code" / OrNone(Int32ul, (1 << 32) - 1))),
    Event(HVM_INJ_VIRQ, "hvm_inj_virq", Struct("vector" / Int32ul, "fake" / Int32ul)),
    Event(0x00082005, "hvm_reinj_virq", Struct("vector" / Int32ul)),
    Event(0x00082006, "hvm_io_read", Struct("port" / Int32ul, "size" / Int32ul)),
    Event(0x00082007, "hvm_io_write", Struct("port" / Int32ul, "size" / Int32ul)),
    Event(
        0x00082008,
        "hvm_cr_read",
        Struct("cr" / Int32ul, "value" / Int32ul),
        Struct("cr" / Int32ul, "value" / Int64ul),
    ),
    Event(
        0x00082009,
        "hvm_cr_write",
        Struct("cr" / Int32ul, "value" / Int32ul),
        Struct("cr" / Int32ul, "value" / Int64ul),
    ),
    Event(0x0008200A, "hvm_dr_read", Nothing),
    Event(0x0008200B, "hvm_dr_write", Nothing),
    Event(0x0008200C, "hvm_msr_read", Struct("msr" / Int32ul, "value" / Int64ul)),
    Event(0x0008200D, "hvm_msr_write", Struct("msr" / Int32ul, "value" / Int64ul)),
    Event(
        0x0008200E,
        "hvm_cpuid",
        Struct(
            "leaf" / Int32ul,
            "subleaf" / Int32ul,
            "eax" / Int32ul,
            "ebx" / Int32ul,
            "ecx" / Int32ul,
            "edx" / Int32ul,
        ),
        older=(
            # Until 4.12.
            Older(Struct(*(name / Int32ul for name in ("leaf", "eax", "ebx", "ecx", "edx"))), words=5),
        ),
    ),
    Event(0x0008200F, "hvm_intr", Struct("vector" / Int32ul)),
    Event(0x00082010, "hvm_nmi", Nothing),
    Event(0x00082011, "hvm_smi", Nothing),
    Event(HVM_VMMCALL, "hvm_vmmcall", Struct("eax" / Int32ul)),
    Event(0x00082013, "hvm_hlt", Struct("intr_pending" / Int32ul)),
    Event(
        0x00082014,
        "hvm_invlpg",
        Struct("invlpga" / Int32ul, "address" / Int32ul),
        Struct("invlpga" / Int32ul, "address" / Int64ul),
    ),
    Event(0x00082015, "hvm_mce", Nothing),
    Event(0x00082016, "hvm_ioport_read", Struct("port" / Int32ul, "data" / Int32ul)),
    Event(
        0x00082017,
        "hvm_iomem_read",
        Struct("address" / Int32ul, "data" / Int32ul),
        Struct("address" / Int64ul, "data" / Int32ul),
    ),
    Event(0x00082018, "hvm_clts", Nothing),
    Event(0x00082019, "hvm_lmsw", Struct("value" / Int32ul), Struct("value" / Int64ul)),
    Event(0x0008201A, "hvm_rdtsc", Struct("tsc" / Int64ul)),
    Event(
        0x00082020,
        "hvm_intr_window",
        Struct("vector" / Int32ul, "source" / Int32ul, "intr" / OrNone(Int32ul, (1 << 32) - 1)),
    ),
    Event(
        0x00082021,
        "hvm_npf",
        Struct("gpa" / Int64ul, "mfn" / _Mfn, "qualification" / Int32ul, "p2mt" / Int32ul),
    ),
    Event(0x00082022, "hvm_realmode_emulate", Nothing),
    Event(0x00082023, "hvm_trap", Struct("vector" / Int32ul)),
    Event(0x00082024, "hvm_trap_debug", Struct("exit_qualification" / Int32ul)),
    Event(0x00082025, "hvm_vlapic", Nothing),
    Event(0x00082026, "hvm_xcr_read", Struct("index" / Int32ul, "value" / Int64ul)),
    Event(0x00082027, "hvm_xcr_write", Struct("index" / Int32ul, "value" / Int64ul)),
    Event(0x00082216, "hvm_ioport_write", Struct("port" / Int32ul, "data" / Int32ul)),
    Event(
        0x00082217,
        "hvm_iomem_write",
        Struct("address" / Int32ul, "data" / Int32ul),
        Struct("address" / Int64ul, "data" / Int32ul),
    ),
    *DEVICE_EVENTS,
    # TRC_HW
    Event(0x00801001, "pm_freq_change", Struct("old_mhz" / Int32ul, "new_mhz" / Int32ul)),
    # arch/x86/acpi/cpu_idle.c, cpu/mwait-idle.c: the same since 4.0, when the latter is in use "cstate" is a type
    Event(
        0x00801002,
        "pm_idle_entry",
        Struct(
            "cstate" / Int32ul,
            "timer" / Int32ul,
            "expected_us" / OrNone(Int32ul, _NO_TIMER),
            "predicted_us" / Int32ul,
        ),
    ),
    Event(
        0x00801003,
        "pm_idle_exit",
        Struct(
            "cstate" / Int32ul,
            "timer" / Int32ul,
            # Of up to four interrupts that were pending then, the vectors.
            *(f"pending{i}" / OrNone(Int32ul, 0) for i in range(1, 5)),
        ),
    ),
    Event(0x00802001, "hw_irq_move_cleanup_delay", Struct("irq" / Int32ul, "vector" / Int32ul, "pcpu" / Int32ul)),
    Event(0x00802002, "hw_irq_move_cleanup", Struct("irq" / Int32ul, "vector" / Int32ul, "pcpu" / Int32ul)),
    Event(0x00802003, "hw_irq_bind_vector", _IrqMask),
    Event(0x00802004, "hw_irq_clear_vector", _IrqMask),
    Event(0x00802005, "hw_irq_move_finish", Struct("irq" / Int32ul, "old_vector" / Int32ul, "pcpu" / Int32ul)),
    Event(0x00802006, "hw_irq_assign_vector", _IrqMask),
    Event(0x00802007, "hw_irq_unmapped_vector", Struct("vector" / Int32ul)),
    # arch/x86/irq.c, do_IRQ: low words of the time stamp; subtract modulo 2^32
    Event(HW_IRQ_HANDLED, "hw_irq_handled", Struct("irq" / Int32ul, "tsc_in" / Int32ul, "tsc_out" / Int32ul)),
)

BY_ID = {event.id: event for event in EVENTS}


@lru_cache(maxsize=1024)
def base_id(event: int) -> int:
    """Strip from an event id what says how the record looks: run states, flags, a guest's levels of page tables."""
    if event & ~RUNSTATE_BITS == RUNSTATE_CHANGE:
        return RUNSTATE_CHANGE
    if event & ~0xFFF == SHADOW_CLASS and event & LEVELS_MASK != LEVELS_MASK:
        return event & ~LEVELS_MASK
    if event in BY_ID:
        return event
    for flags in (FLAG_64, FLAG_NESTED, FLAG_64 | FLAG_NESTED):
        if event & flags == flags and event & ~flags in BY_ID:
            return event & ~flags
    return event


def event_name(event: int) -> str:
    """Name an event as trace.h does, in lower case without TRC_; an unknown one by its id."""
    known = BY_ID.get(base_id(event))
    return known.name if known else f"event_{event:#010x}"


def layout(event: int, release: Release | None = None, words: int | None = None) -> Struct:
    """Give the payload's layout under an event id with its flags; of an unknown event, no fields.

    :param release: of the Xen that made the record; where it is not known, what releases disagree about has no field
    :param words: that it has; of earlier releases this tells most
    """
    known = BY_ID.get(base_id(event))
    if known is None:
        return Nothing
    for older in known.older:
        if older.fits(release, words):
            return older.payload
    if known.by_levels and event & LEVELS_MASK:
        return known.by_levels[(event >> LEVELS_SHIFT & 3) - 1]
    if known.since and release is not None:
        return next(found for since, found in reversed(known.since) if since <= release)
    return known.wide if known.wide is not None and event & FLAG_64 else known.payload
