"""How a queue waits for its peer: looks on, asks for a notification, looks once more, and sleeps.

Law: what messages mean is not known here. A peer that notifies for nothing is heard less and less, and nothing else
that it does keeps a queue from its work, or from its end.

A queue has a ring or several, each with a channel, which several may share. It is run by one thread; `stop` and `wake`
are for any.
"""

import math
import os
import select
import threading
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, TypeVar

from pvdrivers.errors import MachineError
from pvdrivers.ring import Back, Front
from pvdrivers.ring.look import Patience
from pvdrivers.transport.base import Channel

_Result = TypeVar("_Result")

#: Notifications without a message that cost nothing; then the next is heard later and later, up to these seconds.
_FRUITLESS = 8
_DEAF, _DEAF_MAX = 0.001, 0.1


class Counts(Protocol):
    """What is counted of it."""

    notifications_sent: int
    notifications_received: int
    syscalls: int


class Besides(NamedTuple):
    """What ends a sleep besides the peer.

    :param fd: a descriptor, once it is readable; -1 for none
    :param seconds: how long it lasts at most; None for any time
    """

    fd: int = -1
    seconds: float | None = None


class Waiting:
    """One queue's.

    :param lines: each ring with its channel; both stay the caller's
    :param counts: where system calls and notifications are added up
    :param owes: whether a former life may have been killed between an answer and its notification
    :param besides: tells what ends a sleep, before each
    :param wanted: tells how many messages of a ring are worth being woken for (`Front.final_check`), before each sleep;
        0 for a ring of which nothing is waited for: what comes there is taken when something else wakes this queue
    """

    def __init__(
        self,
        *lines: tuple[Back | Front, Channel],
        counts: Counts,
        owes: bool = False,
        besides: Callable[[], Besides] = Besides,
        wanted: Callable[[int], int] = lambda _: 1,
    ) -> None:
        self._lines, self._counts, self._owes = lines, counts, owes
        self._besides, self._wanted = besides, wanted
        self._rings = [ring for ring, _ in lines]
        self._channels = list(dict.fromkeys(channel for _, channel in lines))
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Lock()
        self._patience = Patience()
        # Whose notifications have been taken, and whether there was something to do since.
        self._heard: list[Channel] = []
        self._useful = False
        self._fruitless = 0
        self._stopping: Literal["", "now", "drained"] = ""
        # A new list of descriptors would cost as much as what is waited for; of a channel it is the same all the time.
        self._fds = {channel.fileno(): channel for channel in self._channels}
        self._poll = select.poll()
        for fd in (self._wake, *self._fds):
            self._poll.register(fd, select.POLLIN)
        self._beside = -1
        # To be taken once it drains.
        self._left = sum(ring.size for ring in self._rings)

    def fileno(self) -> int:
        """Give the eventfd that wakes this queue, which others may write to until `close`; -1 after that."""
        return self._wake

    def stop(self, *, drain: bool) -> None:
        """Let `run` come to its end; does not wait for it.

        :param drain: take what lies in the rings first
        """
        self._stopping = "drained" if drain else "now"
        self.wake()

    def wake(self) -> None:
        """Let the queue look round, if it sleeps."""
        with self._closing:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Give the eventfd back."""
        with self._closing:
            os.close(self._wake)
            self._wake = -1

    def run(self, turn: Callable[[], bool], busy: Callable[[], int]) -> None:
        """Run a queue until it is stopped and nothing is under way.

        :param turn: takes and answers some messages; tells whether there was anything
        :param busy: tells how many are under way: those of the queue's own threads, which `wake` it
        :raises BadRing: a ring's indices are impossible
        :raises MachineError: the transport is gone, or a channel
        """
        if self._owes:
            for channel in self._channels:
                _try(channel, channel.notify)
        while True:
            # Whoever stops it while it turns may have asked for something since it looked.
            stopping = self._stopping
            if turn():
                continue
            if stopping and not busy():
                return
            if stopping:
                self.hear(None)
            # Not while there is something else to wait for.
            elif (busy() or not self._patience.look(*self._rings[:2])) and not self._more():
                self._sleep()

    def _more(self) -> bool:
        # Every ring has to ask, unless there is something to do anyway.
        for line, ring in enumerate(self._rings):  # noqa: SIM110 - a generator costs more than all that it asks
            if ring.final_check(self._wanted(line)):
                return True
        return False

    def take(self, limit: int, line: int = 0) -> bytes:
        """Take messages out of a ring; who is told to drain takes what is there, and not what comes and comes.

        :param limit: how many at most
        :raises BadRing: the ring's indices are impossible
        """
        if self._stopping:
            return self._last(self._rings[line], limit)
        messages = self._rings[line].take(limit)
        if messages:
            self._useful = True
        return messages

    def _last(self, ring: Back | Front, limit: int) -> bytes:
        if self._stopping == "now" or self._left <= 0:
            return b""
        # A ring has room for the answers to what was taken, or for more where those are answers.
        before = ring.room
        messages = ring.take(limit)
        self._left -= ring.room - before
        return messages

    def send(self, messages: bytes, line: int = 0) -> None:
        """Put messages into a ring, if there are any, and notify its other end if that sleeps.

        :raises MachineError: the channel is gone
        """
        if not messages:
            return
        ring, channel = self._lines[line]
        ring.put(messages)
        if ring.push():
            _try(channel, channel.notify)
            self._counts.notifications_sent += 1
            self._counts.syscalls += 1

    def _sleep(self) -> None:
        if self._heard:
            self._fruitless = 0 if self._useful else self._fruitless + 1
            woken = False
            if self._fruitless > _FRUITLESS:
                # As Linux delays the end of its interrupt.
                woken = self.hear(min(_DEAF * 2 ** min(self._fruitless - _FRUITLESS, 10), _DEAF_MAX))
            for channel in self._heard:
                _try(channel, channel.unmask)
                self._counts.syscalls += 1
            self._heard, self._useful = [], False
            if woken:
                return
        fd, seconds = self._besides()
        if fd != self._beside:
            if self._beside >= 0:
                self._poll.unregister(self._beside)
            if fd >= 0:
                self._poll.register(fd, select.POLLIN)
            self._beside = fd
        ready = [fd for fd, _ in self._poll.poll(None if seconds is None else math.ceil(seconds * 1000))]
        if self._wake in ready:
            self.hear(0)
        for fd, channel in self._fds.items():
            if fd in ready and _try(channel, channel.take):
                self._heard.append(channel)
                self._counts.notifications_received += 1
        self._counts.syscalls += 1 + len(ready)

    def hear(self, seconds: float | None) -> bool:
        """Wait for `wake` and nothing else; tell whether that was it.

        :param seconds: how long at most; None for any time
        """
        # select() cannot take descriptors from 1024 on.
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        woken = bool(poll.poll(None if seconds is None else seconds * 1000))
        if woken:
            os.eventfd_read(self._wake)
        return woken


def _try(channel: Channel, act: Callable[[], _Result]) -> _Result:
    # Whose port it is that fails, this queue alone knows.
    try:
        return act()
    except OSError as error:
        raise MachineError(f"event channel {channel.port}: {error.strerror or error}") from error
