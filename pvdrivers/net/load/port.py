"""The port of a load: a lane for each queue, of one kind."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.load.traffic import LONGEST
from pvdrivers.net.ports.base import PackedLane

_Made = TypeVar("_Made", bound=PackedLane)


class LoadPort(Generic[_Made]):
    """A port.

    :param make: makes a lane
    :param frame: what they send, if they do
    """

    name = "load"
    abilities = Abilities(checksum_v4=True, checksum_v6=True, gso_v4=True, gso_v6=True, longest=LONGEST)
    carrier = True

    def __init__(self, make: Callable[[], _Made], frame: Frame | None = None) -> None:
        self._make, self._frame = make, frame
        #: Those that were opened last.
        self.lanes: list[_Made] = []

    def open(self, lanes: int, reader: Abilities) -> Sequence[_Made]:
        """Make lanes.

        :raises MachineError: whoever receives cannot be told of the load's frames
        """
        if self._frame and self._frame.offload.gso and not reader.gso_v4:
            raise MachineError("the other end takes no frames that are to be cut")
        if self._frame and len(self._frame.data) > reader.longest:
            raise MachineError(f"the other end takes frames of {reader.longest} bytes at most")
        self.lanes = [self._make() for _ in range(lanes)]
        return self.lanes

    def close(self) -> None:
        """Do nothing: lanes are closed by whoever has them."""
