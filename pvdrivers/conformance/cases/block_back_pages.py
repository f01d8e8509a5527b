"""Pages that a frontend did not grant, and bytes that are not its own."""

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.block.queue import status
from pvdrivers.conformance.block.subject import content
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.asking import NOBODYS, OKAY
from pvdrivers.conformance.cases.words import FLUSH, READ, WRITE, O
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")


@CASES.case(
    "BB24",
    "pages that were not granted, or not so, among good ones",
    O.ERROR,
    O.OKAY,
    clause=Clause(
        "blkif.h",
        "reference to I/O buffer frame",
        source="XSA-361, XSA-362, XSA-365 and XSA-367: errors of single maps in a batch",
    ),
    why="One reference that cannot be mapped among many is an error that backends have overlooked, and leaked by.",
    xsa=(361, 362, 365, 367),
    risk=Risk.MAY_CRASH,
)
def bb24(rig: BlockFrontRig) -> Sights:
    """Names pages that nobody granted, that were granted to another domain, for reading alone, or no longer; alone and
    among good ones. Only their requests may fail.
    """
    with rig.joined() as front:
        foreign = front.granted(domid=front.served.stranger)
        readonly = front.granted(writable=False)
        readonly.memory[:] = content(0, 8)
        gone = front.granted()
        (lost,) = list(gone.grefs)
        front.extra.remove(gone)
        gone.revoke()
        good = content(0, 8)
        bad = {"nobody's": NOBODYS, "0": 0, "a stranger's": foreign.grefs[0], "one that was revoked": lost}
        for turn in range(2):
            front.poison(*range(8))
            front.keep()
            messages = [front.direct(READ, at, 0, [(gref, 0, 7)]) for at, gref in enumerate(bad.values())]
            messages += [
                front.direct(READ, 4, 0, [(readonly.grefs[0], 0, 7)]),
                front.direct(WRITE, 5, 0, [(readonly.grefs[0], 0, 7)]),
                front.direct(READ, 6, 0, [(front.gref(1), 0, 7), (NOBODYS, 0, 7), (front.gref(2), 0, 7)]),
                front.direct(READ, 7, 0, front.segments(3)),
                front.direct(WRITE, 8, 0, [(foreign.grefs[0], 0, 7)]),
                front.direct(WRITE, 9, 0, [(lost, 0, 7)]),
            ]
            names = [*bad, "read-only, to read into", "read-only, to write", "among good ones", "good"]
            for name, answer in zip([*names, "a stranger's", "revoked"], front.ask(*messages), strict=True):
                fine = name in {"read-only, to write", "good"}
                right = (answer.status == OKAY) == fine
                yield (
                    status(f"turn {turn}: {name}", answer)
                    if right
                    else Seen(f"turn {turn}: {name}", O.STRAYED, f"status {answer.status}")
                )
            # In a request that failed over one page, others may have what is on the disk there.
            yield from front.changed("others", but=(1, 2, 3), data=content(0, 24))
            if front.page(3) != good:
                yield Seen("good", O.WRONG_DATA)
            if bytes(readonly.memory) != good or bytes(foreign.memory) != bytes(PAGE_SIZE):
                yield Seen("others' pages", O.CHANGED, "a page that was not granted for writing")


@CASES.case(
    "BB25",
    "nothing of the backend's is in a response",
    O.OKAY,
    O.ERROR,
    O.EOPNOTSUPP,
    clause=Clause(
        "blkif.h",
        "copied from request",
        source="XSA-216: padding of responses that was never written",
    ),
    why="Bytes between fields are what lay on the backend's stack, a few each time, as often as a guest asks.",
    xsa=(216,),
)
def bb25(rig: BlockFrontRig) -> Sights:
    """Fills slots with ones, asks requests of all kinds, and looks at each byte of the responses: a field's, or what
    was there before.
    """
    for layout in rig.layouts():
        with rig.joined(layout=layout) as front:
            ring = front.queues[0].ring
            first = ring.prod
            messages = [
                front.direct(READ, 2**64 - 1, 0, front.segments(1)),
                front.direct(READ, 2**64 - 1, 2**64 - 1, [(2**32 - 1, 255, 255)] * 11),
                b"\xff" * layout.request.size,
                front.direct(FLUSH, 2**64 - 1, 2**64 - 1),
            ]
            before = [message.ljust(ring.stride, b"\0") for message in messages]
            answers = front.ask(*messages)
            for answer in answers:
                yield status(layout.protocol, answer)
            for number in range(len(messages)):
                slot = bytes(ring.slot(first + number))
                fields = layout.response.struct.unpack(slot[: layout.response.size])
                packed = layout.response.struct.pack(*fields)
                if foreign := [
                    at
                    for at, byte in enumerate(slot)
                    if byte not in {before[number][at], packed[at] if at < len(packed) else 0, 0, 0xFF}
                ]:
                    yield Seen(layout.protocol, O.FOREIGN, f"byte {foreign[0]} of a slot is {slot[foreign[0]]:#x}")
