"""Frontends that ask for what lies beyond: slots, segments, pages, the disk."""

from collections.abc import Iterable

from pvdrivers.conformance import waits
from pvdrivers.conformance.block.front import BlockFront
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.block.subject import SECTORS
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.asking import refused
from pvdrivers.conformance.cases.words import BARRIER, FLUSH, READ, WRITE, O
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")


@CASES.case(
    "BB13",
    "a producer index that cannot be",
    O.DISABLED,
    clause=Clause(
        "ring.h",
        "Ill-behaved frontend determination: Can there be this many requests?",
        source="Linux drivers/block/xen-blkback/blkback.c, __do_block_io_op: -EACCES, and the ring is not served any "
        "more",
    ),
    why="A backend that believes the index goes round and round in old slots, for as long as the guest wants.",
    xsa=(155,),
    risk=Risk.MAY_DISABLE,
)
def bb13(rig: BlockFrontRig) -> Sights:
    """Sets ``req_prod`` further ahead than there are slots, on a new device each time; nothing may be answered."""
    for ahead in (33, 2**31, 2**32 - 1):
        with rig.joined() as front:
            front.keep()
            (queue,) = front.queues
            answered = queue.ring.words[2]
            queue.ring.words[0] = queue.ring.prod + ahead & 0xFFFFFFFF
            queue.channel.notify()

            def noticed(front: BlockFront = front, answered: int = answered) -> bool:
                return front.complaint() != "" or front.queues[0].ring.words[2] != answered

            waits.until(front.store, [f"{front.peer.path}/state"], noticed, rig.level.silence)
            moved = queue.ring.words[2] - answered & 0xFFFFFFFF
            yield Seen(f"{ahead} ahead", O.STRAYED if moved else O.DISABLED, f"{moved} answers" if moved else "")
            yield from front.changed(f"{ahead} ahead")


@CASES.case(
    "BB14",
    "segments that are none, or too many",
    O.ERROR,
    clause=Clause(
        "blkif.h",
        "Maximum scatter/gather segments per request.",
        source='Linux drivers/block/xen-blkback/blkback.c, dispatch_rw_block_io: "Bad number of segments in request"',
    ),
    why="A request has room for eleven: what follows is the next slot, or the backend's own stack.",
)
def bb14(rig: BlockFrontRig) -> Sights:
    """Reads and writes with 0, 12, 32 and 255 segments, and flushes with more than there is room for."""
    with rig.joined() as front:
        segments = front.segments(1) * 11
        for number in (0, 12, 32, 255):
            for operation in (READ, WRITE):
                what = f"{operation.name} of {number} segments"
                yield from refused(front, what, front.direct(operation, 1, 0, segments, number))
        yield from refused(front, "flush of 12 segments", front.direct(FLUSH, 1, 0, segments, 12))


@CASES.case(
    "BB15",
    "segments that are not within their page",
    O.ERROR,
    clause=Clause("blkif.h", "@last_sect: last sector in frame to transfer (inclusive)."),
    why="A segment that ends behind its page is memory of the backend's that a guest may read, or write.",
)
def bb15(rig: BlockFrontRig) -> Sights:
    """Reads and writes segments whose last sector is before the first, or beyond the page; alone, and behind others."""
    with rig.joined() as front:
        for first, last in ((1, 0), (0, 8), (8, 8), (255, 255), (7, 255), (255, 0)):
            for operation in (READ, WRITE):
                good, bad = (front.gref(1), 0, 7), (front.gref(2), first, last)
                yield from refused(
                    front,
                    f"{operation.name} of sectors {first} to {last} of a page",
                    front.direct(operation, 1, 0, [bad]),
                    front.direct(operation, 2, 0, [good, good, bad]),
                )


def _beyond(front: BlockFront, sectors: Iterable[int]) -> Sights:
    for sector in sectors:
        for operation in (READ, WRITE, BARRIER):
            # A barrier that is not supported is not looked at any further.
            yield from refused(
                front, f"{operation.name} at sector {sector}", front.direct(operation, 1, sector, front.segments(1))
            )


@CASES.case(
    "BB16",
    "sectors beyond the end of the disk",
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        "start sector idx on disk (r/w only)",
        source="Linux drivers/block/xen-blkback/blkback.c, xen_vbd_translate: checked, and whether the sum wraps",
    ),
    why="What lies behind a guest's disk is another guest's.",
)
def bb16(rig: BlockFrontRig) -> Sights:
    """Reads and writes over the end by one sector, and at the largest numbers, whose sum with the length wraps."""
    with rig.joined() as front:
        yield from _beyond(front, (SECTORS - 7, SECTORS, 2**64 - 8, 2**64 - 1))


@CASES.case(
    "BB17",
    "sectors whose place in bytes does not fit 63 bits",
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause("blkif.h", "start sector idx on disk (r/w only)"),
    why="A sector times 512 that wraps is a sector at the beginning of the disk.",
)
def bb17(rig: BlockFrontRig) -> Sights:
    """Reads and writes at sectors that are within the disk once their place in bytes has lost its upper bits."""
    with rig.joined() as front:
        yield from _beyond(front, (2**54, 2**54 + 8, 2**55, 2**55 + 8, 2**56 + 16, 2**63))
