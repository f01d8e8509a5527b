"""How a disk's backend lives: with frontends that are a burden, that die, that part and come again."""

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.calm import calmed
from pvdrivers.conformance.cases.words import READ, O
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")


@CASES.case(
    "BB26",
    "state written and events sent again and again, for nothing",
    O.BOUNDED,
    clause=Clause(
        "ring.h",
        must=False,
        source="XSA-349: watches that pile up; XSA-332: events that keep a processor busy; Linux delays the end of its "
        "interrupt",
    ),
    why="A guest pays nothing for an event or a write to its own node; dom0 pays for each.",
    xsa=(332, 349),
)
def bb26(rig: BlockFrontRig) -> Sights:
    """Writes its state and sends events as often as the level says; then waits for the driver to calm down, and asks a
    request.
    """
    with rig.joined() as front:
        for _ in range(rig.level.storm):
            front.queues[0].channel.notify()
        yield calmed("events", front.read(16, 0), front.store, rig.bench, rig.level)
        for _ in range(rig.level.storm // 10):
            front.write({}, S.CONNECTED)
        yield calmed("state", front.read(16, 0), front.store, rig.bench, rig.level)


@CASES.case(
    "BB27",
    "a frontend parts, comes again, and dies with requests under way",
    O.CLOSED,
    O.REOPENED,
    clause=Clause(
        "xenbus.h",
        "Closing: The device is being closed due to an error or an unplug event.",
        source="Linux drivers/block/xen-blkback/xenbus.c, frontend_changed: Closing and Closed are followed, and a "
        "frontend that begins again is offered again; XSA-374: what was under way is let go of",
    ),
    why="A guest that is shut down, crashes or runs kexec parts in its own ways; what its backend does not let go of "
    "is lost to dom0 until it is booted again.",
    xsa=(374,),
)
def bb27(rig: BlockFrontRig) -> Sights:
    """Closes by 5 and 6, begins anew by 1 and is served again; does so with requests under way; then dies with a full
    ring, and the toolstack removes the device.
    """
    with rig.joined() as front:
        for turn in range(3):
            if turn:
                front.put(*(front.direct(READ, each, 8 * each, front.segments(each)) for each in range(32)))
            state = front.part()
            if state is not S.CLOSED:
                yield Seen(f"parting {turn}", O.SILENT, f"it stays in state {state.name}")
                return
            yield Seen(f"parting {turn}", O.CLOSED)
            seen = front.again(rig.level.deadline)
            if seen.observation is O.CLOSED:
                # Its own word is that it is closed, and its toolstack's that it is there: nobody can use it any more.
                seen = seen._replace(observation=O.SILENT)
            yield seen._replace(what=f"{seen.what} {turn}")
            if seen.observation is not O.REOPENED:
                return
    with rig.joined() as front:
        front.put(*(front.direct(READ, each, 8 * each, front.segments(each)) for each in range(32)))
        front.die()
    # What it held is counted after the case.
    yield Seen("dying", O.CLOSED)
