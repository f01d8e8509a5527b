"""How a disk's frontend lives: with disks that cannot be, backends that go and come, and those that are a burden."""

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.conformance import waits
from pvdrivers.conformance.block.back import PLAIN
from pvdrivers.conformance.block.back_rig import BlockBackRig
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.calm import calmed
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.FRONT, "block")


@CASES.case(
    "BF11",
    "disks that cannot be: sizes of nothing, and beyond all bounds",
    O.REFUSED,
    O.WAITS,
    O.SERVED,
    clause=Clause(
        "blkif.h",
        "This must be a power of two with a minimum value of 512.",
        must=False,
        source="Linux drivers/block/xen-blkfront.c, blkfront_connect: what becomes of such sizes differs by version",
    ),
    why="A guest divides by the sector size, and allocates by the number of sectors.",
    risk=Risk.MAY_CRASH,
)
def bf11(rig: BlockBackRig) -> Sights:
    """Says that the disk has no sectors, or 2^64 - 1; that a sector has 0, 513 or 2^31 bytes; or says none of both."""
    wrong: dict[str, Nodes] = {
        "0 sectors": {"sectors": 0},
        "2^64 - 1 sectors": {"sectors": 2**64 - 1},
        "sectors that are no number": {"sectors": "many"},
        "no sectors": {"sectors": None},
        "sectors of 0 bytes": {"sector-size": 0},
        "sectors of 513 bytes": {"sector-size": 513},
        "sectors of 2^31 bytes": {"sector-size": 2**31},
    }
    for what, nodes in wrong.items():
        with rig.plugged() as back:
            if back.offer({}) is not S.INITIALISED:
                yield Seen(what, O.SILENT, "it does not publish anything")
                return
            back.join()
            there: Nodes = {name: value for name, value in {**PLAIN, **nodes}.items() if value is not None}
            back.write(there, S.CONNECTED)
            paths = [f"{back.peer.path}/state"]
            waits.until(
                back.store,
                paths,
                lambda back=back: back.state() is not S.INITIALISED or back.complaint() != "",  # type: ignore[misc] # a lambda's default
                rig.level.silence,
            )
            refused = back.state() in {S.CLOSING, S.CLOSED, S.INITIALISING} or back.complaint()
            served = O.SERVED if back.state() is S.CONNECTED else O.WAITS
            yield Seen(what, O.REFUSED if refused else served, back.complaint())


@CASES.case(
    "BF15",
    "a backend that goes, and comes again",
    O.REOPENED,
    O.CLOSED,
    O.OKAY,
    O.ERROR,
    clause=Clause(
        "xenbus.h",
        "Closing: The device is being closed due to an error or an unplug event.",
        must=False,
        source="pvdrivers/xenbus.py, FRONT; Linux's begins again only when its own state is written 1",
    ),
    why="A driver domain that is booted again, or a daemon that is updated, is a pause to its guests, or the end of "
    "their disks.",
)
def bf15(rig: BlockBackRig) -> Sights:
    """Closes with a request unanswered, offers again, and serves; whatever the frontend does, no data may be wrong."""
    with rig.joined() as back:
        data = back.chance.randbytes(4096)
        back.policy = lambda _: None
        future = back.start(BlkifOp.WRITE, 4096, 4096, data)
        back.asked_something(back.requests, 2)
        back.write({}, S.CLOSING)
        back.await_state(S.CLOSING, S.CLOSED)
        back.drop()
        back.policy = back.done
        back.write({}, S.CLOSED)
        if back.await_state(S.INITIALISING, seconds=rig.level.silence + 5) is not S.INITIALISING:
            yield Seen("coming again", O.CLOSED, f"it stays in state {back.state().name}")
            return
        state = back.offer({})
        if state is not S.INITIALISED:
            yield Seen("coming again", O.CLOSED, f"it is in state {state.name}")
            return
        back.join()
        back.connect(dict(PLAIN))
        yield Seen("coming again", O.REOPENED)
        seen = back.outcome("what was not answered", future)
        right = bytes(back.disk[4096:8192]) == data
        if seen.observation is O.WRONG_DATA:
            seen = Seen(seen.what, O.OKAY if right else O.WRONG_DATA)
        yield seen
        yield back.read(8)


@CASES.case(
    "BF16",
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
def bf16(rig: BlockBackRig) -> Sights:
    """Sends events as often as the level says, then writes its state again and again; waits for the driver to calm down
    and has it read.
    """
    with rig.joined() as back:
        for _ in range(rig.level.storm):
            back.queues[0].channel.notify()
        yield calmed("events", back.read(16), back.store, rig.bench, rig.level)
        for _ in range(rig.level.storm // 10):
            back.write({}, S.CONNECTED)
        yield calmed("state", back.read(16), back.store, rig.bench, rig.level)
