"""Paravirtual drivers in userspace, front and back: rings, handshakes, and what they are made of."""
