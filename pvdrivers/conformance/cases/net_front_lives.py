"""How a vif's frontend lives: what it shows, with backends that are a burden, that go and come, and say odd states."""

from collections.abc import Iterable

from pvdrivers.abi.ring import HEADER, PAGE_SIZE
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.calm import calmed
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.back import VifBack
from pvdrivers.conformance.net.back_rig import VifBackRig
from pvdrivers.conformance.net.back_slots import FEATURES
from pvdrivers.conformance.net.filling import Part
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, plain
from pvdrivers.conformance.observation import Seen, Sights, Unsupported
from pvdrivers.xenbus import Role

CASES = Group(Role.FRONT, "net")


class _Pages:
    # What each page that was named may hold: what its backend has seen there, or zeros.

    def __init__(self, back: VifBack) -> None:
        self._back = back
        self._known: dict[int, bytearray] = {}

    def lies(self, gref: int, offset: int, data: bytes) -> None:
        self._known.setdefault(gref, bytearray(PAGE_SIZE))[offset : offset + len(data)] = data

    def foreign(self, what: str, grefs: Iterable[int]) -> Sights:
        # Of those that are granted: what was answered may be no more.
        for gref in grefs:
            known = self._known.get(gref, bytes(PAGE_SIZE))
            found = self._back.fetch(gref, 0, PAGE_SIZE)
            if found == known or not any(found):
                continue
            if wrong := [at for at in range(PAGE_SIZE) if found[at] not in {0, known[at]}]:
                yield Seen(
                    what, O.FOREIGN, f"byte {wrong[0]} of a page is {found[wrong[0]]:#x}, and {len(wrong) - 1} more"
                )
                return


@CASES.case(
    "NF17",
    "nothing but payload and zeros in what is granted",
    O.CLEAN,
    clause=Clause(
        "netif.h",
        "should deploy whatever measures available to protect from a malicious backend on the other end.",
        source="XSA-403: data beside the payload in a granted page",
    ),
    why="A page has 4096 bytes, whatever of it is payload: the rest is a guest's memory, which its backend reads.",
    xsa=(403,),
    seeded=True,
)
def nf17(rig: VifBackRig) -> Sights:
    """With ``trusted=0``, looks at every byte of every page that is posted or sent, and of the rings', after frames of
    many lengths.
    """
    with rig.plugged(trusted=False) as back:
        back.begun(FEATURES)
        pages, pair = _Pages(back), back.queues[0]
        pair.rx.look()
        posted = {page.gref for page in pair.rx.posted}
        yield from pages.foreign("pages that are posted", posted)
        for size in (1500, 46, 9000, 500, 60000, 47, 1400):
            data = plain(back.chance.randbytes(size))
            back.send(Carried(data))
            _, sent = back.take()
            place = 0
            for slot in sent.slots:
                pages.lies(slot.gref, slot.offset, data[place : place + slot.size])
                place += slot.size
            yield from pages.foreign(f"pages of a frame of {len(data)} bytes", [slot.gref for slot in sent.slots])
            back.answer(sent)
            data = plain(back.chance.randbytes(size % 3000), to=GUEST, source=FAR)
            messages = back.fill([Part(data, 64)])
            posted.discard(pair.rx.last[0].gref)
            back.give(messages)
            if (seen := back.came("a frame that comes", Carried(data))).observation is not O.OKAY:
                yield seen
        yield from pages.foreign("pages after all", posted)
        for name, line in (("tx", pair.tx), ("rx", pair.rx)):
            line.ring.take()
            unused = HEADER.size + line.ring.cons * line.ring.stride
            if line.ring.cons < line.ring.size and any(line.ring.memory[unused:]):
                yield Seen(f"the {name} ring", O.FOREIGN, "slots that were never used are not zeros")
            if any(line.ring.memory[16 : HEADER.size]):
                yield Seen(f"the {name} ring", O.FOREIGN, "its header is padded with something")
        yield Seen("pages", O.CLEAN)


@CASES.case(
    "NF18",
    "events again and again, for nothing",
    O.BOUNDED,
    clause=Clause(
        "ring.h",
        must=False,
        source="XSA-391; Linux delays the end of an interrupt that found nothing",
    ),
    why="A backend that notifies without end keeps its guest's processor, if that listens each time.",
    xsa=(391,),
)
def nf18(rig: VifBackRig) -> Sights:
    """Sends events as often as the level says, then writes its state again and again; waits for the driver to calm down
    and has frames sent.
    """
    with rig.joined() as back:
        for _ in range(rig.level.storm):
            back.queues[0].rx.channel.notify()
        yield calmed("events", back.proves(), back.store, rig.bench, rig.level)
        for _ in range(rig.level.storm // 10):
            back.write({}, S.CONNECTED)
        yield calmed("state", back.proves(), back.store, rig.bench, rig.level)


@CASES.case(
    "NF19",
    "a backend that goes with frames under way, and comes again",
    O.CLOSED,
    O.REOPENED,
    clause=Clause(
        "xenbus.h",
        "Closing: The device is being closed due to an error or an unplug event.",
        must=False,
        source="Linux drivers/net/xen-netfront.c, netback_changed: parts, and begins again only when its own state is "
        "written 1",
    ),
    why="A driver domain that is booted again is a pause to its guests, or the end of their network; what was under "
    "way is lost, and its pages must not be.",
)
def nf19(rig: VifBackRig) -> Sights:
    """Closes by 5 and 6 with frames unanswered and pages posted, and offers again; three times."""
    with rig.joined(FEATURES) as back:
        for turn in range(3):
            for _ in range(4):
                back.send(Carried(plain(back.chance.randbytes(100 * turn + 60))))
            back.take()
            if back.part() not in {S.CLOSED, S.UNKNOWN, S.INITIALISING}:
                yield Seen(f"parting {turn}", O.SILENT, f"it stays in state {back.state().name}")
                return
            yield Seen(f"parting {turn}", O.CLOSED)
            seen = back.again()
            yield seen._replace(what=f"{seen.what} {turn}")
            if seen.observation is not O.REOPENED:
                return


@CASES.case(
    "NF20",
    "a guest that is suspended and resumed, and its vif removed at once",
    O.REOPENED,
    O.CLOSED,
    clause=Clause(
        "xenbus.h",
        must=False,
        source="XSA-465; Linux drivers/net/xen-netfront.c, netfront_resume: lets go of all, and begins anew",
    ),
    why="After a migration a guest's backend is another's: what the frontend had shared with the first is nobody's, "
    "and must be let go of once, not twice.",
    xsa=(465,),
)
def nf20(rig: VifBackRig) -> Sights:
    """Has the guest resumed with frames under way, and offers anew, as the backend of another machine does; has it
    resumed once more, and removes the vif.
    """
    with rig.joined() as back:
        resumed = back.used.resumed
        if resumed is None:
            raise Unsupported("this driver's machine is not suspended here")
        back.send(Carried(plain(bytes(100))))
        back.take()
        for turn in range(2):
            resumed()
            back.part()
            seen = back.again()
            yield seen._replace(what=f"resumed, {turn}")
            if seen.observation is not O.REOPENED:
                return
        resumed()
    # What it had shared is counted after the case.
    yield Seen("removed", O.CLOSED)


@CASES.case(
    "NF21",
    "states of reconfiguration that nobody asked for, under load",
    O.OKAY,
    O.CLOSED,
    clause=Clause(
        "xenbus.h",
        "Reconfiguring: The device is being reconfigured.",
        must=False,
        source="Linux drivers/net/xen-netfront.c, netback_changed: nothing follows from Reconfiguring, nor from "
        "Reconfigured unless xennet_xdp_set waits for it",
    ),
    why="A frontend that changes its headroom waits for its backend's Reconfigured: what comes in no order may leave "
    "it waiting, or take its queues from under it.",
)
def nf21(rig: VifBackRig) -> Sights:
    """Says Reconfigured, Reconfiguring and Connected a hundred times, in other orders, with frames between them."""
    with rig.joined({**FEATURES, "feature-xdp-headroom": 1}) as back:
        for _ in range(min(rig.level.rounds, 100)):
            for state in back.chance.sample([S.RECONFIGURED, S.RECONFIGURING, S.CONNECTED], 3):
                back.write({}, state)
            if back.given_up:
                yield Seen("Reconfigured", O.CLOSED, f"it is in state {back.state().name}")
                return
            if (seen := back.proves()).observation is not O.OKAY:
                yield seen
                return
        yield Seen("frames all along", O.OKAY)
