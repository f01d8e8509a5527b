"""What joins a driver to its peer: Xen itself, or a loopback anywhere."""
