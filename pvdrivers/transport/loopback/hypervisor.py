"""What Xen keeps of grants and event channels, for domains that are processes.

A grant table is shared memory that every domain may read: at each gref, 8 bytes say which region the page belongs to
and where it is in there, or 0. Regions are never numbered again, so whoever has one mapped can tell at each use whether
the grant is the same still.

Ref: xen/common/grant_table.c, xen/common/event_channel.c
"""

import fcntl
import mmap
import os
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from errno import EINVAL, ENOENT, ENOSPC
from itertools import count
from typing import NamedTuple

from pvdrivers.abi.ring import PAGE_SIZE

#: Grants that a domain may have: Xen's default of 64 frames, of 512 entries each; the first ones are reserved.
GREFS = 64 * 512
GREFS_RESERVED = 8
#: Ports that a domain may have: those of Xen's older interface, 0 not being one.
PORTS = 4096

#: Bits of a table's entry that tell the page.
PAGE_BITS = 16


class Denial(Exception):
    """The machine says no.

    :param errno: what Xen would say
    """

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


@dataclass(eq=False, slots=True)
class Region:
    """Pages granted at once to one domain."""

    number: int
    owner: Hashable
    peer: int
    writable: bool
    grefs: list[int]
    fd: int

    def open(self) -> int:
        """Give a new descriptor, with which the peer can do no more than it may."""
        return os.open(f"/proc/self/fd/{self.fd}", (os.O_RDWR if self.writable else os.O_RDONLY) | os.O_CLOEXEC)


@dataclass(eq=False, slots=True)
class Port:
    """One end of an event channel; the last to be closed closes the eventfds."""

    number: int
    owner: Hashable
    domid: int
    peer: int
    #: By which it is notified, by which it notifies.
    fds: tuple[int, int]
    bound: "Port | None" = None


class InUse(NamedTuple):
    """What a domain has not given back."""

    grants: int
    mappings: int
    ports: int


@dataclass(eq=False, slots=True)
class _Domain:
    table_fd: int
    table: memoryview
    # The longest free first, as a reference used by mistake is then most likely nobody's.
    free: deque[int] = field(default_factory=lambda: deque(range(GREFS_RESERVED, GREFS)))
    free_ports: deque[int] = field(default_factory=lambda: deque(range(1, PORTS)))
    regions: dict[int, Region] = field(default_factory=dict)
    #: Region numbers and page, by gref.
    grants: dict[int, tuple[Region, int]] = field(default_factory=dict)
    ports: dict[int, Port] = field(default_factory=dict)
    mappings: dict[int, Hashable] = field(default_factory=dict)


def _pages(name: str, size: int) -> int:
    # Sealed: a domain that made them fewer would kill whoever touches them.
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def _eventfd() -> int:
    return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)


class Hypervisor:
    """Grants and event channels of all domains. An owner is a connection of a domain's: what it has ends with it.

    Each method may raise `Denial`, or OSError when this process has no memory or descriptors left.
    """

    def __init__(self, domids: Sequence[int]) -> None:
        self._regions = count(1)
        self._mappings = count(1)
        self._domains: dict[int, _Domain] = {}
        for domid in domids:
            fd = _pages(f"grant table of {domid}", GREFS * 8)
            table = memoryview(mmap.mmap(fd, GREFS * 8)).cast("Q")
            self._domains[domid] = _Domain(fd, table)

    def _domain(self, domid: int) -> _Domain:
        if domid not in self._domains:
            raise Denial(EINVAL)
        return self._domains[domid]

    def grant(self, owner: Hashable, domid: int, peer: int, writable: bool, pages: int) -> Region:
        """Grant new pages of ``domid`` to ``peer``."""
        domain = self._domain(domid)
        if not 0 < pages <= len(domain.free):
            raise Denial(ENOSPC)
        number, fd = next(self._regions), _pages(f"pages of {domid}", pages * PAGE_SIZE)
        grefs = [domain.free.popleft() for _ in range(pages)]
        region = Region(number, owner, peer, writable, grefs, fd)
        domain.regions[number] = region
        for page, gref in enumerate(grefs):
            domain.grants[gref] = (region, page)
            domain.table[gref] = number << PAGE_BITS | page
        return region

    def revoke(self, owner: Hashable, domid: int, number: int) -> None:
        """End a region's grants. Who has it mapped keeps it."""
        domain = self._domain(domid)
        region = domain.regions.get(number)
        if region is None or region.owner != owner:
            raise Denial(EINVAL)
        del domain.regions[number]
        for gref in region.grefs:
            domain.table[gref] = 0
            del domain.grants[gref]
        domain.free.extend(region.grefs)
        os.close(region.fd)

    def find(self, domid: int, peer: int, gref: int, writable: bool) -> tuple[Region, int]:
        """Give the page that ``domid`` granted to ``peer`` under a reference: its region, and its number in there."""
        found = self._domain(domid).grants.get(gref)
        if found is None or found[0].peer != peer or (writable and not found[0].writable):
            raise Denial(EINVAL)
        return found

    def map(self, owner: Hashable, domid: int) -> int:
        """Take note that a domain has mapped pages."""
        number = next(self._mappings)
        self._domain(domid).mappings[number] = owner
        return number

    def unmap(self, owner: Hashable, domid: int, number: int) -> None:
        """Take note that it has unmapped them."""
        mappings = self._domain(domid).mappings
        if mappings.get(number) != owner:
            raise Denial(EINVAL)
        del mappings[number]

    def table(self, domid: int) -> int:
        """Give a descriptor of a domain's grant table, to be read."""
        return os.open(f"/proc/self/fd/{self._domain(domid).table_fd}", os.O_RDONLY | os.O_CLOEXEC)

    def alloc_unbound(self, owner: Hashable, domid: int, peer: int) -> Port:
        """Allocate a port for ``peer`` to bind to."""
        domain = self._domain(domid)
        if not domain.free_ports:
            raise Denial(ENOSPC)
        own = _eventfd()
        try:
            fds = own, _eventfd()
        except OSError:
            os.close(own)
            raise
        return self._port(domain, owner, domid, peer, fds)

    def _port(self, domain: _Domain, owner: Hashable, domid: int, peer: int, fds: tuple[int, int]) -> Port:
        port = Port(domain.free_ports.popleft(), owner, domid, peer, fds)
        domain.ports[port.number] = port
        return port

    def bind_interdomain(self, owner: Hashable, domid: int, remote: int, number: int) -> Port:
        """Bind a port of ``remote``, which it allocated for ``domid``, or from which the end bound before is gone."""
        domain = self._domain(domid)
        other = self._domain(remote).ports.get(number)
        if other is None:
            raise Denial(ENOENT)
        if other.bound or other.peer != domid:
            raise Denial(EINVAL)
        if not domain.free_ports:
            raise Denial(ENOSPC)
        port = self._port(domain, owner, domid, remote, (other.fds[1], other.fds[0]))
        port.bound, other.bound = other, port
        # What was sent to the end that nobody had is lost; so, as Xen does, let the new one have a look.
        os.eventfd_write(port.fds[0], 1)
        return port

    def close(self, owner: Hashable, domid: int, number: int) -> None:
        """Close a port; one that it was bound to can be bound again."""
        domain = self._domain(domid)
        port = domain.ports.get(number)
        if port is None or port.owner != owner:
            raise Denial(EINVAL)
        del domain.ports[number]
        domain.free_ports.append(number)
        if port.bound:
            port.bound.bound = None
        else:
            os.close(port.fds[0])
            os.close(port.fds[1])

    def end(self, owner: Hashable, domid: int) -> None:
        """Take back all that an owner has."""
        domain = self._domain(domid)
        for region in [region for region in domain.regions.values() if region.owner == owner]:
            self.revoke(owner, domid, region.number)
        for port in [port for port in domain.ports.values() if port.owner == owner]:
            self.close(owner, domid, port.number)
        for number in [number for number, mapper in domain.mappings.items() if mapper == owner]:
            self.unmap(owner, domid, number)

    def in_use(self, domid: int) -> InUse:
        """Count what a domain has not given back."""
        domain = self._domain(domid)
        return InUse(len(domain.grants), len(domain.mappings), len(domain.ports))

    def shut_down(self) -> None:
        """End all of it."""
        for domid, domain in self._domains.items():
            held: list[Region | Port] = [*domain.regions.values(), *domain.ports.values()]
            for owner in {each.owner for each in held}:
                self.end(owner, domid)
            os.close(domain.table_fd)
        self._domains.clear()
