"""What Xen writes, and how its bytes become rows."""
