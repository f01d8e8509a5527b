"""What ``counted`` tells apart: kinds of events, fields of them, its tables; and how much of it there may be."""

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

cdef enum:
    THREADS_MAX = 1 << 16
    NEAR = 63
    # So many places of keys are kept in mind, less one.
    KEYS_NEAR = 255
    VCPU_MAX = 1 << 16
    # Rooms of all tables together.
    KEYS_MAX = 1 << 18
    # Of those that take most where they are told; and threads that are vCPUs, as ``fold`` has it.
    KINDS_MAX = 1 << 16
    VCPUS_MAX = 1 << 13
    # Ref: Linux, include/linux/threads.h (PID_MAX_LIMIT)
    PIDS_MAX = 1 << 22
    # Bits of prev_state that say why a thread stopped; none: it would go on.
    STOPPED = 0xFF
    ISA_AMD = 2
    MMIO_READ = 1
    MMIO_WRITE = 2
    ADDRESS_BITS = 48
    # Reasons for which a process is entered. Ref: Linux, include/uapi/linux/kvm.h
    ENTERED_IO = 2
    ENTERED_MMIO = 6
    INTERRUPTED = 0xFFFFFFFF
