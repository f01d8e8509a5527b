"""A transport on any machine: pages are memfds, event channels eventfds, and a small machine stands in for Xen.

The machine (`machine`, in a thread, or `Machine`, in an event loop) keeps what Xen would keep: who granted what to
whom, which ports are bound. It serves a XenStore too. Drivers (`Loopback`), in its process or in others, are domains by
the socket that they connect to. Data never passes through the machine: pages and eventfds are handed over once, and
a copy looks up in shared memory whether a grant still holds.

What it does not emulate is said in tests/pvdrivers/transport/contract.py.
"""

from pvdrivers.transport.loopback.machine import Machine, machine
from pvdrivers.transport.loopback.transport import Loopback

__all__ = ["Loopback", "Machine", "machine"]
