"""A port's frames on their way to a frontend's queues: those that it wants, each on the queue that its hash chooses.

Law: a port's lane is used by one queue's thread, which chooses for what comes there; what is another queue's is handed
over to that, in its order. So frames of one flow stay in order, as long as the frontend does not change its mind.

A frontend whose queue takes nothing holds up what comes in by that queue's lane for its others, but no longer than
`stall` lets it.

Ref: Linux drivers/net/xen-netback/interface.c (``xenvif_select_queue``, ``xenvif_start_xmit``)
"""

import select
from collections.abc import Sequence

from pvdrivers.abi.wire import ADDRESS_SIZE
from pvdrivers.net.back.wishes import Wishes, hashed
from pvdrivers.net.frame import Frame
from pvdrivers.net.ports.base import Lane
from pvdrivers.net.ports.inbox import Inbox


def spread(lanes: Sequence[Lane], wishes: Wishes) -> "list[Spread]":
    """Give the lanes of a frontend's queues, by those of a port."""
    # A single queue is never handed anything.
    inboxes = [Inbox(lane.stats) for lane in lanes] if len(lanes) > 1 else []
    return [Spread(lane, wishes, number, inboxes) for number, lane in enumerate(lanes)]


class Spread:
    """One queue's lane. What is sent goes as it is.

    :param lane: the port's, which belongs to this from now on
    :param number: of the queue
    :param inboxes: of all queues, if there are several
    """

    def __init__(self, lane: Lane, wishes: Wishes, number: int, inboxes: Sequence[Inbox]) -> None:
        #: To be sent to, and while `plain` received from, by whoever can do that in another form.
        self.lane = lane
        self.stats = lane.stats
        self._wishes, self._number, self._inboxes = wishes, number, inboxes
        self._inbox = inboxes[number] if inboxes else None
        self._both = select.epoll() if inboxes else None
        self._watched = -1
        if self._inbox and self._both:
            self._both.register(self._inbox.fileno(), select.EPOLLIN)
        self._closed = False

    @property
    def plain(self) -> bool:
        """Whether `receive` gives what the port's lane gives, nothing being asked for."""
        return not (self._wishes.any or (self._inbox and self._inbox.waits))

    def fileno(self) -> int:
        """Give a descriptor that is readable while the port or other queues have frames; -1 once it is closed."""
        if self._closed:
            return -1
        if not self._both:
            return self.lane.fileno()
        # A lane stops having one when nothing more comes there.
        if (fd := self.lane.fileno()) != self._watched:
            if fd >= 0:
                self._both.register(fd, select.EPOLLIN)
            self._watched = fd
        return self._both.fileno()

    def receive(self, limit: int) -> Sequence[Frame]:
        """Take frames that wait for this queue; hand over those for others.

        :raises PortLost: the port is gone
        """
        # Neither what is handed over nor what comes in here holds up the other.
        frames = self._handed((limit + 1) // 2)
        frames += self._chosen(self.lane.receive(limit - len(frames)))
        return frames

    def _handed(self, limit: int) -> list[Frame]:
        frames: list[Frame] = []
        if not self._inbox:
            return frames
        while len(frames) < limit and (frame := self._inbox.get()):
            frames.append(frame)
        self.stats.syscalls += self._inbox.rest()
        return frames

    def _chosen(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        wishes, steering = self._wishes, self._wishes.steering
        if wishes.filtering:
            passes = wishes.multicast.passes
            # What is too short for an address is no frame, which is for the queue to tell.
            frames = [frame for frame in frames if len(frame.data) < ADDRESS_SIZE or passes(frame.data)]
        if not steering.wanted:
            # Whose hash it is, this frontend cannot know, and it may take what it has not asked for amiss.
            return [frame if frame.hash is None else frame._replace(hash=None) for frame in frames]
        own: list[Frame] = []
        others: dict[int, list[Frame]] = {}
        for each in frames:
            frame = each._replace(hash=hashed(steering, each))
            queue = steering.queue(frame.hash)
            if queue == self._number:
                own.append(frame)
            else:
                # What lies in a lane's arena is overwritten before another thread has it.
                others.setdefault(queue, []).append(frame._replace(data=bytes(frame.data)))
        for queue, those in others.items():
            self._inboxes[queue].put(those)
        return own

    def send(self, frames: Sequence[Frame]) -> None:
        """Send frames on.

        :raises PortLost: the port is gone
        """
        self.lane.send(frames)

    def close(self) -> None:
        """Give all back, the port's lane as well; not an error if it is closed."""
        if self._closed:
            return
        self._closed = True
        if self._inbox:
            self._inbox.close()
        if self._both:
            self._both.close()
        self.lane.close()
