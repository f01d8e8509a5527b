"""What Linux records of KVM: trace.dat of trace-cmd, and how its bytes become counts and rows."""
