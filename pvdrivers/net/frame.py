"""An Ethernet frame on its way, and what is known of it that does not stand in its bytes.

Law: these facts are the same whoever tells them: a ring by flags and extra slots, a TAP by a header before the frame.
What the next one on the way cannot be told is finished before (`finish`, `segment`); it is never dropped in silence.
"""

from enum import Enum
from typing import NamedTuple

from pvdrivers.abi.netif import GsoType, HashType


class Checksum(Enum):
    """What is known of the checksum of a frame's TCP or UDP."""

    #: Nothing: it stands in the frame, and whoever wants to know looks.
    UNSAID = "unsaid"
    #: It stands in the frame, and somebody has looked.
    VALIDATED = "validated"
    #: The field holds the sum of the pseudo-header alone: whoever sends the frame to a wire finishes it. Nobody on one
    #: machine has to.
    BLANK = "blank"


class Offload(NamedTuple):
    """What is left to be done to a frame, or has been.

    A frame that is to be cut into segments has a checksum that is `Checksum.BLANK`.

    :param gso: of which kind it is, if it is longer than a wire takes
    :param gso_size: bytes of payload of each segment; 0 without ``gso``
    """

    checksum: Checksum = Checksum.UNSAID
    gso: GsoType = GsoType.NONE
    gso_size: int = 0


#: Nothing is said, and nothing left to be done.
PLAIN = Offload()


class FlowHash(NamedTuple):
    """A hash that somebody has made of a frame's addresses, for whoever spreads frames over queues."""

    type: HashType
    #: Of 32 bits.
    value: int


class Frame(NamedTuple):
    """A frame.

    :param data: from the destination's address on, without the wire's check sequence
    """

    data: bytes | memoryview
    offload: Offload = PLAIN
    hash: FlowHash | None = None


class Abilities(NamedTuple):
    """What whoever takes frames can be told; all else is finished before.

    :param checksum_v4: frames of IPv4 whose checksum is blank
    :param checksum_v6: likewise
    :param gso_v4: frames of TCP over IPv4 that are to be cut
    :param gso_v6: likewise
    :param longest: bytes that a frame may have
    """

    checksum_v4: bool = False
    checksum_v6: bool = False
    gso_v4: bool = False
    gso_v6: bool = False
    longest: int = 1514
