"""Who runs, and what a vCPU does: numbers that all that is counted is told in, whichever hypervisor recorded it.

Ref: xen/include/public/vcpu.h (RUNSTATE_*), xen/include/public/xen.h (DOMID_IDLE), whose numbers these are.
"""

cdef enum:
    # Run states, and that nothing is known of one.
    RUNNING = 0
    RUNNABLE = 1
    BLOCKED = 2
    OFFLINE = 3
    LOST = 4
    STATES = 5
    # Domids of no domain: who stands in where no vCPU can run, and whoever it was.
    IDLE_DOMID = 0x7FFF
    UNKNOWN_DOMID = 0x8000
    # Xen's own upper limit of CONFIG_NR_CPUS.
    PCPUS = 4095
