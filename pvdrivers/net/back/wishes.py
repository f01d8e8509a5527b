"""What a frontend asks for of the frames that it is sent, while it is connected.

Law: whoever changes one of these replaces it; whoever looks has a whole one, in whichever thread, and needs no lock.
"""

from pvdrivers.net.back.kept import KeptSteering
from pvdrivers.net.frame import FlowHash, Frame
from pvdrivers.net.headers import parse
from pvdrivers.net.multicast import Multicast
from pvdrivers.net.steering import Steering


class Wishes:
    """One connection's.

    :param queues: how many the frontend has
    :param kept: where it is kept how it wants its packets steered, and where that stands already, if it does
    """

    def __init__(self, queues: int, kept: KeptSteering | None = None) -> None:
        self._kept = kept
        #: See `steer`.
        self.steering = kept.read(queues) if kept else Steering(queues)
        #: Changed by what it sends, and applied while it is ``filtering``.
        self.multicast = Multicast()
        self.filtering = False

    def steer(self, steering: Steering) -> None:
        """Steer its packets so from now on; by the control ring's thread alone."""
        if self._kept and steering != self.steering:
            self._kept.write(steering)
        self.steering = steering

    @property
    def any(self) -> bool:
        """Whether it has asked for anything: else it is sent all that there is, on any queue."""
        return self.filtering or self.steering.wanted


def hashed(steering: Steering, frame: Frame) -> FlowHash | None:
    """Hash a frame as it is steered; None if it is of no type that is hashed."""
    return steering.hash(frame.data, parse(frame.data, large=bool(frame.offload.gso)))
