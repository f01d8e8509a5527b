"""Where in a table of KVM's records VM exits, hypercalls and interrupts are: rows, and numbers that tell them apart."""

import numpy as np
from numpy.typing import NDArray

from traces.kvm.table import RecordTable

Found = tuple[NDArray[np.intp], NDArray[np.int64]]


def exits(table: RecordTable) -> Found:
    """Find the VM exits: their rows and reasons."""
    rows, (reasons,) = table.of_event("kvm_exit", "exit_reason")
    return rows, reasons


def hypercalls(table: RecordTable) -> Found:
    """Find the hypercalls: their rows and numbers."""
    rows, (numbers,) = table.of_event("kvm_hypercall", "nr")
    return rows, numbers


def interrupts(table: RecordTable) -> Found:
    """Find the interrupts that vCPUs were given: their rows and vectors."""
    rows, (vectors,) = table.of_event("kvm_inj_virq", "vector")
    return rows, vectors


def nothing(table: RecordTable) -> Found:
    """Find what KVM has no record for."""
    del table
    return np.empty(0, np.intp), np.empty(0, np.int64)
