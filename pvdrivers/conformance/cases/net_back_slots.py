"""Frontends that send what is no frame: slots, sizes, extras, pages, indices that cannot be."""

from pvdrivers.abi.netif import ExtraType, NetifRsp, TxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance import waits
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.net_trying import NOBODYS, outcome, tried
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.frames import plain
from pvdrivers.conformance.net.front import Slots, VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.messages import extra
from pvdrivers.conformance.observation import Noticed, Seen, Sights, Unsupported
from pvdrivers.conformance.raw import REQ_PROD, RSP_PROD
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
#: Slots that any backend takes for a packet (XEN_NETIF_NR_SLOTS_MIN).
_SLOTS = 18
_MASK = 0xFFFFFFFF


@CASES.case(
    "NB09",
    "frames shorter than Ethernet's header",
    O.ERROR,
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        must=False,
        source='Linux drivers/net/xen-netback/netback.c, xenvif_tx_build_gops: "Bad packet size", an error for all of '
        "its slots",
    ),
    why="Whoever looks for an address in a frame of 13 bytes finds what lay there before.",
)
def nb09(rig: VifFrontRig) -> Sights:
    """Sends frames of 0, 1 and 13 bytes in one slot, and of 13 in three; none may come out, and the next one has to."""
    for size in (0, 1, 13):
        with rig.joined() as front:
            yield from tried(front, f"{size} bytes", front.slots(bytes(size)))
    with rig.joined() as front:
        if front.several:
            yield from tried(front, "13 bytes in three slots", front.slots(bytes(13), [5, 4, 4]))


@CASES.case(
    "NB10",
    "more slots than a packet has",
    O.OKAY,
    O.ERROR,
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "The minimum value derives from older Linux kernel's MAX_SKB_FRAGS (18), which is proved to work with most "
        "frontends.",
        source="Linux drivers/net/xen-netback/netback.c, xenvif_count_requests: more than 18 slots after the first are "
        "dropped, more than `fatal_skb_slots` end the vif",
    ),
    why="A packet without an end is a loop for as long as the ring has slots; one that fills an array goes on behind "
    "it.",
)
def nb10(rig: VifFrontRig) -> Sights:
    """Sends 18 slots, which any backend takes, then 19, 20, 22, 40 and a ring full of one packet, each on a new vif."""
    for slots in (_SLOTS, _SLOTS + 1, _SLOTS + 2, _SLOTS + 4, 40, 255):
        with rig.joined() as front:
            rig.needs(front, "feature-sg")
            data = plain(rig.chance.randbytes(slots * 20 - 14))
            what = f"{slots} slots"
            if slots <= _SLOTS:
                seen = front.sent(what, data, front.slots(data, [20] * slots))
                if seen.observation is not O.OKAY:
                    raise Noticed(O.LOST, seen.detail, what)
                yield seen
                continue
            yield from tried(front, what, front.slots(data, [20] * slots), data)


@CASES.case(
    "NB11",
    "slots that are more than the packet",
    O.ERROR,
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "in a multi-fragment packet the actual size of fragment 1 can only be determined by subtracting the sizes of "
        "fragments 2..N from the total packet size.",
        source='Linux drivers/net/xen-netback/netback.c, xenvif_count_requests: "Invalid tx request, slot size", '
        "dropped",
    ),
    why="What is left of the first slot is less than nothing: as a number without a sign it is four gigabytes.",
)
def nb11(rig: VifFrontRig) -> Sights:
    """Says that a packet is of 0, 60 or 1000 bytes whose other slots are of more; nothing may come out."""
    for whole in (0, 60, 1000):
        with rig.joined() as front:
            rig.needs(front, "feature-sg")
            data = plain(rig.chance.randbytes(1486))
            slots = front.slots(data, [100, 700, 700], whole=whole)
            yield from tried(front, f"{whole} bytes, of which two slots have 1400", slots)


@CASES.case(
    "NB12",
    "slots that are not within their page",
    O.ERROR,
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "offset: Offset within buffer page.",
        source='Linux drivers/net/xen-netback/netback.c, xenvif_count_requests and xenvif_tx_build_gops: "Cross page '
        'boundary", the vif is given up',
    ),
    why="What lies behind a guest's page is somebody else's.",
)
def nb12(rig: VifFrontRig) -> Sights:
    """Sends slots that end a byte behind their page, begin there, or far beyond it: the first of a packet, and one that
    follows.
    """
    for offset, size in ((PAGE_SIZE - 99, 100), (PAGE_SIZE, 100), (1, PAGE_SIZE), (0xFFFF, 100), (0xFFFF, 0xFFFF)):
        what = f"{size} bytes at {offset}"
        with rig.joined() as front:
            several = front.several
            yield from tried(front, f"{what}, alone", front.slot(front.gref(), size, offset=offset))
        if several and size <= PAGE_SIZE:
            with rig.joined() as front:
                first = front.slot(front.gref(bytes(60)), 60 + size, flags=TxFlag.MORE_DATA)
                yield from tried(front, f"{what}, second", first + front.slot(front.gref(), size, offset=offset))


@CASES.case(
    "NB13",
    "a packet that is said to go on, and does not",
    O.OKAY,
    O.ERROR,
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "Packet continues in the next request descriptor.",
        must=False,
        source="Linux drivers/net/xen-netback/netback.c, xenvif_count_requests: -ENODATA, and xenvif_get_extras: "
        "-EBADR, the vif is given up; others wait",
    ),
    why="What lies behind the last slot is an old one: whose pages are somebody else's by now.",
)
def nb13(rig: VifFrontRig) -> Sights:
    """Puts the first slots of a packet that has more, or an extra to come, and notifies; then the rest of it."""
    for what, first, extras in (
        ("more data", 1, []),
        ("an extra", 1, [extra(ExtraType.HASH)]),
        ("an extra behind an extra", 2, [extra(ExtraType.HASH, more=True), extra(ExtraType.HASH)]),
    ):
        with rig.joined() as front:
            rig.needs(front, "feature-sg")
            data = plain(rig.chance.randbytes(486))
            slots = front.slots(data, [100, 400] if not extras else [], extras=extras)
            yield from _in_parts(front, what, slots, first, data)


def _in_parts(front: VifFront, what: str, slots: Slots, first: int, data: bytes) -> Sights:
    ring = front.queues[0].tx.ring
    front.put(Slots(slots.messages[:first], slots.idents[:1]), notify=True)
    waits.until(front.store, [], lambda: bool(ring.waiting()) or front.given_up, min(front.level.silence, 1.0))
    if ring.waiting():
        statuses = [answer.status for answer in front.queues[0].tx.answers(ring.waiting(), front.level.deadline)]
        yield Seen(what, O.STRAYED if NetifRsp.OKAY in statuses else O.ERROR, f"answered with {statuses}")
        return
    if front.given_up:
        yield Seen(what, O.DISABLED, front.complaint())
        return
    # It waits, and may go on; or says nothing of having given it up.
    rest = Slots(slots.messages[first:], slots.idents[1:])
    front.put(rest)
    front.follows(front.peer.path, lambda: ring.waiting() >= len(slots.messages) or front.given_up)
    if ring.waiting() < len(slots.messages):
        yield Seen(what, O.DISABLED, front.complaint())
        return
    front.answers(slots)
    found = [frame.data for frame in outcome(front, what)]
    yield Seen(what, O.OKAY if found == [data] else O.STRAYED if found else O.DROPPED)


@CASES.case(
    "NB14",
    "extras that are none, and extras without an end",
    O.OKAY,
    O.ERROR,
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "Never used - invalid",
        source='Linux drivers/net/xen-netback/netback.c, xenvif_get_extras: "Invalid extra type", the vif is given up; '
        "type 5 is its own (XDP)",
    ),
    why="An extra's type chooses a place in an array of extras; one that has another after it, always, is a loop.",
)
def nb14(rig: VifFrontRig) -> Sights:
    """Sends frames with an extra of type 0, 6, 7 and 255, which may not come out, and of 5; and one with as many extras
    as a ring has slots.
    """
    for kind in (0, 5, 6, 7, 255):
        with rig.joined() as front:
            if not front.extras:
                raise Unsupported("it offers nothing for which there are extras")
            data = plain(rig.chance.randbytes(86))
            slots = front.slots(data, extras=[extra(kind)])
            yield from tried(front, f"type {kind}", slots, data if kind == ExtraType.XDP else None)
    with rig.joined() as front:
        endless = [extra(ExtraType.HASH, more=True)] * 255
        yield from tried(front, "255 extras", front.slots(plain(bytes(86)), extras=endless))


@CASES.case(
    "NB19",
    "producer indices that cannot be",
    O.DISABLED,
    O.IGNORED,
    clause=Clause(
        "ring.h",
        "Ill-behaved frontend determination: Can there be this many requests?",
        source='Linux drivers/net/xen-netback/netback.c, xenvif_tx_build_gops: "Impossible number of requests", the '
        "vif is given up; of pages that are posted it takes what it needs, and does not look",
    ),
    why="A backend that believes the index goes round and round in old slots, for as long as the guest wants.",
    risk=Risk.MAY_DISABLE,
)
def nb19(rig: VifFrontRig) -> Sights:
    """Sets ``req_prod`` of either ring further ahead than there are slots, on a new vif each time; nothing may be
    answered, nor go on for ever.
    """
    for name in ("tx", "rx"):
        for ahead in (257, 2**31, 2**32 - 1):
            with rig.joined() as front:
                line = front.queues[0].tx if name == "tx" else front.queues[0].rx
                words = line.ring.words
                answered = words[RSP_PROD]
                words[REQ_PROD] = line.ring.prod + ahead & _MASK
                line.channel.notify()

                def noticed(front: VifFront = front, answered: int = answered, words: memoryview = words) -> bool:
                    return front.given_up or words[RSP_PROD] != answered

                waits.until(front.store, [f"{front.peer.path}/state"], noticed, rig.level.silence)
                moved = words[RSP_PROD] - answered & _MASK
                what = f"{name}, {ahead} ahead"
                if moved:
                    yield Seen(what, O.STRAYED, f"{moved} answers")
                else:
                    yield Seen(what, O.DISABLED if name == "tx" or front.given_up else O.IGNORED)


@CASES.case(
    "NB21",
    "pages that cannot be had, among good ones",
    O.ERROR,
    clause=Clause(
        "netif.h",
        "grant ref: Reference to buffer page.",
        source="Linux drivers/net/xen-netback/netback.c, xenvif_tx_check_gop: an error for that slot",
    ),
    why="A frame of which a part could not be had has something else in its place: what the backend's memory held.",
    risk=Risk.MAY_DISABLE,
)
def nb21(rig: VifFrontRig) -> Sights:
    """Sends frames in three slots, or in one where the backend takes no more, of which one names a page that nobody
    granted, that was granted to another, or that is revoked; that slot is an error, and nothing may come out.
    """
    with rig.joined() as front:
        revoked = front.granted()
        gref = revoked.grefs[0]
        front.extra.remove(revoked)
        revoked.revoke()
        kinds = {
            "that nobody granted": NOBODYS,
            "beyond all": _MASK,
            "of a stranger": front.granted(domid=front.served.stranger).grefs[0],
            "that is revoked": gref,
        }
        for what, bad in kinds.items():
            number = 3 if front.several else 1
            for at in range(number):
                yield from _with_bad(front, f"slot {at} {what}", bad, at, number)


def _with_bad(front: VifFront, what: str, bad: int, at: int, number: int) -> Sights:
    data = plain(front.chance.randbytes(100 * number - 14))
    made = Slots()
    for place in range(number):
        gref = bad if place == at else front.gref(data[place * 100 : place * 100 + 100])
        flags = TxFlag.MORE_DATA if place + 1 < number else 0
        made += front.slot(gref, 100 if place else len(data), flags=flags)
    by_id = {answer.ident: answer.status for answer in front.send(made)}
    statuses = [by_id[ident] for ident in made.idents]
    frames = outcome(front, what)
    if frames:
        yield Seen(what, O.STRAYED, f"statuses {statuses}, and a frame comes out")
    else:
        yield Seen(what, O.ERROR if statuses[at] < 0 else O.STRAYED, f"statuses {statuses}")
