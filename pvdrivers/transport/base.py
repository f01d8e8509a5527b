"""All that a driver may ask of what joins it to its peer: shared pages, event channels, XenStore; for both roles.

Law: nothing here says how. A driver is handed a `Transport` and cannot tell a hypervisor from a loopback, so what one
of them cannot do is not here.

What is granted, mapped or bound lasts until it is given back, or until the transport is closed; the end of a process,
however it comes, is as good as that.
"""

from collections.abc import Sequence
from struct import Struct
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from pvdrivers.errors import MachineError
from pvdrivers.xenstore.client import Client


class Grant(Protocol):
    """Pages of this domain that another may use."""

    @property
    def grefs(self) -> Sequence[int]:
        """Each page's reference, by which the other domain asks for it."""
        ...

    @property
    def memory(self) -> memoryview:
        """The pages, one after the other, writable, zero at first."""
        ...

    def revoke(self) -> None:
        """End it: from now on nobody can map or copy these pages, but who has them mapped still.

        The pages are used for nothing else before that has unmapped them.

        :raises BufferError: something here still uses ``memory``
        """
        ...


class Mapping(Protocol):
    """Pages of another domain in this one's memory."""

    @property
    def memory(self) -> memoryview:
        """The pages in the order of their grefs, one after the other; readonly if they were mapped so.

        The peer can change them at any time: what is to be checked is copied first.
        """
        ...

    def unmap(self) -> None:
        """End it.

        :raises BufferError: something here still uses ``memory``
        """
        ...


class Channel(Protocol):
    """One end of an event channel.

    Notifications are not counted: many while nobody looks are one or two. The first may come without a cause. When one
    has been taken, the channel is masked, and `unmask` is due once the work is done, or no other will arrive.
    """

    @property
    def port(self) -> int:
        """Number of this end; the peer binds to it when this domain allocated the channel."""
        ...

    def fileno(self) -> int:
        """Give a descriptor that becomes readable with a notification, for select, asyncio and the like.

        So it does when the transport is gone, for `take` to tell.
        """
        ...

    def notify(self) -> None:
        """Notify the peer. It is no error that the peer has closed its end, or not yet bound it."""
        ...

    def take(self) -> bool:
        """Take the notification, if there is one; never waits.

        :raises MachineError: none will come any more, since the transport is gone
        """
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a notification and take it.

        :param timeout: seconds; None to wait for ever
        :returns: False when none came in time
        :raises MachineError: none will come any more, since the transport is gone
        :raises ValueError: the channel is masked, and would never be notified
        """
        ...

    def unmask(self) -> None:
        """Let the next notification come; one that came meanwhile comes at once."""
        ...

    def close(self) -> None:
        """Give up this end. A peer that is bound keeps its own, and it can be bound again."""
        ...


class Piece(NamedTuple):
    """What one part of a copy moves: bytes within one page of the peer, from or to a place in local memory."""

    gref: int
    #: Bytes from the page's beginning.
    offset: int
    #: Bytes from the local memory's beginning.
    place: int
    length: int


#: A piece as compiled drivers hand it over: gref, offset, length, place, and where its status goes.
PIECE = Struct("<IHHIi")


class Transport(Protocol):
    """A domain's way to others. A context manager that gives everything back.

    Methods raise `MachineError` when this machine is what lacks something.
    """

    @property
    def domid(self) -> int:
        """Who this is."""
        ...

    @property
    def store(self) -> Client:
        """XenStore as this domain sees it."""
        ...

    @property
    def gone(self) -> MachineError | None:
        """Why nothing of this works any more; None while it does.

        What was granted, mapped or bound is gone for good then. What is asked for anew may be had, once there is
        another machine in this one's place.
        """
        ...

    def grant(self, domid: int, pages: int = 1, *, writable: bool = True) -> Grant:
        """Grant new pages to a domain.

        :param writable: whether that domain may write too; this one always may
        """
        ...

    def map(self, domid: int, grefs: Sequence[int], *, writable: bool = True) -> Mapping:
        """Map pages that a domain has granted to this one, all or none of them.

        :raises NotGranted: one of them was not granted (so)
        """
        ...

    def copy_from(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy out of pages that a domain has granted, without mapping them.

        :param memory: where to, writable
        :returns: a GNTST of Xen's grant_table.h for each piece, 0 where it was copied. One that fails (not granted,
            or beyond its page) leaves the others alone.
        :raises ValueError: a piece is not within ``memory``
        """
        ...

    def copy_to(self, domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy into pages that a domain has granted for writing; else as `copy_from`.

        :param memory: where from; writable, although nothing is written to it (the kernel's interface takes addresses)
        """
        ...

    def copy(self, domid: int, batch: memoryview, memory: memoryview, *, into_peer: bool) -> None:
        """Copy as `copy_from` or `copy_to`; in one call to the kernel, and with no work for Python, as far as can be.

        :param batch: pieces, each packed as `PIECE`; writable, since that is where the statuses go
        """
        ...

    def alloc_unbound(self, domid: int) -> Channel:
        """Allocate a channel whose other end a domain may bind."""
        ...

    def bind_interdomain(self, domid: int, port: int) -> Channel:
        """Bind the other end of a channel that a domain has allocated for this one, and that nobody has bound.

        :raises NotOffered: there is no such channel
        """
        ...

    def close(self) -> None:
        """Give back what is still granted, mapped or bound, and end the connection to XenStore."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
