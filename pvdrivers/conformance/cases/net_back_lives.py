"""How a vif's backend lives: with frontends that part and come again, that die, that begin in the middle."""

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.conformance import waits
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.frames import plain
from pvdrivers.conformance.net.front import Slots, VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.subject import BURST, Vif
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
#: What a frontend may send: so many bytes in so many microseconds; and as many at once as Linux lets it in any case.
_RATE, _AT_ONCE = (65536, 50_000), 131072
#: Times that a frontend parts and comes again, at most.
_CYCLES = 100


@CASES.case(
    "NB31",
    "a bound on what a frontend sends",
    O.BOUNDED,
    clause=Clause(
        "netif.h",
        must=False,
        source="Linux drivers/net/xen-netback/netback.c, tx_credit_exceeded; xenbus.c, xen_net_read_rate: the "
        "toolstack's `rate`, bytes and microseconds",
    ),
    why="A bound that a guest gets around is no bound for whoever shares the wire with it.",
)
def nb31(rig: VifFrontRig) -> Sights:
    """Sends large frames, by a vif that may send 64 KiB in 50 ms, for as long as the level says it is to take; they
    come out no faster than that, and all of them.
    """
    number = 2 + int((rig.level.silence * 1e6 / _RATE[1] * _RATE[0] + _AT_ONCE) / 60000)
    with rig.joined(Vif(rate=_RATE)) as front:
        data = plain(rig.chance.randbytes(59986))
        began = waits.now()
        for at in range(number):
            seen = front.sent(f"frame {at}", data)
            if seen.observation is not O.OKAY:
                yield seen
                return
        took = waits.now() - began
        least = 0.9 * (number * len(data) - _AT_ONCE) / _RATE[0] * _RATE[1] / 1e6
        detail = f"{number * len(data)} bytes in {took:.2f} s, and they may be sent in {least:.2f} s"
        yield Seen("all of them", O.BOUNDED if took >= least else O.UNBOUNDED, detail)


@CASES.case(
    "NB33",
    "a frontend parts and comes again, with frames under way, and dies",
    O.CLOSED,
    O.REOPENED,
    clause=Clause(
        "xenbus.h",
        "Closing: The device is being closed due to an error or an unplug event.",
        source="Linux drivers/net/xen-netback/xenbus.c, frontend_changed; win-xenvif begins by parting, and waits "
        "for 5, 6 and 2; XSA-424: what was under way is let go of",
    ),
    why="Windows' frontend parts before it connects at all: a backend that skips a state, or stays in one, hangs it.",
    xsa=(424,),
)
def nb33(rig: VifFrontRig) -> Sights:
    """Closes by 5 and 6, begins anew by 1 and is served again, at first before it was ever connected, then with frames
    and pages in the rings; then dies, and the toolstack removes the vif.
    """
    with rig.plugged() as front:
        front.begin()
        for turn in range(1 + min(_CYCLES, max(3, rig.level.rounds // 100))):
            if turn:
                _busy(front)
            state = front.part()
            wanted = {S.CLOSED} if turn else {S.CLOSED, S.INIT_WAIT}
            if state not in wanted:
                yield Seen(f"parting {turn}", O.SILENT, f"it stays in state {state.name}")
                return
            yield Seen(f"parting {turn}", O.CLOSED)
            front.drop()
            front.write({"multi-queue-num-queues": None}, S.INITIALISING)
            front.begin()
            seen = front.publish(front.nodes(split=False))
            if seen.observation is not O.SERVED:
                yield Seen(f"coming again {turn}", O.SILENT, seen.detail or seen.observation.says)
                return
            while front.served.far.receive(0.0):
                # Of what was under way, some may have come out.
                pass
            proof = front.proves()
            yield Seen(f"coming again {turn}", O.REOPENED) if proof.observation is O.OKAY else proof
    with rig.joined() as front:
        _busy(front)
        front.die()
    # What it held is counted after the case.
    yield Seen("dying", O.CLOSED)


def _busy(front: VifFront) -> None:
    front.post(30)
    front.put(sum((front.slots(plain(bytes(3000))) for _ in range(BURST)), Slots()))


@CASES.case(
    "NB34",
    "rings that begin in the middle",
    O.OKAY,
    O.REFUSED,
    O.WAITS,
    O.LOST,
    O.DISABLED,
    clause=Clause(
        "ring.h",
        must=False,
        source="Linux drivers/net/xen-netback/netback.c, xenvif_map_frontend_data_rings: goes on where the responses "
        "end (RING_ATTACH), unless there are more requests than slots; others begin at 0",
    ),
    why="A guest that saves, loads or replaces its kernel has rings whose indices are anywhere: a backend that begins "
    "elsewhere answers what nobody asked.",
)
def nb34(rig: VifFrontRig) -> Sights:
    """Publishes rings whose indices are about to wrap, with frames and pages in them; and one with more requests than
    slots, which is to be refused.
    """
    with rig.plugged() as front:
        front.begin()
        nodes = front.nodes()
        (pair,) = front.queues
        for line in (pair.tx, pair.rx):
            line.ring.attach(2**32 - 2)
        front.post(3)
        frames = [plain(rig.chance.randbytes(60)) for _ in range(3)]
        slots = [front.slots(data) for data in frames]
        for each in slots:
            front.put(each, notify=False)
        seen = front.publish(nodes)
        if seen.observation is not O.SERVED:
            yield seen._replace(what="about to wrap")
        else:
            front.answers(sum(slots, Slots()))
            for at, data in enumerate(frames):
                yield front.out(f"frame {at}", data)
            yield front.proves()
    with rig.plugged() as front:
        front.begin()
        nodes = front.nodes()
        front.queues[0].tx.ring.words[0] = 1000
        seen = front.publish(nodes)
        answered = front.queues[0].tx.ring.words[2]
        if seen.observation is O.SERVED and answered:
            yield Seen("more requests than slots", O.STRAYED, f"{answered} answers")
        elif seen.observation is O.SERVED:
            yield Seen("more requests than slots", O.DISABLED)
        else:
            yield seen._replace(what="more requests than slots")
