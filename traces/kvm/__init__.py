"""What Linux records of KVM: trace.dat of trace-cmd, perf.data of perf kvm; how their bytes become rows."""

#: How every trace.dat begins, and every perf.data.
MAGIC, PERF_MAGIC = b"\x17\x08Dtracing", b"PERFILE2"
#: How what a KVM host sends begins, as a recording that was killed has left it.
STREAM_MAGIC = b"xentool: stream "
