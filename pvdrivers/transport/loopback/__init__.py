"""A transport on any machine: pages are memfds, event channels eventfds, and a small machine stands in for Xen.

The machine (`machine`, in a thread, or `Machine`, in an event loop) keeps what Xen would keep: who granted what to
whom, which ports are bound. It serves a XenStore too. Drivers (`Loopback`), in its process or in others, are domains by
the socket that they connect to. Data never passes through the machine: pages and eventfds are handed over once, and
a copy looks up in shared memory whether a grant still holds.

What it does not emulate, and no test on it can show:

- Protection: domains are processes of one user, who can do anything to each other anyway.
- A gref that was revoked while it is mapped can, on Xen, be mapped again until it is unmapped; here it cannot.
- References and ports are taken in order, and those free for long come first; Xen's come in any order.
- While a channel is masked, its descriptor may be readable; on Xen it is not. And Linux delays what comes too often.
- Domains are there from the beginning to the end: none is created, destroyed, suspended or migrated.
- A page is 4096 bytes of memory and no more: there are no frame numbers, no foreign mappings, no transfers of pages.
- Limits: as many grants as Xen allows by default, but not the limit of Linux's gntalloc, 1024 pages unless set.
"""

from pvdrivers.transport.loopback.machine import Machine, machine
from pvdrivers.transport.loopback.transport import Loopback

__all__ = ["Loopback", "Machine", "machine"]
