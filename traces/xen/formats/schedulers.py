"""What Xen's schedulers record (TRC_SCHED_CLASS), for each its own id in bits 11:9.

Ref: xen/common/sched/{credit,credit2,rt,null}.c at Xen 4.22 (c447b7308b), and at 4.14.5: they record the same, but for
the padding at the end of some records (2992f4d, 6835f93).
"""

from traces.xen.formats.event import Event, Older
from traces.xen.formats.layout import Int8ul, Int16ul, Int32sl, Int32ul, Int64ul, Named, OrNone, Struct

_CREDIT, _CREDIT2, _RTDS, _NULL = (0x00022000 | scheduler << 9 for scheduler in (0, 1, 4, 5))

#: Until 4.6 credit2 and RTDS have the halves of the word that says whom it is about the other way round (bf1891699b),
#: and some of their records no time stamps (44c4112f57), by which they are recognised.
_SWAPPED_UNTIL = (4, 7)


def _of_unit(*fields: Named, words: int | None = None) -> tuple[Older, Older]:
    swapped = Struct("domid" / Int16ul, "unit" / Int16ul, *fields)
    return Older(swapped, words, _SWAPPED_UNTIL), Older(Struct("unit" / Int16ul, "domid" / Int16ul, *fields), words)


_SWAPPED = _of_unit()[0]
_Unit = Struct("unit" / Int16ul, "domid" / Int16ul)
_UnitPcpu = Struct("unit" / Int16ul, "domid" / Int16ul, "pcpu" / Int32ul)
_UnitRuntime = Struct("unit" / Int16ul, "domid" / Int16ul, "runtime" / Int32ul)
_Domain = Struct("domid" / Int32ul, "unit" / Int32ul)
_Schedule = Struct("pcpu" / Int16ul, "tasklet" / Int8ul, "idle" / Int8ul)
_Nothing = Struct()
#: STIME_MAX: no runqueue was looked at.
_MAX_LOAD = (1 << 63) - 1

SCHEDULER_EVENTS = (
    Event(_CREDIT + 1, "csched_sched_tasklet", _Nothing),
    Event(_CREDIT + 2, "csched_account_start", Struct("domid" / Int32ul, "unit" / Int32ul, "active" / Int32ul)),
    Event(_CREDIT + 3, "csched_account_stop", Struct("domid" / Int32ul, "unit" / Int32ul, "active" / Int32ul)),
    Event(_CREDIT + 4, "csched_stolen_unit", Struct("pcpu" / Int32ul, "domid" / Int32ul, "unit" / Int32ul)),
    Event(_CREDIT + 5, "csched_picked_cpu", Struct("domid" / Int32ul, "unit" / Int32ul, "pcpu" / Int32ul)),
    Event(_CREDIT + 6, "csched_tickle", Struct("pcpu" / Int32ul)),
    Event(_CREDIT + 7, "csched_boost_start", _Domain),
    Event(_CREDIT + 8, "csched_boost_end", _Domain),
    Event(_CREDIT + 9, "csched_schedule", _Schedule),
    Event(_CREDIT + 10, "csched_ratelimit", _UnitRuntime),
    Event(_CREDIT + 11, "csched_steal_check", Struct("pcpu" / Int32ul, "checked" / Int32ul)),
    Event(_CREDIT2 + 1, "csched2_tick", _Nothing),
    Event(
        _CREDIT2 + 2,
        "csched2_runq_pos",
        Struct("unit" / Int16ul, "domid" / Int16ul, "position" / Int32ul),
        older=_of_unit("position" / Int32ul),
    ),
    Event(
        _CREDIT2 + 3,
        "csched2_credit_burn",
        Struct(
            "unit" / Int16ul,
            "domid" / Int16ul,
            "credit" / Int32sl,
            "budget" / OrNone(Int32sl, -1 << 31),  # INT_MIN without a cap
            "delta" / Int32sl,
        ),
        older=_of_unit("credit" / Int32sl, "delta" / Int32sl, words=3),  # until 4.9
    ),
    Event(_CREDIT2 + 4, "csched2_credit_add", _Unit, older=(_SWAPPED,)),
    Event(
        _CREDIT2 + 5,
        "csched2_tickle_check",
        Struct("unit" / Int16ul, "domid" / Int16ul, "credit" / Int32sl, "score" / Int32sl),
        older=_of_unit("credit" / Int32sl, words=2),  # until 4.9
    ),
    Event(
        _CREDIT2 + 6,
        "csched2_tickle",
        Struct("pcpu" / Int16ul),
        older=(Older(Struct("pcpu" / Int8ul), until=_SWAPPED_UNTIL),),
    ),
    Event(
        _CREDIT2 + 7,
        "csched2_credit_reset",
        Struct("unit" / Int16ul, "domid" / Int16ul, "credit_start" / Int32sl, "credit_end" / Int32sl),
        older=(
            *_of_unit("credit_start" / Int32sl, "credit_end" / Int32sl, "multiplier" / Int32ul, words=4),  # 4.3 to 4.13
            _of_unit("credit_start" / Int32sl, "credit_end" / Int32sl)[0],
        ),
    ),
    Event(_CREDIT2 + 8, "csched2_sched_tasklet", _Nothing),
    Event(_CREDIT2 + 9, "csched2_update_load", _Nothing),
    Event(
        _CREDIT2 + 10,
        "csched2_runq_assign",
        Struct("unit" / Int16ul, "domid" / Int16ul, "runq" / Int16ul),
        older=_of_unit("runq" / Int16ul),
    ),
    Event(
        _CREDIT2 + 11,
        "csched2_update_unit_load",
        Struct("load" / Int64ul, "unit" / Int16ul, "domid" / Int16ul, "shift" / Int32ul),
        older=_of_unit("load" / Int32ul, words=2),  # until 4.7
    ),
    Event(
        _CREDIT2 + 12,
        "csched2_update_runq_load",
        Struct("runq_load" / Int64ul, "balance_load" / Int64ul, "load" / Int16ul, "runq" / Int8ul, "shift" / Int8ul),
        older=(Older(_Nothing, words=2),),  # until 4.7: four numbers of 4 and 28 bits
    ),
    Event(
        _CREDIT2 + 13,
        "csched2_tickle_new",
        Struct("unit" / Int16ul, "domid" / Int16ul, "pcpu" / Int32ul, "credit" / Int32sl),
    ),
    Event(_CREDIT2 + 14, "csched2_runq_max_weight", Struct("runq" / Int16ul, "max_weight" / Int16ul)),
    Event(
        _CREDIT2 + 15,
        "csched2_migrate",
        Struct("unit" / Int16ul, "domid" / Int16ul, "runq" / Int16ul, "target_runq" / Int16ul),
    ),
    Event(_CREDIT2 + 16, "csched2_load_check", Struct("runq" / Int16ul, "other_runq" / Int16ul)),
    Event(_CREDIT2 + 17, "csched2_load_balance", Struct("load" / Int64ul, "other_load" / Int64ul)),
    Event(
        _CREDIT2 + 19,
        "csched2_picked_cpu",
        Struct(
            "load" / OrNone(Int64ul, _MAX_LOAD),
            "unit" / Int16ul,
            "domid" / Int16ul,
            "runq" / OrNone(Int16ul, 0xFFFF),
            "pcpu" / Int16ul,
        ),
    ),
    Event(
        _CREDIT2 + 20,
        "csched2_runq_candidate",
        Struct("unit" / Int16ul, "domid" / Int16ul, "tickled_pcpu" / OrNone(Int32sl, -1), "credit" / Int32sl),
        older=(
            # 4.9 to 4.13, and 4.8.
            _of_unit("tickled_pcpu" / OrNone(Int32sl, -1), "skipped" / Int32ul, "credit" / Int32sl, words=4)[1],
            Older(
                Struct(*_Unit.fields, "tickled_pcpu" / OrNone(Int32sl, -1), "skipped" / Int32ul),
                words=3,
                until=(4, 14),
            ),
        ),
    ),
    Event(
        _CREDIT2 + 21,
        "csched2_schedule",
        Struct(
            "pcpu" / Int16ul,
            "runq" / Int16ul,
            "tasklet" / Int8ul,
            "idle" / Int8ul,
            "smt_idle" / Int8ul,
            "tickled" / Int8ul,
        ),
    ),
    Event(_CREDIT2 + 22, "csched2_ratelimit", _UnitRuntime),
    Event(_CREDIT2 + 23, "csched2_runq_cand_check", _Unit),
    Event(_RTDS + 1, "rtds_tickle", Struct("pcpu" / Int16ul)),
    Event(
        _RTDS + 2,
        "rtds_runq_pick",
        Struct("unit" / Int16ul, "domid" / Int16ul, "deadline" / Int64ul, "budget" / Int64ul),
        older=_of_unit("deadline" / Int64ul, "budget" / Int64ul),
    ),
    Event(
        _RTDS + 3,
        "rtds_budget_burn",
        Struct(
            "unit" / Int16ul,
            "domid" / Int16ul,
            "budget" / Int64ul,
            "delta" / Int32sl,
            "priority" / Int32ul,
            "has_extratime" / Int8ul,  # until 4.17 a bool, and stale memory behind it
        ),
        older=(_of_unit("budget" / Int64ul, "delta" / Int32sl, words=4)[0],),
    ),
    Event(
        _RTDS + 4,
        "rtds_budget_replenish",
        Struct(
            "unit" / Int16ul,
            "domid" / Int16ul,
            "priority" / Int32ul,
            "deadline" / Int64ul,
            "budget" / Int64ul,
        ),
        older=_of_unit("deadline" / Int64ul, "budget" / Int64ul, words=5),  # until 4.9
    ),
    Event(_RTDS + 5, "rtds_sched_tasklet", _Nothing),
    Event(_RTDS + 6, "rtds_schedule", Struct("pcpu" / Int16ul, "tasklet" / Int8ul)),
    Event(_NULL + 1, "snull_picked_cpu", _UnitPcpu),
    Event(_NULL + 2, "snull_unit_assign", _UnitPcpu),
    Event(_NULL + 3, "snull_unit_deassign", _UnitPcpu),
    Event(
        _NULL + 4,
        "snull_migrate",
        Struct("unit" / Int16ul, "domid" / Int16ul, "pcpu" / Int16ul, "new_pcpu" / Int16ul),
    ),
    Event(
        _NULL + 5,
        "snull_schedule",
        Struct(
            "tasklet" / Int16ul,
            "pcpu" / Int16ul,
            "assigned_unit" / OrNone(Int16ul, 0xFFFF),
            "assigned_domid" / OrNone(Int16ul, 0xFFFF),
        ),
    ),
    Event(_NULL + 6, "snull_tasklet", _Nothing),
)
