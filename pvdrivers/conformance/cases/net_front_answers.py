"""What a vif's frontend does with answers that are errors, of nobody, too late, or while its pages are still used."""

from collections.abc import Callable

from pvdrivers.abi.netif import NetifRsp
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.back import VifBack
from pvdrivers.conformance.net.back_rig import VifBackRig
from pvdrivers.conformance.net.filling import Part
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, plain
from pvdrivers.conformance.net.sent import Sent
from pvdrivers.conformance.net.subject import BURST
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.transport.base import Mapping
from pvdrivers.xenbus import Role

CASES = Group(Role.FRONT, "net")
_MASK = 0xFFFFFFFF
OKAY = int(NetifRsp.OKAY)
#: Frames, of one slot each: more than a ring has.
_MANY = 280
#: As many are under way at once where more go by than it has pages.
_SOME = 30


def _frame(back: VifBack, size: int = 100, *, comes: bool = False) -> bytes:
    data = back.chance.randbytes(size)
    return plain(data, to=GUEST, source=FAR) if comes else plain(data)


@CASES.case(
    "NF10",
    "producer indices that cannot be",
    O.DISABLED,
    O.IGNORED,
    clause=Clause(
        "ring.h",
        "Ill-behaved backend determination: Can there be this many responses?",
        source='XSA-376; Linux drivers/net/xen-netfront.c, xennet_poll and xennet_tx_buf_gc: "illegal number of '
        'responses", "rsp_prod going backwards"',
    ),
    why="A frontend that believes the index takes its own old requests for answers, round and round.",
    xsa=(376,),
    risk=Risk.MAY_DISABLE,
)
def nf10(rig: VifBackRig) -> Sights:
    """Sets ``rsp_prod`` of either ring further ahead than there are requests, and backwards."""
    for name in ("tx", "rx"):
        for ahead in (257, 2**31, 2**32 - 1):
            with rig.joined() as back:
                pair, what = back.queues[0], f"{name}, {ahead} ahead"
                line = pair.tx if name == "tx" else pair.rx
                right = line.ring.prod
                line.ring.prod = right + ahead & _MASK
                line.put(notify=True)
                if back.follows(back.peer.path, lambda back=back: back.given_up):  # type: ignore[misc] # a lambda's default
                    yield Seen(what, O.DISABLED, back.complaint())
                    continue
                line.ring.prod = right
                line.put(notify=True)
                seen = _ignored(back.after(what))
                yield seen
                if seen.observation is O.SILENT:
                    return


def _ignored(seen: Seen) -> Seen:
    # What went well after something that was wrong.
    return seen._replace(observation=O.IGNORED) if seen.observation is O.OKAY else seen


@CASES.case(
    "NF11",
    "pages that are answered while they are mapped still, and written to when the vif is another's",
    O.HELD,
    O.DISABLED,
    clause=Clause(
        "ring.h",
        must=False,
        source='XSA-396; Linux drivers/net/xen-netfront.c, xennet_get_responses and xennet_tx_buf_gc: "Grant still in '
        'use by backend domain" ends the vif',
    ),
    why="A page that a backend still has is not the frontend's to give to others: what is there is seen by it, and "
    "changes under them.",
    xsa=(396,),
    risk=Risk.MAY_CRASH,
)
def nf11(rig: VifBackRig) -> Sights:
    """Maps a page that is posted, or one that is sent, answers, parts, and has another backend's frames go by; the page
    may show nothing of those, and what its user has got stays.
    """
    for what, answered in (("a page that is posted", _answered_posted), ("a page that is sent", _answered_sent)):
        with rig.joined() as back:
            mapping, seen = answered(back)
            if seen.observation is not O.OKAY:
                yield seen._replace(what=what)
            back.part()
            kept = bytes(mapping.memory)
            if back.again().observation is O.REOPENED:
                for _ in range(BURST):
                    seen = back.proves()
            if bytes(mapping.memory) != kept:
                yield Seen(what, O.KEPT, "what others send is seen there")
            elif seen.observation is O.OKAY:
                yield Seen(what, O.HELD)
            mapping.unmap()


def _answered_posted(back: VifBack) -> tuple[Mapping, Seen]:
    # What its user has got stays when the page is written to: it is nobody's, now that its backend has left it.
    data = _frame(back, comes=True)
    messages = back.fill([Part(data)])
    mapping = back.used.transport.map(back.used.spot.domid, [back.queues[0].rx.last[0].gref])
    back.give(messages)
    came = back.came("a frame that comes", Carried(data))
    mapping.memory[:] = bytes([0xEE]) * len(mapping.memory)
    return mapping, came


def _answered_sent(back: VifBack) -> tuple[Mapping, Seen]:
    back.send(Carried(_frame(back)))
    _, sent = back.take()
    mapping = back.used.transport.map(back.used.spot.domid, [sent.slots[0].gref], writable=False)
    back.answer(sent)
    return mapping, back.after("what is sent behind it")


#: What is wrong with the answer to the first of some frames: ids and statuses instead of it, by all frames' ids.
_ANSWERS: dict[str, Callable[[list[int]], list[tuple[int, int]]]] = {
    "an id beyond the ring": lambda idents: [(idents[0] + 256 & 0xFFFF, OKAY)],
    "an id that is none": lambda _: [(0xFFFF, OKAY)],
    "an id that nobody asked": lambda idents: [(next(each for each in range(256) if each not in idents), OKAY)],
    "an id twice": lambda idents: [(idents[0], OKAY)] * 2,
    "an id twice, of an error": lambda idents: [(idents[0], status) for status in (0, -1)],
}


@CASES.case(
    "NF12",
    "answers to what nobody has sent, and answers twice",
    O.DISABLED,
    O.IGNORED,
    clause=Clause(
        "netif.h",
        "id: request identifier, echoed in response.",
        source="Linux drivers/net/xen-netfront.c, xennet_tx_buf_gc: an id that is none, or not pending, ends the vif",
    ),
    why="An id is an index into a frontend's own tables: a page that is given back twice is two frames' at once.",
    risk=Risk.MAY_CRASH,
)
def nf12(rig: VifBackRig) -> Sights:
    """Answers with ids that are none, beyond the ring, or of nobody; and answers one frame twice, other slots being
    unanswered, so that the ring has room for it.
    """
    for what, answers in _ANSWERS.items():
        with rig.joined() as back:
            for _ in range(4):
                back.send(Carried(_frame(back)))
            sent = [back.take()[1] for _ in range(4)]
            wrong = answers([each.slots[0].ident for each in sent])
            for ident, status in wrong:
                back.answer_slot(ident, status)
            for each in sent[len(wrong) :]:
                back.answer(each)
            # A page too many is missed, or somebody else's, once there are more frames than it has pages.
            for _ in range(40):
                seen = back.after(what)
                if seen.observation is not O.OKAY:
                    break
            yield _ignored(seen)


@CASES.case(
    "NF13",
    "answers that are errors, statuses that there are not, and none for what wants one",
    O.OKAY,
    O.IGNORED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "status: NETIF_RSP_*",
        must=False,
        source="Linux drivers/net/xen-netfront.c, xennet_tx_buf_gc: a status of NULL is passed over, and that slot is "
        "never free again",
    ),
    why="A status is a number that a backend chooses; a frame that was not sent is no reason to stop.",
)
def nf13(rig: VifBackRig) -> Sights:
    """Answers frames with -1, -2, 5 and -32768, and with NULL, which is for extras; more frames follow, on a new vif if
    that is the end of one.
    """
    statuses = [-1, -2, 5, -32768, int(NetifRsp.NULL)]
    while statuses:
        with rig.joined() as back:
            while statuses and not back.given_up:
                yield _answered(back, statuses.pop(0))


def _answered(back: VifBack, status: int) -> Seen:
    # More than it has pages, if what was not sent does not come back; of NULL it is known that a slot does not.
    for _ in range(1 if status == NetifRsp.NULL else 10):
        for _ in range(_SOME):
            back.send(Carried(_frame(back)))
        for _, sent in [back.take() for _ in range(_SOME)]:
            back.answer(sent, status=status)
    return _ignored(back.after(f"status {status}"))


@CASES.case(
    "NF14",
    "ids of what is received that are none: the slot counts",
    O.OKAY,
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "Instead it assumes that responses always appear in the same ring slot as their corresponding request.",
        must=False,
        source="Linux drivers/net/xen-netfront.c, xennet_get_responses: takes the slot's page, whatever the id",
    ),
    why="A frontend that looks up its page by the id reads the page that a backend names: another frame's.",
    risk=Risk.MAY_DISABLE,
)
def nf14(rig: VifBackRig) -> Sights:
    """Fills the pages in their order, and answers with each other's ids, and with such as are none."""
    with rig.joined() as back:
        for _ in range(40):
            frames = [_frame(back, comes=True) for _ in range(4)]
            messages = [message for frame in frames for message in back.fill([Part(frame)])]
            idents = [message[:2] for message in messages]
            others = [*idents[1:3], b"\xff\xff", (0x8000).to_bytes(2, "little")]
            back.give([other + message[2:] for other, message in zip(others, messages, strict=True)])
            for frame in frames:
                seen = back.came("ids of others", Carried(frame))
                if seen.observation is not O.OKAY:
                    break
            if seen.observation is not O.OKAY:
                break
        yield seen


@CASES.case(
    "NF15",
    "frames that are not answered for long, and then in no order",
    O.OKAY,
    clause=Clause(
        "netif.h",
        must=False,
        source="Linux drivers/net/xen-netfront.c: has no limit of its own but its queue's watchdog, which only warns",
    ),
    why="A backend may be slow, and a page is its to read until it has answered: a frontend that writes its next "
    "frame there sends that twice, and the first never.",
    seeded=True,
)
def nf15(rig: VifBackRig) -> Sights:
    """Takes frames without an answer, more than the ring has slots, for as long as the level's silence; looks at all of
    them then, answers them in any order, and has more sent.
    """
    with rig.joined() as back:
        frames = [_frame(back, 50 + number % 200) for number in range(_MANY)]
        sent: list[Sent] = []
        ring = back.queues[0].tx.ring
        for frame in frames:
            back.send(Carried(frame))
            while ring.waiting():
                sent.append(back.take()[1])
        back.follows(back.peer.path, lambda: back.given_up, rig.level.silence)
        while ring.waiting():
            sent.append(back.take()[1])
        wrong = sum(back.data(each) != frame for each, frame in zip(sent, frames, strict=False))
        what = "frames that are not answered"
        yield Seen(what, O.WRONG_DATA, f"{wrong} of {len(sent)} are others") if wrong else Seen(what, O.OKAY)
        back.chance.shuffle(sent)
        for each in sent:
            back.answer(each)
        for frame in frames[len(sent) :]:
            _, each = back.take()
            if back.data(each) != frame:
                yield Seen("frames that waited for answers", O.WRONG_DATA)
            back.answer(each)
        yield back.after("frames behind late answers")


@CASES.case(
    "NF16",
    "notified of nothing, and then of all; notified where it asked to be",
    O.OKAY,
    clause=Clause(
        "netif.h",
        "Notifications after enqueuing any type of message should be conditional on the appropriate req_event or "
        "rsp_event field in the shared ring.",
    ),
    why="A frontend that does not ask to be notified, or not for what came meanwhile, sleeps on what it was to get.",
)
def nf16(rig: VifBackRig) -> Sights:
    """Answers and passes frames on without a notification, and gives one for all of them; then notifies just where the
    frontend asks for it, one frame at a time.
    """
    with rig.joined() as back:
        back.send(Carried(_frame(back)))
        _, sent = back.take()
        frames = [_frame(back, comes=True) for _ in range(BURST)]
        messages = [message for frame in frames for message in back.fill([Part(frame)])]
        for message in messages:
            back.give([message], notify=False)
        back.answer_slot(sent.slots[0].ident, OKAY, notify=False)
        back.queues[0].rx.channel.notify()
        yield from (back.came("frames that come at once", Carried(frame)) for frame in frames)
        for number in range(min(rig.level.rounds, 1000)):
            seen = back.received("frames one at a time", Carried(_frame(back, comes=True)))
            if seen.observation is O.OKAY and number % 8 == 0:
                seen = back.sent("frames that are sent between them", Carried(_frame(back)))
            if seen.observation is not O.OKAY:
                yield seen
                return
        yield Seen("frames one at a time", O.OKAY)
