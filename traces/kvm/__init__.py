"""What Linux records of KVM: trace.dat of trace-cmd, and how its bytes become counts and rows."""

#: How every trace.dat begins.
MAGIC = b"\x17\x08Dtracing"
