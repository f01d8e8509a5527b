"""Room for the frames of one call of `receive`, which is used again by the next."""

from pvdrivers.net.ports.base import LONGEST

#: A frame that takes all its room may have been longer.
ROOM = LONGEST + 1
#: Sixteen of the longest frames; hundreds of ordinary ones.
_SIZE = 16 * ROOM
# Frames begin at lines of the cache.
_LINE = 64


class Arena:
    """The room. However short a frame is, there has to be room for the longest before it is read."""

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(_SIZE))
        self._at = 0

    def clear(self) -> None:
        """Begin anew: what is there is overwritten from now on."""
        self._at = 0

    def room(self) -> memoryview | None:
        """Give room for one frame; None if there is none left."""
        return self._memory[self._at : self._at + ROOM] if self._at + ROOM <= _SIZE else None

    def keep(self, size: int) -> None:
        """Keep the beginning of the room that was given last.

        :param size: bytes
        """
        self._at += size + -size % _LINE
