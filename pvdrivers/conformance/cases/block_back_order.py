"""What a disk's backend does for frontends that behave: events, ids, order, sizes."""

import threading

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.block.queue import status
from pvdrivers.conformance.block.subject import Disk, content
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.asking import OKAY, written
from pvdrivers.conformance.cases.words import BARRIER, FLUSH, READ, WRITE, O
from pvdrivers.conformance.observation import Seen, Sights, Unsupported
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")
#: Seconds for which a write is held up, unless something comes before.
_HELD = 0.02


@CASES.case(
    "BB08",
    "notified only when it asks to be: nothing is left lying",
    O.OKAY,
    clause=Clause(
        "ring.h",
        "These macros will set the req_event/rsp_event field to trigger a notification on the very next message that "
        "is enqueued.",
    ),
    why="A backend that sleeps without a second look at the ring has lost the request that came meanwhile: the guest "
    "hangs until it asks for something else.",
    seeded=True,
)
def bb08(rig: BlockFrontRig) -> Sights:
    """Asks one request at a time, and a few at once, and notifies only where ``req_event`` says so."""
    with rig.joined() as front:
        for turn in range(rig.level.rounds):
            number = rig.chance.choice((1, 1, 1, 2, 5, 32))
            messages = [front.direct(READ, each, 8 * each, front.segments(each)) for each in range(number)]
            for message in messages:
                front.put(message)
            if bad := [answer for answer in front.take(number) if answer.status != OKAY]:
                yield status(f"turn {turn}", bad[0])
                return
        yield Seen(f"{rig.level.rounds} turns", O.OKAY)


@CASES.case(
    "BB09",
    "ids are the frontend's own: any number, the same again and again",
    O.OKAY,
    clause=Clause("blkif.h", "private guest value, echoed in resp"),
    why="A backend that takes an id for an index of its own lets a guest choose what it overwrites.",
)
def bb09(rig: BlockFrontRig) -> Sights:
    """Asks with the smallest and largest ids, and fills the ring with one id; each is to be answered once."""
    with rig.joined() as front:
        idents = [0, 1, 2**31, 2**32, 2**63, 2**64 - 1]
        answers = front.ask(*(front.direct(READ, ident, 8, front.segments(at)) for at, ident in enumerate(idents)))
        for answer in answers:
            yield status(f"id {answer.ident:#x}", answer)
        number = front.queues[0].ring.size
        answers = front.ask(*(front.direct(READ, 7, 8 * at, front.segments(at)) for at in range(number)))
        yield Seen("one id", O.OKAY if all(answer.status == OKAY for answer in answers) else O.ERROR)
        wrong = [at for at in range(number) if front.page(at) != content(8 * at, 8)]
        yield Seen("one id", O.WRONG_DATA if wrong else O.OKAY)
        # More answers than requests is an index that cannot be.
        front.queues[0].ring.waiting()


@CASES.case(
    "BB10",
    "a barrier stands between writes; a flush is done when it is answered",
    O.OKAY,
    O.EOPNOTSUPP,
    O.ORDERED,
    clause=Clause(
        "blkif.h",
        'All writes issued prior to a request with the BLKIF_OP_WRITE_BARRIER operation code ("barrier request") must '
        "be completed prior to the execution of the barrier request. All writes issued after the barrier request must "
        "not execute until after the completion of the barrier request.",
    ),
    why="A file system's journal is worth nothing when what it orders is done in another order.",
)
def bb10(rig: BlockFrontRig) -> Sights:
    """Puts writes, a barrier (if one is offered) and writes at once, then a flush; where the medium can be watched, its
    order is looked at, else what the same sectors hold in the end.
    """
    with rig.joined(Disk(watched=True)) as front:
        done: list[tuple[str, int]] = []
        more = threading.Event()

        def told(operation: str, sector: int) -> None:
            # The second write is held up: what does not wait for it comes first.
            if (operation, sector) == ("write", 64):
                more.clear()
                more.wait(_HELD)
            else:
                more.set()
            done.append((operation, sector))

        hook = front.served.medium.between
        if hook:
            hook(told)
        for turn in range(20 if front.offered("feature-barrier") else 0):
            done.clear()
            for page in range(3):
                front.page(page, bytes([turn + 1, page]) * (PAGE_SIZE // 2))
            messages = [
                front.direct(WRITE, 0, 16, front.segments(0)),
                front.direct(WRITE, 1, 64, front.segments(0)),
                front.direct(BARRIER, 2, 16, front.segments(1)),
                front.direct(WRITE, 3, 16, front.segments(2)),
                front.direct(WRITE, 4, 96, front.segments(2)),
            ]
            answers = front.ask(*messages)
            for answer in answers:
                yield status(f"request {answer.ident}", answer)
            if any(answer.status != OKAY for answer in answers):
                return
            held = front.served.medium.peek(16, 8)
            earlier = held in (front.page(0), front.page(1))
            what = "what the barrier stands between"
            yield (
                Seen(what, O.UNORDERED, "an earlier write is there at last")
                if earlier
                else written(front, what, 16, front.page(2))
            )
            if hook:
                yield _order(done)
        done.clear()
        (answer,) = front.ask(front.direct(FLUSH, 5, 0))
        yield status("flush", answer)
        if hook and answer.status == OKAY:
            flushed = any(operation == "flush" for operation, _ in done)
            yield Seen("flush", O.ORDERED if flushed else O.UNORDERED, "" if flushed else "answered, and not flushed")


def _order(done: list[tuple[str, int]]) -> Seen:
    # Both before, the barrier's own, both after; and what was before is durable before it.
    sectors = [sector for operation, sector in done if operation == "write"]
    names = [operation for operation, _ in done]
    right = sorted(sectors[:2]) == [16, 64] and sectors[2:3] == [16] and sorted(sectors[3:]) == [16, 96]
    durable = "flush" in names and names.index("flush") <= 2
    return Seen("barrier", O.ORDERED if right and durable else O.UNORDERED, f"{done}")


@CASES.case(
    "BB11",
    "a disk that grows or shrinks",
    O.OKAY,
    O.ERROR,
    O.FOLLOWED,
    O.IGNORED,
    clause=Clause(
        "blkif.h",
        'The size of the backend device, expressed in units of "sector-size".',
        must=False,
        source="Linux drivers/block/xen-blkback/blkback.c, xen_vbd_resize: writes `sectors` and its state again, in "
        "one transaction",
    ),
    why="A size that only one end knows is an end of the disk that nobody can use, or that is not there.",
)
def bb11(rig: BlockFrontRig) -> Sights:
    """Doubles the medium and waits for `sectors` to say so, then reads there; halves it, and reads where it was."""
    with rig.joined() as front:
        path = f"{front.peer.path}/sectors"
        before = front.peer.number("sectors", 0, 2**64 - 1)
        front.served.medium.resize(2 * front.disk.sectors)
        if not front.follows(path, lambda: front.peer.number("sectors", 0, 2**64 - 1) != before):
            yield Seen("growing", O.IGNORED)
            return
        now = front.peer.number("sectors", 0, 2**64 - 1)
        yield Seen("growing", O.FOLLOWED if now == 2 * before else O.WRONG_DATA, f"sectors is {now}")
        yield front.read(2 * front.disk.sectors - 8, 0)
        front.served.medium.resize(front.disk.sectors)
        front.follows(path, lambda: front.peer.number("sectors", 0, 2**64 - 1) == before)
        (answer,) = front.ask(front.direct(READ, 1, 2 * front.disk.sectors - 8, front.segments(1)))
        yield Seen("beyond the new end", O.STRAYED) if answer.status == OKAY else status("beyond the new end", answer)
        yield front.read(front.disk.sectors - 8, 2)


@CASES.case(
    "BB12",
    "sectors of 4096 bytes: all quantities are of 512, aligned",
    O.OKAY,
    O.ERROR,
    clause=Clause(
        "blkif.h",
        "The logical block size, in bytes, of the underlying storage. This must be a power of two with a minimum value "
        "of 512.",
        source="Linux drivers/block/xen-blkback/blkback.c, xen_vbd_translate, and the header since Xen 4.20: all "
        "sectors in requests are of 512 bytes",
    ),
    why="A backend that counts in its own sectors reads eight times as far away, or says that a disk is eight times as "
    "small.",
)
def bb12(rig: BlockFrontRig) -> Sights:
    """Has a disk with sectors of 4096 bytes, reads and writes whole ones, and asks for parts of them."""
    with rig.joined(Disk(sector_size=4096)) as front:
        size = front.offered("sector-size", 512)
        if size != 4096:
            raise Unsupported(f"its disk has sectors of {size} bytes")
        yield front.read(8, 0)
        yield front.read(2040, 1)
        data = rig.chance.randbytes(PAGE_SIZE)
        front.page(2, data)
        (answer,) = front.ask(front.direct(WRITE, 1, 16, front.segments(2)))
        if answer.status != OKAY:
            yield Seen("a whole sector", O.STRAYED, f"status {answer.status}")
        yield written(front, "a whole sector", 16, data)
        (answer,) = front.ask(front.direct(WRITE, 6, 32, [(front.gref(2), 4, 7), (front.gref(2), 0, 3)]))
        yield status("one of two segments", answer)
        if answer.status == OKAY:
            yield written(front, "one of two segments", 32, data[2048:] + data[:2048])
        front.keep()
        for what, message in (
            ("read of one that begins in another", front.direct(READ, 2, 9, front.segments(3))),
            ("read of a part", front.direct(READ, 3, 8, [(front.gref(4), 0, 6)])),
            ("write of a part", front.direct(WRITE, 4, 24, [(front.gref(5), 0, 0)])),
        ):
            (answer,) = front.ask(message)
            yield status(what, answer)
            if answer.status != OKAY:
                yield from front.changed(what)
