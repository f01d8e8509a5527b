"""What a disk's backend does for frontends that behave: layouts, rings, queues, pages."""

from pvdrivers.abi.blkif import PROTOCOLS, X86_64
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.conformance.block.front import BlockFront
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.block.queue import status
from pvdrivers.conformance.block.subject import Disk, content
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.asking import OKAY, written
from pvdrivers.conformance.cases.words import FLUSH, READ, WRITE, O
from pvdrivers.conformance.observation import Noticed, Seen, Sights, Unsupported
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")


@CASES.case(
    "BB01",
    "read, write, flush and discard, in each layout",
    O.OKAY,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        "The machine ABI rules governing the format of all ring request and response structures.",
        source="xen/include/public/io/protocols.h; without the key, Linux's and QEMU's backends take x86_32-abi on x86",
    ),
    why="A guest of another word size than its backend lays its requests out otherwise: one byte off is another "
    "sector. Flush and discard may be refused as not supported, at any time.",
)
def bb01(rig: BlockFrontRig) -> Sights:
    """Connects with each of the layouts that guests on this machine have, and those of others if they are taken; reads
    parts of pages in odd order, writes, flushes, discards, and looks at the disk past the driver.
    """
    for layout in rig.layouts():
        with rig.joined(layout=layout) as front:
            parts = [(front.gref(2), 3, 4), (front.gref(2), 0, 0), (front.gref(2), 7, 7)]
            (answer,) = front.ask(front.direct(READ, 5, 100, parts))
            poison = b"\x70" * 512
            first, second, third, fourth = (content(sector, 1) for sector in range(100, 104))
            expected = b"".join([third, poison, poison, first, second, poison, poison, fourth])
            right = answer.status != OKAY or front.page(2) == expected
            yield status(f"{layout.protocol}: read", answer) if right else Seen(layout.protocol, O.WRONG_DATA)
            data = rig.chance.randbytes(PAGE_SIZE)
            front.page(3, data)
            (answer,) = front.ask(front.direct(WRITE, 6, 2044, [(front.gref(3), 6, 7), (front.gref(3), 1, 1)]))
            yield status(f"{layout.protocol}: write", answer)
            yield written(front, f"{layout.protocol}: write", 2043, content(2043, 1) + data[3072:] + data[512:1024])
            (answer,) = front.ask(front.direct(FLUSH, 7, 0))
            yield status(f"{layout.protocol}: flush", answer)
            if front.offered("feature-discard"):
                (answer,) = front.ask(front.discard(8, 1024, 64))
                yield status(f"{layout.protocol}: discard", answer)
            yield front.read(1016, 4)
            yield front.read(1088, 5)


@CASES.case(
    "BB02",
    "rings of all sizes that are offered; slots that straddle pages",
    O.OKAY,
    clause=Clause(
        "blkif.h",
        'For a frontend providing a multi-page ring, a "number of ring pages" sized list of nodes, each containing a '
        "Xen grant reference granting permission for the backend to map the page of the ring located at page index "
        '"%u".',
    ),
    why="A slot of 108 or 112 bytes lies on two pages at times: whoever maps pages apart from each other reads a "
    "request's end somewhere else.",
)
def bb02(rig: BlockFrontRig) -> Sights:
    """Connects with each order up to the one that is offered, in the layouts of 32 and 64 bits, and goes round the
    whole ring.
    """
    with rig.plugged() as front:
        front.begin()
        highest = min(front.offered("max-ring-page-order"), 4)
    for layout in (PROTOCOLS["x86_32-abi"], X86_64):
        for order in range(highest + 1):
            with rig.joined(layout=layout, order=order) as front:
                number = front.queues[0].ring.size
                for turn in range(2):
                    # Whatever is read into one page is the same: answers come in any order.
                    sectors = [(turn * 64 + page) * 8 for page in range(64)]
                    messages = [
                        front.direct(READ, each, sectors[each % 64], front.segments(each % 64))
                        for each in range(number)
                    ]
                    bad = [answer for answer in front.ask(*messages) if answer.status != OKAY]
                    yield status(f"order {order}", bad[0]) if bad else Seen(f"order {order}", O.OKAY)
                    wrong = [page for page in range(min(number, 64)) if front.page(page) != content(sectors[page], 8)]
                    yield Seen(f"order {order}", O.WRONG_DATA if wrong else O.OKAY)


@CASES.case(
    "BB03",
    "as many queues as are offered",
    O.OKAY,
    needs=("multi-queue-max-queues",),
    clause=Clause(
        "blkif.h",
        "Frontends requesting two or more queues must not write the toplevel event-channel and ring-ref keys, instead "
        'writing those keys under sub-keys having the name "queue-N"',
    ),
    why="Each queue has a ring and a channel of its own; one that is never served holds whatever a guest's processor "
    "puts there.",
)
def bb03(rig: BlockFrontRig) -> Sights:
    """Connects with one queue and with as many as are offered, writes by one and reads by the next."""
    with rig.plugged() as front:
        front.begin()
        most = min(front.offered("multi-queue-max-queues"), 16)
    if not most:
        raise Unsupported("multi-queue-max-queues is not offered")
    for queues in dict.fromkeys((1, most)):
        with rig.joined(queues=queues) as front:
            for queue in range(queues):
                data = rig.chance.randbytes(PAGE_SIZE)
                front.page(1, data)
                (answer,) = front.ask(front.direct(WRITE, 1, 8 * queue, front.segments(1)), queue=queue)
                yield status(f"queue {queue} of {queues}", answer)
                (answer,) = front.ask(front.direct(READ, 2, 8 * queue, front.segments(2)), queue=(queue + 1) % queues)
                yield Seen(f"queue {queue} of {queues}", O.OKAY if front.page(2) == data else O.WRONG_DATA)


@CASES.case(
    "BB05",
    "indirect requests of 1, 12, 512 and most segments, answered as what they wrap",
    O.OKAY,
    needs=("feature-max-indirect-segments",),
    clause=Clause(
        "blkif.h",
        "The maximum number of indirect segments is fixed by the backend, but the frontend can issue requests with any "
        "number of indirect segments as long as it's less than the number provided by the backend.",
        source="Linux drivers/block/xen-blkfront.c, blkif_interrupt: a response that names INDIRECT, as the header "
        "has it, ends the device; every backend names what was wrapped",
    ),
    why="Longer requests than 11 segments are what makes a disk fast; segments that lie on the second page of them are "
    "easily forgotten.",
)
def bb05(rig: BlockFrontRig) -> Sights:
    """Reads by indirect requests whose segments need one page and more, and writes by one."""
    with rig.joined(Disk(8192), pages=640) as front:
        most = min(front.offered("feature-max-indirect-segments"), 4096)
        if not most:
            raise Unsupported("feature-max-indirect-segments is not offered")
        for number in sorted({1, min(12, most), min(512, most), min(most, 600)}):
            tables = -(-number // 512)
            segments = front.segments(*range(8, 8 + number))
            for table in range(tables):
                front.table(table, segments[512 * table : 512 * (table + 1)])
            (answer,) = front.ask(front.indirect(READ, 9, 0, number, [front.gref(table) for table in range(tables)]))
            yield status(f"{number} segments", answer)
            found = bytes(front.data.memory[8 * PAGE_SIZE : (8 + number) * PAGE_SIZE])
            yield Seen(f"{number} segments", O.OKAY if found == content(0, number * 8) else O.WRONG_DATA)
            front.poison(*range(8, 8 + number))
        data = rig.chance.randbytes(PAGE_SIZE)
        front.page(20, data)
        front.table(0, [(front.gref(20), 2, 3), (front.gref(20), 0, 0)])
        (answer,) = front.ask(front.indirect(WRITE, 10, 7, 2, [front.gref(0)]))
        yield status("write", answer)
        yield written(front, "write", 6, content(6, 1) + data[1024:2048] + data[:512] + content(10, 1))


@CASES.case(
    "BB06",
    "persistent grants or none: nothing is kept that must not be",
    O.OKAY,
    O.HELD,
    clause=Clause(
        "blkif.h",
        "The backend driver should only map grants persistently if the frontend supports it.",
    ),
    why="A page that a frontend has back and a backend still uses is a page of somebody else's by then.",
)
def bb06(rig: BlockFrontRig) -> Sights:
    """Reads with and without persistent grants, by more pages than there are slots; parts, and looks whether the pages
    can be had back and nothing is written to them.
    """
    for persistent in (False, True):
        what = "persistent" if persistent else "not persistent"
        with rig.joined(persistent=persistent, pages=64) as front:
            for page in range(64):
                seen = front.read(page * 8, page)
                if seen.observation is not O.OKAY:
                    yield seen
            yield Seen(what, O.OKAY)
            front.poison(*range(64))
            front.keep()
            if front.part() not in {S.CLOSED, S.UNKNOWN}:
                raise Noticed(O.SILENT, "it does not close", what)
            yield from front.changed(what)
            yield _free(front, what)


def _free(front: BlockFront, what: str) -> Seen:
    # What is mapped still cannot be used again: on a loopback the machine counts, on Xen gntalloc holds the page.
    front.data.revoke()
    front.data = front.served.transport.grant(front.served.spot.back_domid)
    return Seen(what, O.HELD)


@CASES.case(
    "BB07",
    "pages are let go before the answer",
    O.OKAY,
    clause=Clause(
        "blkif.h",
        "Using this feature the backend doesn't need to unmap each grant",
        source="Linux drivers/block/xen-blkfront.c, blkif_completion: without persistence, a grant that is still "
        "mapped when its request is answered ends the device",
    ),
    why="A frontend that is told that its read is done takes its page back and uses it for something else.",
)
def bb07(rig: BlockFrontRig) -> Sights:
    """Revokes a page as soon as its request is answered, twenty times, and looks at what it holds after that."""
    with rig.joined() as front:
        before = rig.bench.resources()
        for turn in range(20):
            page = front.granted()
            (answer,) = front.ask(front.direct(READ, turn, turn * 8, [(page.grefs[0], 0, 7)]))
            right = bytes(page.memory) == content(turn * 8, 8)
            held = rig.bench.resources().get("mappings", 0) - before.get("mappings", 0)
            front.extra.remove(page)
            page.revoke()
            if answer.status != OKAY or not right:
                yield status(f"request {turn}", answer) if right else Seen(f"request {turn}", O.WRONG_DATA)
            if held > 0:
                yield Seen(f"request {turn}", O.KEPT, f"{held} pages are mapped still when their request is answered")
                return
        yield Seen("20 pages", O.OKAY)
