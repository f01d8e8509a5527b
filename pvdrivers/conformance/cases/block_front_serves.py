"""What a disk's frontend does with backends that behave: few features or many, sizes that change, slow answers."""

from functools import partial

from pvdrivers.abi.ring import HEADER
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.conformance import waits
from pvdrivers.conformance.block.asked import Asked, Offered
from pvdrivers.conformance.block.back import BlockBack
from pvdrivers.conformance.block.back_rig import BlockBackRig
from pvdrivers.conformance.block.subject import SECTORS
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.words import DISCARD, FLUSH, READ, O
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.FRONT, "block")


def _used(back: BlockBack, what: str) -> Sights:
    # Short and long, at both ends, and over what one request can carry.
    data = back.chance.randbytes(400 * 512)
    for seen in (
        back.wrote(8, data[:512]),
        back.wrote(SECTORS - 400, data),
        back.read(SECTORS - 401, 401),
        back.read(0, 1024),
    ):
        yield seen._replace(what=f"{what}: {seen.what}")


@CASES.case(
    "BF01",
    "a backend without anything that is optional",
    O.OKAY,
    clause=Clause(
        "blkif.h",
        "Any specified default value is in effect if the corresponding XenBus node is not present in the XenStore.",
    ),
    why="Small backends write three nodes. A frontend that waits for a fourth never comes up, and says nothing.",
)
def bf01(rig: BlockBackRig) -> Sights:
    """Offers nothing and says no more than the disk's size; has short and long pieces read and written."""
    with rig.joined() as back:
        # Twice: pages that do not come back are missed then.
        yield from _used(back, "plain")
        yield from _used(back, "again")


_FEATURES: dict[str, tuple[Nodes, Nodes]] = {
    "rings of 16 pages": ({"max-ring-page-order": 4}, {}),
    "4 queues": ({"multi-queue-max-queues": 4}, {}),
    "indirect requests": ({"feature-max-indirect-segments": 256}, {"feature-max-indirect-segments": 256}),
    "persistent grants": ({}, {"feature-persistent": 1}),
    "flush": ({}, {"feature-flush-cache": 1}),
    "barrier": ({}, {"feature-barrier": 1}),
    "discard": ({}, {"feature-discard": 1, "discard-granularity": 4096, "discard-alignment": 0}),
}


@CASES.case(
    "BF02",
    "each feature alone, and all of them",
    O.OKAY,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        "number of segments allowed by the backend per request",
    ),
    why="What a frontend asks for and its backend did not offer is answered as an error, or worse: data go astray.",
)
def bf02(rig: BlockBackRig) -> Sights:
    """Offers one feature at a time, then all at once; each request is held to what was offered."""
    every: tuple[Nodes, Nodes] = ({}, {})
    for first, then in _FEATURES.values():
        every = ({**every[0], **first}, {**every[1], **then})
    for what, (first, then) in {**_FEATURES, "all": every}.items():
        order = int(first.get("max-ring-page-order") or 0)
        queues = int(first.get("multi-queue-max-queues") or 1)
        with rig.joined(first, then, order=order, queues=queues) as back:
            yield from _used(back, what)
            yield back.outcome(f"{what}: flush", back.start(FLUSH))
            yield back.outcome(f"{what}: discard", back.start(DISCARD, 512 * 64, 512 * 8))
            yield back.read(56, 16)


@CASES.case(
    "BF03",
    "a disk that grows and shrinks; its state written again",
    O.OKAY,
    O.FOLLOWED,
    O.IGNORED,
    clause=Clause(
        "blkif.h",
        'The size of the backend device, expressed in units of "sector-size".',
        must=False,
        source="Linux drivers/block/xen-blkfront.c, blkfront_connect: a repeated Connected is a new size",
    ),
    why="A frontend that takes a repeated state for a new connection connects twice, and leaks the first.",
)
def bf03(rig: BlockBackRig) -> Sights:
    """Writes its state again, then another size with it, larger and smaller; reads at the new end."""
    with rig.joined() as back:
        for _ in range(3):
            back.write({}, S.CONNECTED)
        yield back.read(24)
        for sectors in (2 * SECTORS, SECTORS):
            back.disk.extend(bytes(max(sectors * 512 - len(back.disk), 0)))
            back.offered = Offered(max(sectors, SECTORS))
            back.write({"sectors": sectors}, S.CONNECTED)
            follows = waits.until(back.store, [], partial(_is_of, back, sectors), 10.0)
            yield Seen(f"{sectors} sectors", O.FOLLOWED if follows else O.IGNORED)
            if follows:
                yield back.read(sectors - 8)


def _is_of(back: BlockBack, sectors: int) -> bool:
    return back.used.user.sectors == sectors


@CASES.case(
    "BF12",
    "offers that are larger than anybody could want",
    O.OKAY,
    clause=Clause(
        "blkif.h",
        "expressed as fixed sized integer types capable of storing the conversion of a properly formated node string, "
        "without loss of information.",
        source="Linux drivers/block/xen-blkfront.c, negotiate_mq: the smaller of both, and at least one",
    ),
    why="What a backend offers is a number that a hostile one chooses: as many queues are memory, and as large an "
    "order is a shift by as many bits.",
)
def bf12(rig: BlockBackRig) -> Sights:
    """Offers no queues and four thousand million, rings of 2^31 pages, indirect requests of as many segments."""
    for what, first in (
        ("0 queues", {"multi-queue-max-queues": 0}),
        ("2^32 - 1 queues", {"multi-queue-max-queues": 2**32 - 1}),
        ("order 31", {"max-ring-page-order": 31}),
        ("2^32 - 1 segments", {"feature-max-indirect-segments": 2**32 - 1}),
    ):
        with rig.joined(first, first, order=16, queues=4096) as back:
            yield from _used(back, what)


@CASES.case(
    "BF13",
    "answers that come late, and requests that are never answered",
    O.OKAY,
    O.ERROR,
    O.CLOSED,
    clause=Clause("blkif.h", must=False, source="Linux drivers/block/xen-blkfront.c: has no limit of its own"),
    why="A disk may take its time; but a guest must be able to let go of one that is gone.",
)
def bf13(rig: BlockBackRig) -> Sights:
    """Answers after the level's silence; then leaves a request without an answer and parts."""
    with rig.joined() as back:
        late: list[tuple[int, int, int]] = []
        back.policy = lambda request: late.append(back.done(request))
        expected = bytes(back.disk[4096:8192])
        future = back.start(READ, 4096, 4096)
        if back.ended(future, rig.level.silence):
            yield back.outcome("before the answer", future, expected)
        with back.queues[0].lock:
            back.queues[0].send(*late)
        back.policy = back.done
        yield back.outcome("a late answer", future, expected)
        back.policy = lambda _: None
        back.start(READ, 4096, 4096)
        state = back.part()
        closed = state in {S.CLOSED, S.UNKNOWN, S.INITIALISING}
        yield Seen("parting", O.CLOSED if closed else O.SILENT, "" if closed else f"it stays in state {state.name}")


@CASES.case(
    "BF14",
    "nothing but payload and zeros in what is granted",
    O.CLEAN,
    clause=Clause(
        "blkif.h",
        "should deploy whatever measures available to protect from a malicious backend on the other end.",
        source="XSA-403: data beside the payload in a granted page",
    ),
    why="A page has 4096 bytes, whatever of it is payload: the rest is a guest's memory, which its backend reads.",
    xsa=(403,),
)
def bf14(rig: BlockBackRig) -> Sights:
    """With ``trusted=0``, looks at every byte of every page that a request names, and of the ring's."""
    with rig.plugged() as back:
        back.store.write(f"{back.peer.path}/trusted", b"0")
        found: list[Seen] = []
        # What its backend has written there itself, for whichever read, is no secret.
        known = {0, 0x77}

        def look(request: Asked) -> tuple[int, int, int]:
            # Those of requests that were answered may be granted no more.
            pages = {gref for gref, _, _ in request.segments}
            foreign = [min(others) for gref in pages if (others := set(back.fetch(gref, 4096)) - known)]
            found.extend(Seen("a page", O.FOREIGN, f"byte {byte:#x}") for byte in foreign)
            if request.operation == READ:
                known.update(back.disk[request.sector * 512 : (request.sector + request.count) * 512])
            return back.done(request)

        back.policy = look
        back.served()
        for length in (512, 1536, 4096, 512 * 88):
            yield from (each for each in [back.wrote(64, b"\x77" * length)] if each.observation is not O.OKAY)
            yield from (each for each in [back.read(0, 1)] if each.observation is not O.OKAY)
        yield from found[:3]
        ring = back.queues[0].ring
        if ring.cons < ring.size and any(ring.memory[HEADER.size + ring.cons * ring.stride :]):
            yield Seen("the ring", O.FOREIGN, "slots that were never used are not zeros")
        yield Seen("pages", O.CLEAN)
