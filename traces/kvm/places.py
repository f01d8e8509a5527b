"""Fields of events that are counted by, in the order of ``kinds.Place``: a trace's formats say where each lies."""

#: Of each its event and its own name.
FIELDS = (
    ("kvm_entry", "vcpu_id"),
    ("kvm_exit", "vcpu_id"),
    ("kvm_exit", "exit_reason"),
    ("kvm_exit", "isa"),
    ("sched_switch", "prev_pid"),
    ("sched_switch", "prev_state"),
    ("sched_switch", "next_pid"),
    ("sched_wakeup", "pid"),
    ("kvm_pio", "rw"),
    ("kvm_pio", "port"),
    ("kvm_mmio", "type"),
    ("kvm_mmio", "gpa"),
    ("kvm_inj_virq", "vector"),
    ("kvm_fast_mmio", "gpa"),
    ("kvm_msr", "ecx"),
    ("kvm_msr", "write"),
    ("kvm_userspace_exit", "reason"),
    ("kvm_userspace_exit", "errno"),
)
