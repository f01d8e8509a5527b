"""What Xen records of the timers and interrupt controllers that it emulates for HVM guests (TRC_HVM_EMUL).

Ref: xen/arch/x86/{emul-i8254,hvm/hpet,hvm/rtc,hvm/vlapic,hvm/vpic}.c at Xen 4.22 (c447b7308b) and 4.14, which record
the same.
"""

from traces.xen.formats.event import Event
from traces.xen.formats.layout import Int32sl, Int32ul, Int64ul, OrNone, Struct

_EMUL = 0x00084000

_Nothing = Struct()
_Irq = Struct("irq" / Int32ul)
_Pending = OrNone(Int32sl, -1)

DEVICE_EVENTS = (
    Event(
        _EMUL + 0x01,
        "hvm_emul_hpet_start_timer",
        Struct("timer" / Int32ul, "irq" / Int32ul, "delta_ns" / Int64ul, "period_ns" / Int64ul),
    ),
    # A period of 0 is a timer that fires once.
    Event(_EMUL + 0x02, "hvm_emul_pit_start_timer", Struct("delta_ns" / Int32ul, "period_ns" / Int32ul)),
    Event(_EMUL + 0x03, "hvm_emul_rtc_start_timer", Struct("delta_ns" / Int32ul, "period_ns" / Int32ul)),
    Event(
        _EMUL + 0x04,
        "hvm_emul_lapic_start_timer",
        Struct("delta_ns" / Int64ul, "period_ns" / Int64ul, "irq" / Int32ul),
    ),
    Event(_EMUL + 0x05, "hvm_emul_hpet_stop_timer", Struct("timer" / Int32ul)),
    Event(_EMUL + 0x06, "hvm_emul_pit_stop_timer", _Nothing),
    Event(_EMUL + 0x07, "hvm_emul_rtc_stop_timer", _Nothing),
    Event(_EMUL + 0x08, "hvm_emul_lapic_stop_timer", _Nothing),
    Event(_EMUL + 0x09, "hvm_emul_pit_timer_cb", _Nothing),
    Event(_EMUL + 0x0A, "hvm_emul_lapic_timer_cb", _Nothing),
    Event(
        _EMUL + 0x0B,
        "hvm_emul_pic_int_output",
        Struct("int_output" / Int32ul, "is_master" / Int32ul, "irq" / _Pending),
    ),
    Event(_EMUL + 0x0C, "hvm_emul_pic_kick", Struct("irq" / _Pending)),
    Event(_EMUL + 0x0D, "hvm_emul_pic_intack", Struct("is_master" / Int32ul, "irq" / _Pending)),
    Event(_EMUL + 0x0E, "hvm_emul_pic_posedge", _Irq),
    Event(_EMUL + 0x0F, "hvm_emul_pic_negedge", _Irq),
    Event(_EMUL + 0x10, "hvm_emul_pic_pend_irq_call", Struct("accept" / Int32ul, "int_output" / Int32ul)),
    Event(_EMUL + 0x11, "hvm_emul_lapic_pic_intr", Struct("target" / Int32ul, "accept" / Int32sl)),
)
