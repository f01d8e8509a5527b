"""What several cases do: ask what is to be refused, and look at what a disk holds."""

from collections.abc import Sequence

from pvdrivers.abi.blkif import BlkifRsp
from pvdrivers.conformance.block.front import BlockFront
from pvdrivers.conformance.block.messages import Answer
from pvdrivers.conformance.block.queue import status
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.observation import Seen, Sights

OKAY = BlkifRsp.OKAY
#: A reference that nobody has granted.
NOBODYS = 0x00FF_FFFF


def refused(front: BlockFront, what: str, *messages: bytes, but: Sequence[int] = (), data: bytes = b"") -> Sights:
    """Ask what is to be refused, and see that nothing is touched, and that the next request is served."""
    front.keep()
    yield from untouched(front, what, front.ask(*messages), but=but, data=data)


def untouched(
    front: BlockFront, what: str, answers: Sequence[Answer], *, but: Sequence[int] = (), data: bytes = b""
) -> Sights:
    """Tell of answers whether each refuses, whether anything is touched, and whether the next request is served."""
    for answer in answers:
        yield status(what, answer) if answer.status != OKAY else Seen(what, O.STRAYED, "answered OKAY")
    yield from front.changed(what, but=but, data=data)
    after = front.read(8, 0)
    front.poison(0)
    if after.observation is not O.OKAY:
        yield after._replace(what=f"after {what}")


def written(front: BlockFront, what: str, sector: int, data: bytes) -> Seen:
    """Tell whether the disk holds what was written there, past its driver."""
    found = front.served.medium.peek(sector, len(data) // 512)
    return Seen(what, O.OKAY if found == data else O.WRONG_DATA)
