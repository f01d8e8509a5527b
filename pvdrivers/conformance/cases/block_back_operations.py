"""Frontends that ask for operations that cannot be done, or not on this disk."""

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance.block.front import BlockFront
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.block.queue import status
from pvdrivers.conformance.block.subject import SECTORS, Disk
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.asking import NOBODYS, OKAY, refused, untouched
from pvdrivers.conformance.cases.words import BARRIER, FLUSH, READ, WRITE, O
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")


@CASES.case(
    "BB18",
    "changes to a disk that is read-only",
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h", "The read or write access permissions to the backing store to be granted to the frontend."
    ),
    why="An image that several guests share is one that none of them may change.",
)
def bb18(rig: BlockFrontRig) -> Sights:
    """Writes, by plain and indirect requests and by a barrier, and discards, on a disk with ``mode=r``."""
    for watched in (False, True):
        # A file that is opened for reading refuses by itself what a medium that is only watched does not.
        with rig.joined(Disk(readonly=True, watched=watched)) as front:
            front.page(1, b"x" * PAGE_SIZE)
            front.table(2, front.segments(1))
            messages = {
                "write": front.direct(WRITE, 1, 0, front.segments(1)),
                "barrier": front.direct(BARRIER, 2, 0, front.segments(1)),
                "flush that brings data": front.direct(FLUSH, 3, 0, front.segments(1)),
                "discard": front.discard(4, 0, 8),
            }
            if front.offered("feature-max-indirect-segments"):
                messages["indirect write"] = front.indirect(WRITE, 5, 0, 1, [front.gref(2)])
            for what, message in messages.items():
                yield from refused(front, what, message)


@CASES.case(
    "BB19",
    "an empty flush of a disk that is read-only",
    O.OKAY,
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        must=False,
        source="Linux drivers/block/xen-blkback/blkback.c, xen_vbd_translate: refuses whatever is no read; QEMU's and "
        "ours have nothing against it",
    ),
    why="File systems flush what they never wrote to: a guest that gets an error there may not mount.",
)
def bb19(rig: BlockFrontRig) -> Sights:
    """Flushes a disk with ``mode=r``, without data."""
    with rig.joined(Disk(readonly=True)) as front:
        front.keep()
        (answer,) = front.ask(front.direct(FLUSH, 1, 0))
        yield status("flush", answer)
        yield from front.changed("flush")


@CASES.case(
    "BB20",
    "discards that cannot be: past the end, around it, of nothing",
    O.ERROR,
    O.EOPNOTSUPP,
    O.OKAY,
    clause=Clause(
        "blkif.h",
        "Indicate to the backend device that a region of storage is no longer in use, and may be discarded at any time",
        must=False,
        source="Linux drivers/block/xen-blkback/blkback.c, dispatch_discard_io: checked as a write is",
    ),
    why="A discard whose end wraps empties a disk, or another one.",
    needs=("feature-discard",),
)
def bb20(rig: BlockFrontRig) -> Sights:
    """Discards over the end, at numbers whose sum wraps, nothing, and securely where that is not offered; whatever is
    answered, nothing may be gone that was not named.
    """
    with rig.joined() as front:
        rig.needs(front, "feature-discard")
        cases = [(2**64 - 1, 2), (SECTORS, 1), (SECTORS - 1, 2), (1, 2**64 - 1), (0, SECTORS + 1), (0, 0)]
        for sector, count in cases:
            for flag in (0, 1, 255):
                what = f"{count} sectors at {sector}, flag {flag}"
                front.keep()
                (answer,) = front.ask(front.discard(1, sector, count, flag))
                # Nothing is discarded by discarding nothing.
                allowed = answer.status != OKAY or not count
                yield status(what, answer) if allowed else Seen(what, O.STRAYED, "answered OKAY")
                yield from front.changed(what)
        if not front.offered("discard-secure"):
            front.keep()
            (answer,) = front.ask(front.discard(1, 64, 64, 1))
            yield status("secure, which is not offered", answer)
            if answer.status != OKAY:
                yield from front.changed("secure, which is not offered")


@CASES.case(
    "BB21",
    "operations that there are not",
    O.EOPNOTSUPP,
    O.ERROR,
    clause=Clause(
        "blkif.h",
        must=False,
        source="Linux drivers/block/xen-blkback/blkback.c, dispatch_other_io: BLKIF_RSP_EOPNOTSUPP; QEMU: an error",
    ),
    why="A frontend that is newer than its backend must be told, and not wait.",
)
def bb21(rig: BlockFrontRig) -> Sights:
    """Asks for operations 4, 7, 99 and 255."""
    with rig.joined() as front:
        for operation in (4, 7, 99, 255):
            yield from refused(front, f"operation {operation}", front.direct(operation, 1, 0, front.segments(1)))


@CASES.case(
    "BB22",
    "indirect requests that cannot be",
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        "The maximum number of indirect segments is fixed by the backend",
        source="Linux drivers/block/xen-blkback/blkback.c, xen_blkbk_parse_indirect",
    ),
    why="The number of segments decides how much a backend maps, and the pages of segments are checked as easily as "
    "they are forgotten.",
)
def bb22(rig: BlockFrontRig) -> Sights:
    """Wraps operations that cannot be wrapped, names 0, too many and 65535 segments, pages of segments that nobody
    granted, and one bad segment behind many good ones; a good one where none are offered.
    """
    with rig.joined() as front:
        most = front.offered("feature-max-indirect-segments")
        if not most:
            front.table(2, front.segments(1))
            yield from _unknown(front, "where none are offered", front.indirect(READ, 1, 0, 1, [front.gref(2)]))
            return
        front.table(2, [(front.gref(1), 0, 0)] * 512)
        page = [front.gref(2)]
        for inner in (2, 3, 5, 6, 255):
            yield from refused(front, f"operation {inner} wrapped", front.indirect(inner, 1, 0, 1, page))
        for number in {0, most + 1, 65535} - {each for each in (most + 1,) if each > 65535}:
            yield from refused(front, f"{number} segments", front.indirect(READ, 1, 0, number, page * 8))
        for gref in (NOBODYS, 0, 2**32 - 1):
            yield from refused(front, "a page of segments that nobody granted", front.indirect(WRITE, 1, 0, 1, [gref]))
        # The worst place for a bad one, of those that are on one page.
        number = min(most, 512)
        front.table(2, [(front.gref(1), 0, 7)] * (number - 1) + [(front.gref(1), 7, 6)])
        if number * 8 <= SECTORS:
            yield from refused(front, f"segment {number} is bad", front.indirect(READ, 1, 0, number, page))


def _unknown(front: BlockFront, what: str, message: bytes) -> Sights:
    # Who knows of no wrapping names what it was asked, which is INDIRECT, or what is wrapped.
    queue = front.queues[0]
    front.keep()
    queue.put(message)
    answers = queue.take_any(1, front.level.deadline)
    if named := {answer.operation for answer in answers} - {BlkifOp.INDIRECT, READ}:
        yield Seen(what, O.MISNAMED, f"operation {min(named)}")
    yield from untouched(front, what, answers)
