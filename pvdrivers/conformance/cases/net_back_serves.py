"""What a vif's backend does for frontends that behave: channels, queues, slots, sizes."""

from collections.abc import Iterator

from pvdrivers.abi.netif import NetifRsp
from pvdrivers.abi.wire import ETHERNET_SIZE
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, plain
from pvdrivers.conformance.net.front import Slots, VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.subject import BURST, LONGEST
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
#: Bytes in which all headers are: as many as Linux's backend copies first.
_HEADERS = 128
#: Slots that any backend takes for a packet (XEN_NETIF_NR_SLOTS_MIN).
_SLOTS = 18


@CASES.case(
    "NB01",
    "frames and notifications from before the frontend says that it is connected",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "Notifications after enqueuing any type of message should be conditional on the appropriate req_event or "
        "rsp_event field in the shared ring.",
        source="Linux drivers/net/xen-netfront.c, xennet_connect: posts pages and notifies, and says only then that it "
        "is connected",
    ),
    why="What lies in a ring when it is mapped has no notification to come: a backend that waits for one leaves a "
    "guest without network until it sends something else.",
)
def nb01(rig: VifFrontRig) -> Sights:
    """Posts pages, sends a frame and notifies before it publishes anything; both ways are to work once it does."""
    for split in (False, True):
        what = "a channel for each ring" if split else "one channel"
        with rig.plugged() as front:
            front.begin()
            if split and not front.offered("feature-split-event-channels"):
                continue
            nodes = front.nodes(split=split)
            front.post(8)
            early = plain(rig.chance.randbytes(100))
            slots = front.slots(early)
            front.put(slots, notify=True)
            for channel in front.queues[0].channels:
                channel.notify()
            seen = front.publish(nodes)
            if seen.observation is not O.SERVED:
                yield seen._replace(what=what)
                continue
            front.answers(slots)
            yield front.out(f"{what}: the frame that was there", early)
            yield front.received(f"{what}: into pages that were there", Carried(plain(early, to=GUEST, source=FAR)))
            yield front.proves()


@CASES.case(
    "NB03",
    "one channel for both rings, and one for each",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "frontend should allocate two event channels for TX and RX, advertise them to backend as "
        '"event-channel-tx" and "event-channel-rx" respectively.',
    ),
    why="A backend that notifies by the other ring's channel leaves a frontend asleep that looks at one ring alone.",
    seeded=True,
)
def nb03(rig: VifFrontRig) -> Sights:
    """Sends and gets frames, and waits for each ring's own channel; with one for both, and with two where that is
    offered.
    """
    for split in (False, True):
        with rig.plugged() as plugged:
            plugged.begin()
            if split and not plugged.offered("feature-split-event-channels"):
                continue
        with rig.joined(split=split) as front:
            for turn in range(max(3, rig.level.rounds // 30)):
                seen = front.proves()
                if seen.observation is not O.OKAY:
                    yield seen._replace(what=f"turn {turn}, {1 + split} channels")
                    return
            yield Seen(f"{1 + split} channels", O.OKAY)


@CASES.case(
    "NB04",
    "as many queues as are offered, and one with a key that says so",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "Frontends requesting two or more queues must not write the toplevel event-channel (or event-channel-{tx,rx}) "
        'and {tx,rx}-ring-ref keys, instead writing those keys under sub-keys having the name "queue-N" where N is the '
        "integer ID of the queue for which those keys belong. Queues are indexed from zero.",
        source="Linux drivers/net/xen-netfront.c, talk_to_netback: says that it has one queue where it has one, with "
        "the usual keys",
    ),
    why="Each queue has rings of its own; one that is never served holds whatever a guest's processor puts there.",
)
def nb04(rig: VifFrontRig) -> Sights:
    """Connects with one queue and the key for it, and with as many as are offered; sends and gets frames on each."""
    with rig.joined(takes={"multi-queue-num-queues": 1}) as front:
        yield front.proves()._replace(what="one queue that says so")
        most = min(front.offered("multi-queue-max-queues", 1), 16)
    if most > 1:
        with rig.joined(queues=most, split=True) as front:
            for queue in range(most):
                yield front.proves(queue)._replace(what=f"queue {queue} of {most}")


@CASES.case(
    "NB07",
    "frames of all sizes, in as many slots as any backend takes, cut anywhere",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "Any new backend which doesn't negotiate with frontend should expect frontend to send a valid packet using "
        "slots up to this value.",
        source="Linux drivers/net/xen-netback/netback.c, xenvif_get_requests: what a backend takes for headers may lie "
        "in any of them (XSA-423, XSA-432); 6.1.192 :1009, xenvif_tx_build_gops: a first slot of less than Ethernet's "
        "header is an error, of which the header says nothing",
    ),
    why="A backend that takes a frame's headers to be in its first slot reads, or writes, where no frame is.",
    xsa=(423, 432),
    seeded=True,
)
def nb07(rig: VifFrontRig) -> Sights:
    """Sends frames of 14 to 65535 bytes in one to 18 slots, and cuts one within its first 128 bytes at each place; each
    is to come out whole, or to be refused where its first slot has not even all of Ethernet's header. A backend that
    takes one slot alone gets what one has.
    """
    with rig.joined() as front:
        for size in (14, 15, 60, 1514, 4096, *((4097, 65535) if front.several else ())):
            yield front.sent(f"{size} bytes", plain(rig.chance.randbytes(size - 14)))
        if not front.several:
            return
        for slots in range(1, _SLOTS + 1):
            sizes = [rig.chance.randrange(1, 3000) for _ in range(slots - 1)]
            sizes.insert(0, rig.chance.randrange(14, 3000))
            data = plain(rig.chance.randbytes(sum(sizes) - 14))
            yield front.sent(f"{slots} slots", data, front.slots(data, sizes))
        yield from _cut(front)


def _cut(front: VifFront) -> Sights:
    # The worst last: as many slots as there may be, each but the last, or the first, of one byte.
    data = plain(bytes(range(200)))
    cuts = [[at, len(data) - at] for at in range(1, _HEADERS + 1)]
    cuts += [[first] + [1] * (_SLOTS - 2) + [len(data) - first - _SLOTS + 2] for first in (ETHERNET_SIZE, 1)]
    refused = 0
    for begin in range(0, len(cuts), BURST):
        some = {tuple(sizes): front.slots(data, sizes) for sizes in cuts[begin : begin + BURST]}
        by_id = {answer.ident: answer.status for answer in front.send(sum(some.values(), Slots()))}
        for sizes, slots in some.items():
            what = f"slots of {', '.join(map(str, sizes))} bytes"
            statuses = {by_id.get(ident) for ident in slots.idents}
            if statuses == {NetifRsp.OKAY}:
                seen = front.out(what, data)
            elif sizes[0] < ETHERNET_SIZE and NetifRsp.ERROR in statuses:
                refused += 1
                continue
            else:
                seen = Seen(what, O.ERROR, f"statuses {statuses}")
            if seen.observation is not O.OKAY:
                yield seen
                return
    short = f"{refused} are refused, whose first slot has less than Ethernet's header" if refused else ""
    yield Seen(f"{len(cuts)} cuts", O.OKAY, short)


@CASES.case(
    "NB08",
    "slots of no bytes",
    O.OKAY,
    O.ERROR,
    O.DROPPED,
    clause=Clause(
        "netif.h",
        "in a multi-fragment packet the actual size of fragment 1 can only be determined by subtracting the sizes of "
        "fragments 2..N from the total packet size.",
        must=False,
        source="XSA-448: Linux's backend crashed where there was nothing to copy",
    ),
    why="A slot without bytes is nothing to copy; a backend that takes something for granted there has crashed.",
    xsa=(448,),
)
def nb08(rig: VifFrontRig) -> Sights:
    """Sends a frame in four slots of which one, or two, have no bytes, at each place; it is whole or refused."""
    with rig.joined() as front:
        rig.needs(front, "feature-sg")
        for sizes in _with_nothing():
            data = plain(rig.chance.randbytes(sum(sizes) - 14))
            seen = front.sent(f"slots of {', '.join(map(str, sizes))} bytes", data, front.slots(data, sizes))
            yield seen
            if seen.observation is not O.OKAY:
                yield front.proves()


def _with_nothing() -> Iterator[list[int]]:
    for at in range(4):
        yield [0 if place == at else 40 + place for place in range(4)]
    yield from ([0, 60, 0, 0], [60, 0, 0, 0], [0, 0, 0, 60], [60, 0])


@CASES.case(
    "NB32",
    "frames of a larger MTU",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "it is only suitable for informing the frontend that a packet payload >1500 octets is permitted.",
        source="Linux drivers/net/xen-netback/interface.c, xenvif_alloc: an MTU of up to 65535 less Ethernet's header "
        "and a VLAN's tag, with sg",
    ),
    why="A frame that is longer than a page lies on several; what does not get all of them back to back ruins it.",
)
def nb32(rig: VifFrontRig) -> Sights:
    """Sends and gets frames for MTUs of 4000, 9000 and 65517 bytes."""
    with rig.joined() as front:
        rig.needs(front, "feature-sg")
        for mtu in (4000, 9000, LONGEST):
            data = rig.chance.randbytes(mtu)
            yield front.sent(f"MTU {mtu}, sent", plain(data))
            came = Carried(plain(data, to=GUEST, source=FAR))
            yield front.received(f"MTU {mtu}, got", came, pages=_SLOTS)
