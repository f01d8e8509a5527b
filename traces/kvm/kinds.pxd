"""What ``counted`` tells apart: kinds of events, fields of them, and its tables."""

cdef enum Kind:
    OTHER
    UNKNOWN             # no format tells of it
    ENTRY
    EXIT
    TO_USER
    SWITCH
    WAKEUP
    PIO
    MMIO
    INJECTED
    FAST_MMIO
    MSR

cdef enum Place:
    # Fields, as ``places.FIELDS`` names them; -1: this kernel has none.
    ENTRY_VCPU
    EXIT_VCPU
    EXIT_REASON
    EXIT_ISA
    SWITCH_FROM
    SWITCH_STATE
    SWITCH_TO
    WAKEUP_PID
    PIO_RW
    PIO_PORT
    MMIO_TYPE
    MMIO_ADDRESS
    INJECTED_VECTOR
    FAST_MMIO_ADDRESS
    MSR_NUMBER
    MSR_WRITE
    USER_REASON
    USER_ERRNO
    PLACES

cdef enum Table:
    EVENTS              # thread << 16 | event
    EXITS               # thread << 32 | reason; count, time in the kernel, the longest of those
    EXITS_USER          # the same: how many went to user space, and the time there
    EXITS_AWAY          # the same: how many were switched out, and for how long
    EXITS_TOOK          # thread << 41 | reason << 9 | bucket
    IO_PORTS            # thread << 48 | port; count, of which are writes, and which (most) went to the process
    IO_MEMORY           # thread << 48 | address
    INTERRUPTS          # thread << 32 | vector
    MSRS                # thread << 32 | number; count, of which are writes
    ENTRIES             # thread << 32 | reason for which its process was entered
    PLACES_RUN          # thread << 16 | processor; time
    TABLES
