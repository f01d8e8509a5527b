"""A Xen domain's way to others (`pvdrivers.transport.base`)."""

import os
from collections.abc import Sequence
from contextlib import suppress
from errno import EINVAL, ENOENT, ESRCH
from fcntl import ioctl
from functools import cached_property
from struct import Struct

from pvdrivers.abi import devices as abi
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.closing import Closing
from pvdrivers.errors import MachineError, NotGranted, NotOffered
from pvdrivers.transport.base import PIECE, Piece
from pvdrivers.transport.xen.channel import Channel
from pvdrivers.transport.xen.devices import open_device
from pvdrivers.transport.xen.grants import Mapping, copy
from pvdrivers.transport.xen.pages import Pages
from pvdrivers.xenstore.client import Client

_ALLOC_HEAD = Struct("<HHIQ")
#: What the hypervisor says of a port that cannot be bound.
_NO_PORT = {EINVAL, ENOENT, ESRCH}


class Xen(Closing):
    """The domain that this runs in; see `base.Transport`.

    :raises MachineError: this is no Xen domain; also from what needs a device that is not there
    """

    #: Nobody outlives the hypervisor.
    gone: MachineError | None = None

    def __init__(self) -> None:
        self._gntdev = open_device("gntdev")
        self._held: dict[Pages | Mapping | Channel, None] = {}

    @cached_property
    def _gntalloc(self) -> int:
        return open_device("gntalloc")

    @cached_property
    def store(self) -> Client:
        """XenStore as this domain sees it."""
        return Client()

    @cached_property
    def domid(self) -> int:
        """Who this is."""
        return int(self.store.read("domid"))

    def grant(self, domid: int, pages: int = 1, *, writable: bool = True) -> Pages:
        """Grant new pages to a domain."""
        request = bytearray(_ALLOC_HEAD.size + 4 * pages)
        _ALLOC_HEAD.pack_into(request, 0, domid, abi.GNTALLOC_FLAG_WRITABLE if writable else 0, pages, 0)
        try:
            ioctl(self._gntalloc, abi.IOCTL_GNTALLOC_ALLOC_GREF, request)
        except OSError as error:
            limit = "/sys/module/xen_gntalloc/parameters/limit"
            raise MachineError(f"no {pages} pages to be granted: {error.strerror} (see {limit})") from error
        *_, index = _ALLOC_HEAD.unpack_from(request)
        grefs = tuple(memoryview(request)[_ALLOC_HEAD.size :].cast("I"))
        return self._pages(index, grefs)

    def map(self, domid: int, grefs: Sequence[int], *, writable: bool = True) -> Mapping:
        """Map pages that a domain has granted to this one, all or none of them."""
        try:
            return Mapping(self._gntdev, domid, grefs, writable, self._held)
        except OSError as error:
            if error.errno == EINVAL:
                raise NotGranted(domid, grefs) from None
            raise MachineError(f"cannot map {len(grefs)} pages: {error.strerror}") from error

    def _pages(self, index: int, grefs: Sequence[int]) -> Pages:
        def give_back() -> None:
            ioctl(self._gntalloc, abi.IOCTL_GNTALLOC_DEALLOC_GREF, abi.DEALLOC_GREF.struct.pack(index, len(grefs)))

        def end(pages: Pages) -> None:
            if pages in self._held:
                del self._held[pages]
                give_back()

        try:
            pages = Pages(self._gntalloc, index, grefs, end)
        except OSError as error:
            give_back()
            raise MachineError(f"no {len(grefs)} pages to be granted: {error.strerror}") from error
        self._held[pages] = None
        return pages

    def copy_from(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy out of pages that a domain has granted, without mapping them."""
        return self._copy(domid, pieces, memory, into_peer=False)

    def copy_to(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy into pages that a domain has granted for writing."""
        return self._copy(domid, pieces, memory, into_peer=True)

    def _copy(self, domid: int, pieces: Sequence[Piece], memory: memoryview, *, into_peer: bool) -> list[int]:
        batch = bytearray(PIECE.size * len(pieces))
        for number, (gref, offset, place, length) in enumerate(pieces):
            if place < 0 or length < 0 or place + length > len(memory):
                raise ValueError(f"{length} bytes at {place} are not within {len(memory)}")
            # What is beyond its page is so by any number of bytes.
            within = 0 <= offset <= PAGE_SIZE and length <= PAGE_SIZE
            span = (offset, length) if within else (PAGE_SIZE, 1 if length else 0)
            PIECE.pack_into(batch, number * PIECE.size, gref, *span, place, 0)
        self.copy(domid, memoryview(batch), memory, into_peer=into_peer)
        return [status for *_, status in PIECE.iter_unpack(batch)]

    def copy(self, domid: int, batch: memoryview, memory: memoryview, *, into_peer: bool) -> None:
        """Copy packed pieces."""
        try:
            copy(self._gntdev, domid, batch, memory, into_peer)
        except OSError as error:
            raise MachineError(f"cannot copy {len(batch) // PIECE.size} pieces: {error.strerror}") from error

    def alloc_unbound(self, domid: int) -> Channel:
        """Allocate a channel whose other end a domain may bind."""
        return self._channel(abi.IOCTL_EVTCHN_BIND_UNBOUND_PORT, abi.BIND_UNBOUND_PORT.struct.pack(domid))

    def bind_interdomain(self, domid: int, port: int) -> Channel:
        """Bind the other end of a channel that a domain has allocated for this one, and that nobody has bound."""
        try:
            return self._channel(abi.IOCTL_EVTCHN_BIND_INTERDOMAIN, abi.BIND_INTERDOMAIN.struct.pack(domid, port))
        except MachineError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_PORT:
                raise NotOffered(domid, port) from None
            raise

    def _channel(self, request: int, argument: bytes) -> Channel:
        fd = open_device("evtchn")
        try:
            # The port is what the call returns, and not in its argument; Python returns it if that may be written to.
            port = ioctl(fd, request, bytearray(argument))
        except OSError as error:
            os.close(fd)
            raise MachineError(f"no event channel to be had: {error.strerror}") from error
        channel = Channel(fd, port, self._held.pop)
        self._held[channel] = None
        return channel

    def close(self) -> None:
        """Give back what is still granted, mapped or bound, and end the connection to XenStore."""
        for each in list(self._held):
            with suppress(BufferError):
                each.close()
        self._held.clear()
        for name in ("_gntdev", "_gntalloc"):
            if (fd := self.__dict__.pop(name, None)) is not None:
                os.close(fd)
        if "store" in self.__dict__:
            self.store.close()
