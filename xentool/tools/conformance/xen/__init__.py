"""Drivers on the Xen that this dom0 runs on, as subjects: its kernel's, QEMU's, ours, and those of guests.

The kit is the other end in this dom0. ``devices`` plugs and sweeps, ``held`` counts what is in use, ``klog`` hears what
a kernel complains of; the rest are subjects.
"""
