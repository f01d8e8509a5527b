"""Which names there are to be explained, by kind: from the tables that name them elsewhere."""

from collections.abc import Callable, Iterable, Mapping

from traces.analyses.findings import RULES
from traces.answers import CONTENTION_NAMES, RUNSTATE_NAMES
from traces.kvm.formats import msrs
from traces.plain import frozen
from traces.xen.formats.events import EVENTS
from traces.xen.formats.exits import SVM_EXITS, VMX_EXITS
from traces.xen.formats.names import HYPERCALLS, HYPERV_CALLS, SUBOPS, TRAPS


@frozen
class Kind:
    """Where a kind's texts and names are.

    ``names`` gives them; None where there is no table but the texts' own names, of which the first is the main one.
    """

    title: str
    files: tuple[str, ...]
    names: Callable[[], Iterable[str]] | None = None


#: In the order in which they are told.
KINDS: Mapping[str, Kind] = {
    "hypercall": Kind("Hypercalls", ("hypercalls",), lambda: (*HYPERCALLS.values(), *HYPERV_CALLS.values())),
    "sub-operation": Kind(
        "Sub-operations",
        ("sub-operations",),
        lambda: (f"{HYPERCALLS[number]}.{name}" for number, of in SUBOPS.items() for name in of),
    ),
    "event": Kind(
        "Events",
        ("events", "events-schedulers", "events-pv", "events-shadow", "events-hvm"),
        lambda: (event.name for event in EVENTS),
    ),
    "KVM event": Kind("Events of KVM", ("events-kvm",)),
    "VMX exit": Kind("VM exits, Intel's", ("exits-vmx",), VMX_EXITS.values),
    "SVM exit": Kind("VM exits, AMD's", ("exits-svm",), SVM_EXITS.values),
    "trap": Kind("Traps", ("traps",), lambda: TRAPS),
    "MSR": Kind("Model-specific registers", ("msrs",), msrs.NAMES.values),
    "run state": Kind("Run states", ("run-states",), lambda: RUNSTATE_NAMES),
    "vCPUs together": Kind("vCPUs together", ("together",), lambda: CONTENTION_NAMES),
    "finding": Kind("Findings", ("findings",), lambda: RULES),
    "term": Kind("Terms", ("terms",)),
}

#: What Linux calls otherwise than Xen: by its names, those in the tables.
#:
#: Ref: Linux, arch/x86/include/uapi/asm/vmx.h (VMX_EXIT_REASONS)
ALIASES: Mapping[str, Mapping[str, str]] = {
    "VMX exit": {
        "INIT_SIGNAL": "INIT",
        "SIPI_SIGNAL": "SIPI",
        "INTERRUPT_WINDOW": "PENDING_VIRT_INTR",
        "NMI_WINDOW": "PENDING_VIRT_NMI",
        "INVALID_STATE": "INVALID_GUEST_STATE",
        "MSR_LOAD_FAIL": "MSR_LOADING",
        "GDTR_IDTR": "ACCESS_GDTR_OR_IDTR",
        "LDTR_TR": "ACCESS_LDTR_OR_TR",
        "PREEMPTION_TIMER": "VMX_PREEMPTION_TIMER_EXPIRED",
    },
}
