"""Each state of a peer after each other: one family of cases for drivers of every kind; a case is the state before.

Law: a driver may make what it likes of a state that says nothing to it. It may not be what its role never is, connected
to who has published nothing, or past parting.

Ref: xen/include/public/io/xenbus.h; Linux: drivers/block/xen-blkback/xenbus.c (``frontend_changed``),
drivers/block/xen-blkfront.c (``blkback_changed``), drivers/net/xen-netback/xenbus.c (``frontend_changed``),
drivers/net/xen-netfront.c (``netback_changed``)
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from random import Random
from typing import Protocol

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.half import BackHalf, FrontHalf
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Noticed, Seen, Sights
from pvdrivers.xenbus import Role


class HalfRig(Protocol):
    """A rig, as far as these cases need one."""

    level: Level
    chance: Random

    def plugged(self) -> AbstractContextManager[FrontHalf | BackHalf]:
        """Have a device, and a half that has done nothing yet."""
        ...


#: What a driver can be, by its role: a node that is gone, too.
OWN: Mapping[Role, frozenset[S]] = {
    Role.BACK: frozenset(S) - {S.INITIALISED, S.RECONFIGURING},
    Role.FRONT: frozenset(S) - {S.INIT_WAIT, S.RECONFIGURED},
}
#: What it comes to when its peer parts.
PARTED: Mapping[S, frozenset[S]] = {
    S.CLOSING: frozenset({S.CLOSING, S.CLOSED, S.UNKNOWN, S.INITIALISING}),
    # What has closed may offer itself again.
    S.CLOSED: frozenset({S.CLOSED, S.UNKNOWN, S.INITIALISING, S.INIT_WAIT}),
}
#: How long a driver is looked at that need do nothing, of the level's silence.
_LOOK = 0.1

_FUNCTIONS = {
    ("block", Role.BACK): "drivers/block/xen-blkback/xenbus.c, frontend_changed",
    ("block", Role.FRONT): "drivers/block/xen-blkfront.c, blkback_changed",
    ("net", Role.BACK): "drivers/net/xen-netback/xenbus.c, frontend_changed and set_backend_state",
    ("net", Role.FRONT): "drivers/net/xen-netfront.c, netback_changed",
}
_ALLOWED = (O.FOLLOWED, O.IGNORED, O.CLOSED, O.REOPENED)


def family(prefix: str, role: Role, device: str) -> Group:
    """Make the cases of one kind of driver: one for each state that its peer is in before."""
    group = Group(role, device)
    peer = "frontend" if role is Role.BACK else "backend"
    clause = Clause(
        "xenbus.h",
        "Closing: The device is being closed due to an error or an unplug event.",
        must=False,
        source=f"Linux {_FUNCTIONS[device, role]}: a peer that parts is followed, one that says something else is not",
    )
    for before in S:
        name = before.name.capitalize()
        group.case(
            f"{prefix}{before.value}",
            f"a {peer} that is {name} ({before.value}) says each state there is",
            *_ALLOWED,
            clause=clause,
            why="Two ends that each wait for the other are a device that never comes, or never goes; a state that "
            "nobody expects is where that begins.",
            seeded=True,
        )(_steps(role, before))
    return group


def _steps(role: Role, before: S) -> Callable[[HalfRig], Sights]:
    def steps(rig: HalfRig) -> Sights:
        for after in sorted(rig.chance.sample(list(S), rig.level.pairs)):
            with rig.plugged() as half:
                yield from _said(rig.level, role, half, before, after)

    steps.__doc__ = (
        f"Comes to be {before.name.capitalize()} as a driver does, or by a write where none ever is, and says another "
        "state; parts, and begins anew. Does so for as many states as the level says, on a new device each time."
    )
    return steps


def _said(level: Level, role: Role, half: FrontHalf | BackHalf, before: S, after: S) -> Sights:
    what = f"{before.value}, then {after.value}"
    half.reach(before)
    was = half.state()
    half.write({}, after)
    # What it must do is waited for; what it may do is given a moment.
    wanted = PARTED.get(after)
    now = half.await_state(*wanted) if wanted else half.await_state(*(set(S) - {was}), seconds=_LOOK * level.silence)
    # A network frontend publishes, and is connected, as soon as it is offered something.
    met = before is not S.INITIALISING or (role is Role.FRONT and after in {S.INIT_WAIT, S.INITIALISED, S.CONNECTED})
    yield Seen(what, *_worth(role, was, now, wanted, met=met))
    state = half.part()
    if state not in PARTED[S.CLOSED]:
        # Others would be waited for as long.
        raise Noticed(O.SILENT, f"it stays in state {state.name}", f"{what}, then parting")
    yield half.again()._replace(what=f"{what}, then anew")


def _worth(role: Role, was: S, now: S, wanted: frozenset[S] | None, *, met: bool) -> tuple[O, str]:
    # What a driver's state is worth, and what there is to say of it.
    if now not in OWN[role]:
        return O.STRAYED, f"a {role.name.lower()}end that is {now.name}"
    if now is S.CONNECTED and not met:
        return O.STRAYED, "connected, to who has published nothing"
    if wanted and now not in wanted:
        return O.SILENT, f"it stays in state {now.name}"
    if now in {S.CLOSING, S.CLOSED, S.UNKNOWN}:
        return O.CLOSED, now.name
    return (O.IGNORED if now is was else O.FOLLOWED), now.name
