"""Xen itself, by Linux's devices: gntdev maps and copies, gntalloc grants, evtchn notifies; for both roles, as root."""

from pvdrivers.transport.xen.transport import Xen

__all__ = ["Xen"]
