"""Records of KVM's traces: lines for people, JSON lines, and a wide table; each event by its own fields."""
