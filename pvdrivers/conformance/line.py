"""One ring of the kit's half with its end of a channel: what is put there, and what comes."""

from collections.abc import Iterator
from contextlib import suppress

from pvdrivers.conformance.observation import Noticed, Observation
from pvdrivers.conformance.raw import RawRing
from pvdrivers.errors import MachineError
from pvdrivers.transport.base import Channel, Grant, Mapping

#: Seconds.
_MOMENT = 0.02


class Line:
    """A ring, which belongs to it from now on, and the channel that tells of it, which may be another's too."""

    #: What comes there.
    what = "messages"

    def __init__(self, channel: Channel, ring: RawRing) -> None:
        self.channel, self.ring = channel, ring

    def put(self, *messages: bytes, notify: bool | None = None) -> bool:
        """Put messages; tell whether the peer wanted to be notified.

        :param notify: None to notify it if it does
        """
        self.ring.put(messages)
        wanted = self.ring.show()
        if notify or (notify is None and wanted):
            self.channel.notify()
        return wanted

    def taken(self, number: int, seconds: float) -> Iterator[bytes]:
        """Give so many messages as they come.

        :raises Noticed: they do not come, or come without the notification that was asked for
        """
        while number:
            found = self.ring.take(number)
            number -= len(found)
            yield from found
            if number:
                self.ring.ask()
                # Seen now, it came before the peer saw that it was asked: without a notification, and rightly so.
                if not self.ring.waiting():
                    self._wait(seconds, number)
                self.channel.unmask()

    def glance(self) -> None:
        """Wait a moment for a notification, which was asked for."""
        if not self.ring.waiting() and self.channel.wait(_MOMENT):
            self.channel.unmask()

    def _wait(self, seconds: float, number: int) -> None:
        if self.channel.wait(seconds):
            return
        if self.ring.waiting():
            raise Noticed(Observation.UNNOTIFIED, f"{self.what} lie in the ring, of which it did not notify")
        raise Noticed(Observation.SILENT, f"{number} {self.what} do not come within {seconds:g} s")


class FrontLine(Line):
    """A frontend's, of whose answers it is told."""

    what = "answers"

    def __init__(self, grant: Grant, channel: Channel, ring: RawRing) -> None:
        super().__init__(channel, ring)
        self.grant = grant

    def close(self) -> None:
        """Give the ring back; the channel is closed by `hang_up`."""
        self.ring.release()
        self.grant.revoke()


class BackLine(Line):
    """A backend's, of whose frontend's requests it is told."""

    what = "requests"

    def __init__(self, pages: Mapping, channel: Channel, ring: RawRing) -> None:
        super().__init__(channel, ring)
        self.pages = pages

    def close(self) -> None:
        """Give the ring back; the channel is closed by `hang_up`."""
        self.ring.release()
        with suppress(MachineError):
            self.pages.unmap()


def hang_up(channel: Channel) -> None:
    """Close a channel, of whatever there still is."""
    with suppress(MachineError):
        channel.close()
