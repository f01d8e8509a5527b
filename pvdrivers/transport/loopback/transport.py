"""A domain of a loopback's machine, as drivers see it (`pvdrivers.transport.base`)."""

import mmap
import os
import select
import socket
import threading
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Self

from pvdrivers.abi.grants import GntSt
from pvdrivers.errors import MachineError, NotGranted, NotOffered
from pvdrivers.transport.base import PIECE, Piece
from pvdrivers.transport.loopback import calls
from pvdrivers.transport.loopback.calls import MAP_MAX, Call
from pvdrivers.transport.loopback.hypervisor import GREFS
from pvdrivers.transport.loopback.memory import Area
from pvdrivers.transport.loopback.peer import Peer, Region
from pvdrivers.xenstore.client import Client


class _Refused(Exception):
    # The machine said no.

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


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


class Channel:
    """One end of an event channel: two eventfds."""

    def __init__(self, port: int, fds: Sequence[int], end: Callable[["Channel"], None]) -> None:
        self.port = port
        self._own, self._peer = fds
        self._end = end
        self._masked = False

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
        if self._masked:
            return False
        try:
            os.eventfd_read(self._own)
        except BlockingIOError:
            return False
        self._masked = True
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a notification and take it."""
        if self._masked:
            raise ValueError("a masked channel is never notified")
        poll = select.poll()
        poll.register(self._own, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000)) and self.take()

    def unmask(self) -> None:
        """Let the next notification come."""
        self._masked = False

    def close(self) -> None:
        """Give up this end."""
        if self._own >= 0:
            own, peer = self._own, self._peer
            self._own = self._peer = -1
            try:
                self._end(self)
            finally:
                os.close(own)
                os.close(peer)


class Loopback:
    """Connects a domain to its machine; see `base.Transport`.

    :param directory: the machine's
    :raises MachineError: there is no machine, or no such domain in it
    """

    def __init__(self, directory: Path, domid: int) -> None:
        self.domid = domid
        self._directory = directory
        self._machine = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._peers: dict[int, Peer] = {}
        self._held: dict[Pages | Channel, None] = {}
        try:
            self._machine.connect(str(calls.address(directory, domid)))
        except OSError as error:
            self._machine.close()
            raise MachineError(f"no domain {domid} of a loopback in {directory}: {error.strerror or error}") from error

    @cached_property
    def store(self) -> Client:
        """XenStore as this domain sees it."""
        return Client(calls.store_address(self._directory, self.domid))

    def _call(self, call: Call, *arguments: int) -> tuple[list[int], list[int]]:
        try:
            with self._lock:
                calls.send(self._machine, (call, *arguments))
                (errno, *results), fds = calls.receive(self._machine)
        except OSError as error:
            raise MachineError(f"the loopback in {self._directory} is gone: {error.strerror or error}") from error
        except OverflowError as error:
            raise ValueError(f"{arguments} are not all of 32 bits") from error
        if errno:
            raise _Refused(errno)
        return results, fds

    def grant(self, domid: int, pages: int = 1, *, writable: bool = True) -> Pages:
        """Grant new pages to a domain."""
        try:
            (region, *grefs), (fd,) = self._call(Call.GRANT, domid, writable, pages)
        except _Refused as refused:
            raise MachineError(f"no {pages} pages to be granted: {os.strerror(refused.errno)}") from None
        try:
            area = Area(pages)
            area.put(0, fd, 0, pages, writable=True)
        finally:
            os.close(fd)
        granted = Pages(area, grefs, partial(self._give_back, Call.REVOKE, [region]))
        self._held[granted] = None
        return granted

    def map(self, domid: int, grefs: Sequence[int], *, writable: bool = True) -> Pages:
        """Map pages that a domain has granted to this one, all or none of them."""
        area = Area(len(grefs))
        mappings: list[int] = []
        mapped = Pages(area, grefs, partial(self._give_back, Call.UNMAP, mappings))
        self._held[mapped] = None
        try:
            for first in range(0, len(grefs), MAP_MAX):
                mapping = self._map(area, first, domid, grefs[first : first + MAP_MAX], writable)
                mappings.append(mapping)
        except _Refused:
            mapped.unmap()
            raise NotGranted(domid, grefs) from None
        except MachineError:
            mapped.unmap()
            raise
        return mapped

    def _map(self, area: Area, first: int, domid: int, grefs: Sequence[int], writable: bool) -> int:
        (mapping, *places), fds = self._call(Call.MAP, domid, writable, *grefs)
        try:
            for at, (fd, page) in enumerate(zip(places[::2], places[1::2], strict=True), first):
                area.put(at, fds[fd], page, writable=writable)
        finally:
            for fd in fds:
                os.close(fd)
        return mapping

    def _give_back(self, call: Call, numbers: Sequence[int], held: Pages | Channel) -> None:
        if held in self._held:
            del self._held[held]
            for number in numbers:
                self._call(call, number)

    def copy_from(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy out of pages that a domain has granted, without mapping them."""
        return self._copy(domid, pieces, memory, into_peer=False)

    def copy_to(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy into pages that a domain has granted for writing."""
        return self._copy(domid, pieces, memory, into_peer=True)

    def copy(self, domid: int, batch: memoryview, memory: memoryview, *, into_peer: bool) -> None:
        """Copy packed pieces."""
        pieces = [Piece(gref, offset, place, length) for gref, offset, length, place, _ in PIECE.iter_unpack(batch)]
        # A status is the last of its four-byte words.
        words = batch.cast("i")
        words[3::4] = memoryview(array("i", self._copy(domid, pieces, memory, into_peer=into_peer)))

    def _copy(self, domid: int, pieces: Sequence[Piece], memory: memoryview, *, into_peer: bool) -> list[int]:
        try:
            peer = self._peers.get(domid) or self._peer(domid)
        except _Refused:
            return [GntSt.BAD_DOMAIN] * len(pieces)
        return peer.copy(pieces, memory, into_peer=into_peer)

    def _peer(self, domid: int) -> Peer:
        _, (fd,) = self._call(Call.TABLE, domid)
        try:
            table = mmap.mmap(fd, GREFS * 8, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        peer = self._peers[domid] = Peer(memoryview(table).cast("Q"), partial(self._find, domid))
        return peer

    def _find(self, domid: int, gref: int) -> Region | None:
        try:
            (number, pages, writable), (fd,) = self._call(Call.OPEN, domid, gref)
        except _Refused:
            return None
        try:
            area = Area(pages)
            area.put(0, fd, 0, pages, writable=bool(writable))
        finally:
            os.close(fd)
        return Region(number, area, bool(writable))

    def alloc_unbound(self, domid: int) -> Channel:
        """Allocate a channel whose other end a domain may bind."""
        try:
            return self._channel(*self._call(Call.ALLOC_UNBOUND, domid))
        except _Refused as refused:
            raise MachineError(f"no event channel to be had: {os.strerror(refused.errno)}") from None

    def bind_interdomain(self, domid: int, port: int) -> Channel:
        """Bind the other end of a channel that a domain has allocated for this one, and that nobody has bound."""
        try:
            return self._channel(*self._call(Call.BIND_INTERDOMAIN, domid, port))
        except _Refused:
            raise NotOffered(domid, port) from None

    def _channel(self, results: list[int], fds: list[int]) -> Channel:
        channel = Channel(results[0], fds, partial(self._give_back, Call.CLOSE, results))
        self._held[channel] = None
        return channel

    def close(self) -> None:
        """Give back what is still granted, mapped or bound, and end the connection to XenStore."""
        # With the connection, the machine takes back all of it.
        self._machine.close()
        for peer in self._peers.values():
            peer.close()
        held, self._held = self._held, {}
        for each in held:
            with suppress(BufferError):
                each.close()
        if "store" in self.__dict__:
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
