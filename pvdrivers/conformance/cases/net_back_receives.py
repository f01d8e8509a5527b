"""What comes to a frontend: in which slots, in whose pages, and what becomes of it where there are none."""

from pvdrivers.abi.netif import EXTRA_XDP, ExtraType, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance import waits
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.net_trying import NOBODYS
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, packet, plain
from pvdrivers.conformance.net.front import VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.subject import BURST, LONGEST
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
#: Slots that any frontend that takes several has for a packet.
_SLOTS = 18
#: Bytes that Linux's frontend wants free for XDP.
_HEADROOM = 256


def _to_guest(payload: bytes) -> Carried:
    return Carried(plain(payload, to=GUEST, source=FAR))


@CASES.case(
    "NB22",
    "posted pages that cannot be had, among good ones",
    O.ERROR,
    clause=Clause(
        "netif.h",
        "-ve: NETIF_RSP_*; +ve: Rx'ed pkt size.",
        source="Linux drivers/net/xen-netback/rx.c, xenvif_rx_copy_flush: the copy's own status",
    ),
    why="A frame that is said to have come, in a page that nobody wrote to, is what lay there before.",
    risk=Risk.MAY_DISABLE,
)
def nb22(rig: VifFrontRig) -> Sights:
    """Posts pages that nobody granted, that were granted to another, that cannot be written to, or that are revoked:
    alone, and as the second of three; a frame into them fails, and the next one comes.
    """
    with rig.joined() as front:
        revoked = front.granted(writable=True)
        gref = revoked.grefs[0]
        front.extra.remove(revoked)
        revoked.revoke()
        kinds = {
            "that nobody granted": NOBODYS,
            "of a stranger": front.granted(domid=front.served.stranger, writable=True).grefs[0],
            "that cannot be written to": front.granted().grefs[0],
            "that is revoked": gref,
        }
        for kind, bad in kinds.items():
            for before, length in ((0, 100), (1, 9000)) if front.several else ((0, 100),):
                what = f"a page {kind}, slot {before}"
                rx = front.queues[0].rx
                for at in range(3 if length > PAGE_SIZE else 1):
                    rx.post_gref(bad) if at == before else rx.post()
                front.served.far.send(_to_guest(bytes(length)))
                came = front.come()
                yield Seen(what, O.ERROR) if came.failed else Seen(what, O.STRAYED, "a frame comes in it")
                yield from _next(front, what)


def _next(front: VifFront, what: str) -> Sights:
    after = front.proves()
    if after.observation is not O.OKAY:
        yield after._replace(what=f"after {what}")


@CASES.case(
    "NB23",
    "response i answers request i, extras too",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "Instead it assumes that responses always appear in the same ring slot as their corresponding request. Thus, "
        "to maintain compatibility, backends must make sure this is the case.",
    ),
    why="Frontends go by slots, since an extra has no id: one answer elsewhere, and all frames are in others' pages.",
    seeded=True,
)
def nb23(rig: VifFrontRig) -> Sights:
    """Lets frames of one to 16 slots come in, some to be cut and so with an extra, several at once, round the ring
    again and again; each slot has its own request's id, and each frame is whole.
    """
    with rig.joined() as front:
        for turn in range(max(4, rig.level.rounds // 10)):
            make = _any if front.several else _short
            frames = [make(rig) for _ in range(rig.chance.randrange(1, 4))]
            front.post(60)
            for frame in frames:
                front.served.far.send(frame)
            for frame in frames:
                came = front.come()
                if came.data != frame.data or came.failed:
                    yield Seen(f"turn {turn}", O.WRONG_DATA, f"{len(came.data)} bytes come, of {len(frame.data)}")
                    return
        yield Seen("all turns", O.OKAY)


def _short(rig: VifFrontRig) -> Carried:
    # For a backend that has one page for a frame.
    return _to_guest(rig.chance.randbytes(rig.chance.choice((46, 500, 1500))))


def _any(rig: VifFrontRig) -> Carried:
    if rig.chance.random() < 0.4:
        payload = rig.chance.randbytes(rig.chance.randrange(3000, 60000))
        return packet(4, IpProtocol.TCP, payload, to_guest=True).carried(1448)
    return _to_guest(rig.chance.randbytes(rig.chance.choice((46, 1500, 4082, 4083, 9000, 20000))))


@CASES.case(
    "NB26",
    "a frontend without pages for what comes, and then with few",
    O.OKAY,
    O.DROPPED,
    clause=Clause(
        "netif.h",
        "Notifications after enqueuing any type of message should be conditional on the appropriate req_event or "
        "rsp_event field in the shared ring.",
        source="XSA-391, XSA-392: what waits is bounded; Linux drivers/net/xen-netback/rx.c, "
        "xenvif_rx_queue_stalled: a frontend that takes nothing for a minute has no link until it takes something",
    ),
    why="A queue that stopped since it had no pages, and does not look again, is a guest that hears nothing any more.",
    xsa=(391, 392),
)
def nb26(rig: VifFrontRig) -> Sights:
    """Lets frames come in while there are no pages, as long as the level says, sends meanwhile, then posts one page at
    a time, and at last as many as the longest frame needs.
    """
    with rig.joined() as front:
        sent = [plain(bytes([at]) * 60, to=GUEST, source=FAR) for at in range(BURST)]
        for data in sent:
            front.served.far.send(Carried(data))
        # Nothing is to happen.
        waits.until(front.store, [], lambda: False, rig.level.silence)
        data = plain(rig.chance.randbytes(100))
        yield front.sent("what is sent meanwhile", data)
        last = _to_guest(rig.chance.randbytes(60))
        came: list[bytes] = []
        asked = False
        while not came or came[-1] != last.data:
            if len(came) > BURST:
                yield Seen("one page at a time", O.STRAYED, "more frames come than were sent")
                return
            front.post()
            # What waited too long is gone: then the first page has this one.
            asked = asked or front.served.far.send(last)
            came.append(front.come().data)
        kept = [data for data in sent if data in came]
        if came[:-1] != kept:
            yield Seen(
                "one page at a time", O.UNORDERED, f"{len(came) - 1} frames come of {len(sent)}, in another order"
            )
        yield Seen("one page at a time", O.OKAY if kept == sent else O.DROPPED, f"{len(kept)} of {len(sent)} come")
        front.post(_SLOTS + 1)
        yield front.received("the longest", _to_guest(rig.chance.randbytes(LONGEST if front.several else 1500)))
        yield front.proves()


@CASES.case(
    "NB27",
    "a frontend that does not tell when it posts pages",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "Otherwise the backend will assume that it cannot safely queue packets (as it may not be kicked to send them).",
        source="Linux drivers/net/xen-netback/xenbus.c, read_xenbus_vif_flags: frames wait 30 ms for such a frontend",
    ),
    why="A backend that waits for a notification which never comes leaves an old guest without network.",
)
def nb27(rig: VifFrontRig) -> Sights:
    """Posts pages without a notification, and lets frames come in; then one that finds no page, and one that does."""
    with rig.joined(takes={"feature-rx-notify": 0}) as front:
        rx = front.queues[0].rx
        for turn in range(5):
            rx.post(notify=False)
            frame = _to_guest(rig.chance.randbytes(100))
            front.served.far.send(frame)
            came = front.come()
            yield Seen(f"frame {turn}", O.OKAY if came.data == frame.data else O.WRONG_DATA)
        first, second = _to_guest(bytes(60)), _to_guest(bytes(61))
        front.served.far.send(first)
        waits.until(front.store, [], lambda: False, rig.level.silence)
        rx.post(2, notify=False)
        front.served.far.send(second)
        came = front.come()
        if came.data == first.data:
            came = front.come()
        yield Seen("one behind one without a page", O.OKAY if came.data == second.data else O.WRONG_DATA)


@CASES.case(
    "NB30",
    "room left free for XDP, and few pages",
    O.OKAY,
    needs=("feature-xdp-headroom",),
    clause=Clause(
        "ring.h",
        "Ill-behaved backend determination: Can there be this many responses?",
        source="Linux drivers/net/xen-netback/rx.c",
    ),
    why="A backend that counts a frame's pages without what is left free in each answers requests that are not there.",
)
def nb30(rig: VifFrontRig) -> Sights:
    """Has 256 bytes left free in each page, and lets frames come in for which there are too few pages: none is answered
    that is not posted; with enough, they are whole.
    """
    rig.offers("feature-xdp-headroom")
    with rig.plugged() as front:
        front.takes["xdp-headroom"] = _HEADROOM
        front.begin()
        seen = front.publish(front.nodes())
        if seen.observation is not O.SERVED:
            yield seen
            return
        rx = front.queues[0].rx
        for length in (46, 1500, 3840, 3841, 8192, 12000, 60000):
            needed = -(-(length + 14) // (PAGE_SIZE - _HEADROOM)) + 1
            frame = _to_guest(rig.chance.randbytes(length))
            rx.post(needed - 1)
            front.served.far.send(frame)
            # Whatever lies there already is not more than was posted, or this notices.
            waits.until(front.store, [], lambda: rx.ring.waiting() > 0, rig.level.silence / 10)
            rx.post()
            yield _with_headroom(front, f"{length} bytes", frame.data)
            front.queues[0].rx.ring.waiting()


def _with_headroom(front: VifFront, what: str, data: bytes) -> Seen:
    came = front.come()
    extras = [each for each in came.extras if each[0] == ExtraType.XDP]
    if not came.flags & RxFlag.EXTRA_INFO or not extras:
        return Seen(what, O.MISLED, "nothing is said of the room left free")
    if EXTRA_XDP.struct.unpack(extras[0])[2] != _HEADROOM:
        return Seen(what, O.MISLED, f"{EXTRA_XDP.struct.unpack(extras[0])[2]} bytes are said to be free")
    # Linux's says where its page begins, and counts what is free.
    right = came.data == data or (not came.offsets[0] and came.data[_HEADROOM:] == data)
    return Seen(what, O.OKAY if right else O.WRONG_DATA, "" if right else f"{len(came.data)} bytes of {len(data)}")
