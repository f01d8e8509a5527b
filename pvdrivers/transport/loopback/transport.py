"""A domain of a loopback's machine, as drivers see it (`pvdrivers.transport.base`)."""

import mmap
import os
import threading
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path

from pvdrivers.abi.grants import GntSt
from pvdrivers.closing import Closing
from pvdrivers.errors import MachineError, NotGranted, NotOffered
from pvdrivers.transport.base import PIECE, Piece
from pvdrivers.transport.loopback import calls
from pvdrivers.transport.loopback.calls import MAP_MAX, Call
from pvdrivers.transport.loopback.hypervisor import GREFS
from pvdrivers.transport.loopback.link import Denied, Link
from pvdrivers.transport.loopback.memory import Area
from pvdrivers.transport.loopback.peer import MappedRegion, OtherDomain
from pvdrivers.transport.waited import Waited
from pvdrivers.xenstore.client import Client


class Pages:
    """Granted or mapped: memory, and how it is given back."""

    def __init__(self, area: Area, grefs: Sequence[int], end: Callable[["Pages"], None]) -> None:
        self._area = area
        self.grefs = grefs
        self._end = end

    @property
    def memory(self) -> memoryview:
        """The pages, one after the other."""
        return self._area.memory

    def close(self) -> None:
        """Give the memory back, and what it stands for."""
        self._area.close()
        self._end(self)

    revoke = unmap = close

    def lose(self, reason: MachineError) -> None:
        """Keep what is there: it is memory still, and nobody else's."""


class Channel(Waited):
    """One end of an event channel: two eventfds."""

    def __init__(self, port: int, fds: Sequence[int], end: Callable[["Channel"], None]) -> None:
        self.port = port
        self._own, self._peer = fds
        self._end = end
        self._gone: MachineError | None = None
        # Who loses it is another thread than who closes it.
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Give the descriptor that becomes readable."""
        return self._own

    def notify(self) -> None:
        """Notify the peer."""
        # Where its counter is full, it has been notified.
        with suppress(BlockingIOError):
            os.eventfd_write(self._peer, 1)

    def take(self) -> bool:
        """Take the notification, if there is one."""
        if self._gone:
            raise self._gone
        if self._masked:
            return False
        try:
            os.eventfd_read(self._own)
        except BlockingIOError:
            return False
        self._masked = True
        return True

    def unmask(self) -> None:
        """Let the next notification come."""
        self._masked = False

    def lose(self, reason: MachineError) -> None:
        """Wake who waits, to be told that the machine is gone."""
        with self._lock:
            if self._own >= 0:
                self._gone = reason
                with suppress(BlockingIOError):
                    os.eventfd_write(self._own, 1)

    def close(self) -> None:
        """Give up this end."""
        with self._lock:
            own, peer = self._own, self._peer
            self._own = self._peer = -1
        if own >= 0:
            try:
                self._end(self)
            finally:
                os.close(own)
                os.close(peer)


class Loopback(Closing):
    """Connects a domain to its machine; see `base.Transport`.

    When the machine's process has ended, however it did, `gone` tells, and so do channels. The next call for anything
    looks for another machine in the same place.

    :param directory: the machine's
    :raises MachineError: there is no machine, or no such domain in it
    """

    def __init__(self, directory: Path, domid: int) -> None:
        self.domid = domid
        self._directory = directory
        self._lock = threading.Lock()
        self._peers: dict[int, OtherDomain] = {}
        self._current = Link(directory, domid)
        self._closed = False

    @cached_property
    def store(self) -> Client:
        """XenStore as this domain sees it."""
        return Client(calls.store_address(self._directory, self.domid))

    @property
    def gone(self) -> MachineError | None:
        """Why nothing of this works any more."""
        return self._current.look()

    @property
    def _link(self) -> Link:
        with self._lock:
            if (gone := self._current.gone) and not self._closed:
                try:
                    link = Link(self._directory, self.domid)
                except MachineError:
                    raise gone from None
                # With it go what was mapped for copies, and regions' numbers: another machine has its own.
                self._current.close()
                self._current, self._peers = link, {}
            return self._current

    def grant(self, domid: int, pages: int = 1, *, writable: bool = True) -> Pages:
        """Grant new pages to a domain."""
        link = self._link
        try:
            (region, *grefs), (fd,) = link.call(Call.GRANT, domid, writable, pages)
        except Denied as denied:
            raise MachineError(f"no {pages} pages to be granted: {os.strerror(denied.errno)}") from None
        try:
            area = Area(pages)
            area.put(0, fd, 0, pages, writable=True)
        finally:
            os.close(fd)
        granted = Pages(area, grefs, partial(link.give_back, Call.REVOKE, [region]))
        link.hold(granted)
        return granted

    def map(self, domid: int, grefs: Sequence[int], *, writable: bool = True) -> Pages:
        """Map pages that a domain has granted to this one, all or none of them."""
        link = self._link
        area = Area(len(grefs))
        mappings: list[int] = []
        mapped = Pages(area, grefs, partial(link.give_back, Call.UNMAP, mappings))
        link.hold(mapped)
        try:
            for first in range(0, len(grefs), MAP_MAX):
                mapping = _map(link, area, first, domid, grefs[first : first + MAP_MAX], writable)
                mappings.append(mapping)
        except Denied:
            mapped.unmap()
            raise NotGranted(domid, grefs) from None
        except MachineError:
            mapped.unmap()
            raise
        return mapped

    def copy_from(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy out of pages that a domain has granted, without mapping them."""
        return self._copy(domid, pieces, memory, into_peer=False)

    def copy_to(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy into pages that a domain has granted for writing."""
        return self._copy(domid, pieces, memory, into_peer=True)

    def copy(self, domid: int, batch: memoryview, memory: memoryview, *, into_peer: bool) -> None:
        """Copy packed pieces."""
        try:
            peer = self._peers.get(domid) or self._peer(domid)
        except Denied:
            # A status is the last of its four-byte words.
            count = len(batch) // PIECE.size
            batch.cast("i")[3::4] = memoryview(array("i", [GntSt.BAD_DOMAIN] * count))
            return
        peer.copy_packed(batch, memory, into_peer=into_peer)

    def _copy(self, domid: int, pieces: Sequence[Piece], memory: memoryview, *, into_peer: bool) -> list[int]:
        try:
            peer = self._peers.get(domid) or self._peer(domid)
        except Denied:
            return [GntSt.BAD_DOMAIN] * len(pieces)
        return peer.copy(pieces, memory, into_peer=into_peer)

    def _peer(self, domid: int) -> OtherDomain:
        link = self._link
        _, (fd,) = link.call(Call.TABLE, domid)
        try:
            table = mmap.mmap(fd, GREFS * 8, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        peer = self._peers[domid] = OtherDomain(memoryview(table).cast("Q"), partial(_find, link, domid))
        return peer

    def alloc_unbound(self, domid: int) -> Channel:
        """Allocate a channel whose other end a domain may bind."""
        try:
            return self._channel(Call.ALLOC_UNBOUND, domid)
        except Denied as denied:
            raise MachineError(f"no event channel to be had: {os.strerror(denied.errno)}") from None

    def bind_interdomain(self, domid: int, port: int) -> Channel:
        """Bind the other end of a channel that a domain has allocated for this one, and that nobody has bound."""
        try:
            return self._channel(Call.BIND_INTERDOMAIN, domid, port)
        except Denied:
            raise NotOffered(domid, port) from None

    def _channel(self, call: Call, *arguments: int) -> Channel:
        link = self._link
        ports, fds = link.call(call, *arguments)
        channel = Channel(ports[0], fds, partial(link.give_back, Call.CLOSE, ports))
        link.hold(channel)
        return channel

    def close(self) -> None:
        """Give back what is still granted, mapped or bound, and end the connection to XenStore."""
        with self._lock:
            self._closed = True
        self._current.close()
        for peer in self._peers.values():
            peer.close()
        if "store" in self.__dict__:
            self.store.close()


def _map(link: Link, area: Area, first: int, domid: int, grefs: Sequence[int], writable: bool) -> int:
    (mapping, *places), fds = link.call(Call.MAP, domid, writable, *grefs)
    try:
        for at, (fd, page) in enumerate(zip(places[::2], places[1::2], strict=True), first):
            area.put(at, fds[fd], page, writable=writable)
    finally:
        for fd in fds:
            os.close(fd)
    return mapping


def _find(link: Link, domid: int, gref: int) -> MappedRegion | None:
    try:
        (number, pages, writable), (fd,) = link.call(Call.OPEN, domid, gref)
    except Denied:
        return None
    try:
        area = Area(pages)
        area.put(0, fd, 0, pages, writable=bool(writable))
    finally:
        os.close(fd)
    return MappedRegion(number, area, bool(writable))
