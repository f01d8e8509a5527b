"""What a disk's frontend does with answers that are errors, or none that can be."""

from collections.abc import Callable

from pvdrivers.abi.blkif import BlkifOp, BlkifRsp
from pvdrivers.conformance.block.asked import Asked
from pvdrivers.conformance.block.back import BlockBack
from pvdrivers.conformance.block.back_rig import BlockBackRig
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.words import DISCARD, FLUSH, READ, WRITE, O
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.transport.base import Mapping
from pvdrivers.xenbus import Role

CASES = Group(Role.FRONT, "block")
OKAY, UNSUPPORTED = int(BlkifRsp.OKAY), int(BlkifRsp.EOPNOTSUPP)


def _refusing(back: BlockBack, operation: BlkifOp, status: int) -> None:
    # All but one operation is done.
    def policy(request: Asked) -> tuple[int, int, int]:
        if request.operation == operation:
            return request.ident, request.operation, status
        return back.done(request)

    back.policy = policy


@CASES.case(
    "BF04",
    "a flush that is not supported after all",
    O.OKAY,
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        "Requests of this type may still be returned at any time with the BLKIF_RSP_EOPNOTSUPP result code.",
        source="Linux drivers/block/xen-blkfront.c, blkif_interrupt: the feature is off from then on",
    ),
    why="A disk that moved to another backend may flush no more: its guest must learn it, and go on.",
)
def bf04(rig: BlockBackRig) -> Sights:
    """Offers a flush and answers that it is not supported; reads and writes go on."""
    with rig.joined({}, {"feature-flush-cache": 1}) as back:
        _refusing(back, FLUSH, UNSUPPORTED)
        for _ in range(2):
            yield back.outcome("flush", back.start(FLUSH))
            yield back.wrote(8, back.chance.randbytes(4096))
            yield back.read(8)


@CASES.case(
    "BF05",
    "a discard that is not supported after all",
    O.OKAY,
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        "containing the BLKIF_OP_DISCARD request opcode. Requests of this type may still be returned at any time with "
        "the BLKIF_RSP_EOPNOTSUPP result code.",
    ),
    why="As for a flush.",
)
def bf05(rig: BlockBackRig) -> Sights:
    """Offers to discard and answers that it is not supported; reads go on."""
    with rig.joined({}, {"feature-discard": 1}) as back:
        _refusing(back, DISCARD, UNSUPPORTED)
        for _ in range(2):
            yield back.outcome("discard", back.start(DISCARD, 8 * 512, 8 * 512))
            yield back.read(8)


@CASES.case(
    "BF06",
    "errors, and statuses that there are not",
    O.ERROR,
    O.EOPNOTSUPP,
    O.DISABLED,
    clause=Clause(
        "blkif.h",
        "Operation failed for some unspecified reason (-EIO).",
        source="Linux drivers/block/xen-blkfront.c, blkif_interrupt: whatever is not OKAY is an I/O error",
    ),
    why="A read whose failure is taken for success gives its user what lay in the page before.",
    risk=Risk.MAY_DISABLE,
)
def bf06(rig: BlockBackRig) -> Sights:
    """Answers reads and writes with ERROR, 1, -3 and -32768; none may be taken for success."""
    for status in (-1, 1, -3, 32767, -32768):
        with rig.joined() as back:
            back.policy = lambda request, status=status: (request.ident, request.operation, status)  # type: ignore[misc] # a lambda's default
            for what, future in (
                (f"read, status {status}", back.start(READ, 0, 4096)),
                (f"write, status {status}", back.start(WRITE, 0, 4096, bytes(4096))),
            ):
                seen = back.outcome(what, future, b"never")
                yield Seen(what, O.STRAYED, "taken for success") if seen.observation is O.WRONG_DATA else seen


Answers = list[tuple[int, int, int]]
Wrong = Callable[[BlockBack, Asked], object]


def _answered(rig: BlockBackRig, what: str, wrong: Wrong) -> Sights:
    # A read is answered so; then rightly, if that is of any use still.
    with rig.joined() as back:
        held: list[Asked] = []
        back.policy = held.append
        expected = bytes(back.disk[4096:8192])
        future = back.start(READ, 4096, 4096)
        if not back.ended(future, 0.0) and not back.asked_something(held):
            yield Seen(what, O.SILENT, "a read is not asked")
            return
        with back.queues[0].lock:
            wrong(back, held[0])
        if not back.ended(future, rig.level.silence):
            with back.queues[0].lock:
                back.queues[0].send(back.done(held[0]))
            if not back.ended(future, rig.level.silence):
                # It takes nothing any more.
                yield Seen(what, O.DISABLED)
                return
            yield Seen(what, O.IGNORED) if future.done() and not future.exception() else back.outcome(what, future)
            return
        seen = back.outcome(what, future, expected)
        yield seen


@CASES.case(
    "BF07",
    "a producer index that cannot be",
    O.DISABLED,
    O.ERROR,
    clause=Clause(
        "ring.h",
        "Ill-behaved backend determination: Can there be this many responses?",
        source='XSA-376; Linux drivers/block/xen-blkfront.c, blkif_interrupt: "illegal number of responses"',
    ),
    why="A frontend that believes the index takes old requests for answers, round and round.",
    xsa=(376,),
    risk=Risk.MAY_DISABLE,
)
def bf07(rig: BlockBackRig) -> Sights:
    """Sets ``rsp_prod`` further ahead than there are requests, and backwards."""
    for ahead in (2, 33, 2**31, 2**32 - 1):

        def wrong(back: BlockBack, _: Asked, ahead: int = ahead) -> None:
            queue = back.queues[0]
            # What it would take from here on is nobody's requests.
            queue.ended = True
            queue.ring.prod = queue.ring.prod + ahead & 0xFFFFFFFF
            queue.ring.show()
            queue.channel.notify()

        for seen in _answered(rig, f"{ahead} ahead", wrong):
            yield seen if seen.observation is not O.OKAY else Seen(f"{ahead} ahead", O.STRAYED, "taken for answers")


#: What is wrong with an answer to a read.
_ANSWERS: dict[str, Callable[[Asked], Answers]] = {
    "an id that is none": lambda _: [(2**64 - 1, READ, OKAY)],
    "an id beyond the ring": lambda asked: [(asked.ident + 4096, READ, OKAY)],
    "an id that nobody asked": lambda asked: [(asked.ident ^ 1, READ, OKAY)],
}


@CASES.case(
    "BF08",
    "answers to what nobody asked, and answers twice",
    O.DISABLED,
    O.ERROR,
    O.IGNORED,
    clause=Clause(
        "blkif.h",
        "private guest value, echoed in resp",
        source="Linux drivers/block/xen-blkfront.c, blkif_interrupt and REQ_WAITING",
    ),
    why="A frontend's id is an index into its own tables: what a backend makes up reaches memory of others.",
    risk=Risk.MAY_CRASH,
)
def bf08(rig: BlockBackRig) -> Sights:
    """Answers with ids that are none, beyond the ring, or of nobody; and answers one request twice."""
    for what, answers in _ANSWERS.items():

        def wrong(back: BlockBack, asked: Asked, answers: Callable[[Asked], Answers] = answers) -> None:
            back.queues[0].send(*answers(asked))

        for seen in _answered(rig, what, wrong):
            yield seen if seen.observation is not O.WRONG_DATA else Seen(what, O.STRAYED, "taken for its answer")
    with rig.joined() as back:
        held: list[Asked] = []
        back.policy = held.append
        expected = bytes(back.disk[4096:8192])
        futures = [back.start(READ, 4096, 4096), back.start(READ, 8192, 4096)]
        if not back.asked_something(held, 2):
            yield Seen("twice", O.SILENT, "reads are not asked")
            return
        first = next(each for each in held if each.sector == 8)
        with back.queues[0].lock:
            back.queues[0].send(back.done(first), back.done(first))
        seen = back.outcome("twice, the first", futures[0], expected)
        yield seen if seen.observation is not O.OKAY else Seen("twice, the first", O.IGNORED)
        if back.ended(futures[1], rig.level.silence):
            seen = back.outcome("twice, the other", futures[1], bytes(back.disk[8192:12288]))
            bad = seen.observation in {O.OKAY, O.WRONG_DATA}
            yield Seen("twice, the other", O.STRAYED, "taken for the other's answer") if bad else seen


@CASES.case(
    "BF09",
    "answers that name another operation",
    O.DISABLED,
    O.ERROR,
    O.IGNORED,
    O.OKAY,
    clause=Clause(
        "blkif.h",
        "copied from request",
        must=False,
        source="Linux drivers/block/xen-blkfront.c, blkif_interrupt: an operation that is not the request's, INDIRECT "
        "for what that wraps among them, ends the device",
    ),
    why="What a response says it is decides what is done with it: a write's answer to a read gives no data.",
    risk=Risk.MAY_DISABLE,
)
def bf09(rig: BlockBackRig) -> Sights:
    """Does a read, and answers that it was a write, or INDIRECT, or no operation that there is."""
    for operation in (WRITE, BlkifOp.INDIRECT, 255):

        def wrong(back: BlockBack, asked: Asked, operation: int = operation) -> None:
            ident, _, status = back.done(asked)
            back.queues[0].send((ident, operation, status))

        yield from _answered(rig, f"operation {operation}", wrong)


@CASES.case(
    "BF10",
    "answers while pages are mapped still, and written to afterwards",
    O.HELD,
    O.DISABLED,
    clause=Clause(
        "blkif.h",
        "the frontend will reuse the same grants for all transactions",
        source='XSA-396; Linux drivers/block/xen-blkfront.c, blkif_completion: "backed has not unmapped grant", and '
        "its disk is disabled",
    ),
    why="A page that a backend still has is not the frontend's to give to others: what is there changes under them.",
    xsa=(396,),
    risk=Risk.MAY_CRASH,
)
def bf10(rig: BlockBackRig) -> Sights:
    """Maps each page that a request names, answers, and writes into it afterwards; what users have read stays."""
    with rig.joined({}, {"feature-persistent": 0}) as back:
        mappings: list[Mapping] = []

        def policy(request: Asked) -> tuple[int, int, int]:
            for gref, _, _ in request.segments:
                mappings.append(back.used.transport.map(back.used.spot.domid, [gref]))
            return back.done(request)

        back.policy = policy
        for sector in (8, 16, 24):
            expected = bytes(back.disk[sector * 512 : sector * 512 + 4096])
            future = back.start(READ, sector * 512, 4096)
            if not back.asked_something(mappings) or not back.ended(future, rig.level.silence):
                # It takes nothing any more; that it can be let go of is seen when it parts.
                yield Seen(f"read of sector {sector}", O.DISABLED if mappings else O.SILENT)
                break
            seen = back.outcome(f"read of sector {sector}", future, expected)
            for mapping in mappings:
                mapping.memory[:] = b"\xee" * len(mapping.memory)
            if seen.observation is O.OKAY:
                same = future.result() == expected
                seen = Seen(seen.what, O.HELD if same else O.KEPT, "" if same else "what was read changes afterwards")
            yield seen
        for mapping in mappings:
            mapping.unmap()
