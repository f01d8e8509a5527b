"""How the two ends of a device find each other, reconnect and part: tables, and nothing else.

Law: here is no I/O and no device. An end looks at its own state and its peer's, does what `FRONT` or `BACK` says, and
then writes its new state; where the table has nothing, it waits for its peer. The peer may be of any make, in any
state, and may die between any two of these steps.

Rows follow what Linux's drivers do; they add that no pair of states is one in which both wait for ever. The tests
explore all of them. The diagrams of docs/xenbus.md are drawn from the tables.

Ref: xen/include/public/io/xenbus.h, blkif.h ("State Diagrams"); Linux: drivers/block/xen-blkback/xenbus.c
(``frontend_changed``), drivers/block/xen-blkfront.c (``blkback_changed``), drivers/net/xen-netback/xenbus.c,
drivers/xen/xenbus/xenbus_probe_frontend.c (``xenbus_reset_frontend``)
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.abi.xenbus import XenbusState as S


class Action(Enum):
    """What is to be done before the new state is written."""

    #: Write what this end can do.
    OFFER = "offer"
    #: Choose from what the peer offers; grant rings, allocate event channels, write all that.
    PUBLISH = "publish"
    #: Read what the peer has written; map rings, bind event channels. A peer that wrote nonsense is closed instead.
    CONNECT = "connect"
    #: Look again at what the peer has written: a disk has another size, say.
    REREAD = "reread"
    #: Take up what the peer wants changed while connected.
    RECONFIGURE = "reconfigure"
    #: Give back all that joins the two, if it is not given back yet.
    CLOSE = "close"
    #: Begin anew. A frontend that is to stay closed does not.
    RESTART = "restart"


class Step(NamedTuple):
    """What an end does next: an action, and the state that it writes once that is done."""

    action: Action
    state: XenbusState


Table = Mapping[tuple[XenbusState, XenbusState], Step]

_ANY = tuple(S)


def _table(*rows: tuple[tuple[XenbusState, ...], tuple[XenbusState, ...], Step]) -> Table:
    # Rows are of own states, peer's states, and the step; a later one has precedence.
    return {(own, peer): step for owns, peers, step in rows for own in owns for peer in peers}


#: A backend, by its own state and the frontend's. When it is closed and its node ``online`` is 0, its device is over.
BACK: Table = _table(
    # It begins, maybe after a death: a frontend that was connected to its former life must let go of that first.
    ((S.INITIALISING,), _ANY, Step(Action.CLOSE, S.CLOSING)),
    ((S.INITIALISING,), (S.UNKNOWN, S.INITIALISING), Step(Action.OFFER, S.INIT_WAIT)),
    ((S.INITIALISING,), (S.CLOSED,), Step(Action.CLOSE, S.CLOSED)),
    ((S.INIT_WAIT,), (S.INITIALISED, S.CONNECTED), Step(Action.CONNECT, S.CONNECTED)),
    ((S.CONNECTED, S.RECONFIGURED), (S.RECONFIGURING,), Step(Action.RECONFIGURE, S.RECONFIGURED)),
    # One that came and went before it was looked at.
    ((S.INIT_WAIT,), (S.CLOSED,), Step(Action.CLOSE, S.CLOSED)),
    # A frontend without a state has no node any more; one that begins has died, or has another kernel by now.
    ((S.CONNECTED, S.RECONFIGURED), (S.UNKNOWN, S.INITIALISING, S.CLOSED), Step(Action.CLOSE, S.CLOSED)),
    ((S.INIT_WAIT, S.CONNECTED, S.RECONFIGURED), (S.CLOSING,), Step(Action.CLOSE, S.CLOSING)),
    ((S.CLOSING,), (S.UNKNOWN, S.INITIALISING, S.CLOSED), Step(Action.CLOSE, S.CLOSED)),
    ((S.CLOSED,), (S.INITIALISING,), Step(Action.OFFER, S.INIT_WAIT)),
    # It published for an offer that has been withdrawn since.
    ((S.CLOSED,), (S.INITIALISED, S.CONNECTED, S.CLOSING), Step(Action.CLOSE, S.CLOSING)),
    # States that are no backend's own.
    ((S.UNKNOWN, S.INITIALISED, S.RECONFIGURING), _ANY, Step(Action.CLOSE, S.CLOSING)),
)

#: A frontend, by its own state and the backend's.
FRONT: Table = _table(
    # It begins, with a backend that takes it for its former life (kexec).
    ((S.INITIALISING,), (S.INITIALISED, S.CONNECTED, S.RECONFIGURED), Step(Action.CLOSE, S.CLOSING)),
    ((S.INITIALISING,), (S.INIT_WAIT,), Step(Action.PUBLISH, S.INITIALISED)),
    ((S.INITIALISED,), (S.CONNECTED, S.RECONFIGURED), Step(Action.CONNECT, S.CONNECTED)),
    ((S.CONNECTED,), (S.CONNECTED,), Step(Action.REREAD, S.CONNECTED)),
    ((S.RECONFIGURING,), (S.RECONFIGURED,), Step(Action.RECONFIGURE, S.CONNECTED)),
    # The backend has begun anew without a word.
    ((S.CONNECTED, S.RECONFIGURING), (S.INIT_WAIT,), Step(Action.CLOSE, S.CLOSING)),
    (
        (S.INITIALISED, S.CONNECTED, S.RECONFIGURING, S.CLOSING),
        (S.UNKNOWN, S.CLOSING, S.CLOSED),
        Step(Action.CLOSE, S.CLOSED),
    ),
    ((S.CLOSED,), (S.INIT_WAIT, S.CLOSED), Step(Action.RESTART, S.INITIALISING)),
    # States that are no frontend's own.
    ((S.UNKNOWN, S.INIT_WAIT, S.RECONFIGURED), _ANY, Step(Action.CLOSE, S.CLOSING)),
)

#: Network frontends say at once that they are connected, and network backends wait for nothing less.
NET_FRONT: Table = {
    **{pair: step for pair, step in FRONT.items() if pair != (S.CONNECTED, S.INIT_WAIT)},
    (S.INITIALISING, S.INIT_WAIT): Step(Action.PUBLISH, S.CONNECTED),
}
NET_BACK: Table = {pair: step for pair, step in BACK.items() if pair != (S.INIT_WAIT, S.INITIALISED)}


class Role(Enum):
    """Which end, by what XenStore calls the directories of such."""

    FRONT = "device"
    BACK = "backend"


#: In these a frontend's rings are the backend's to use, and it has something to part from.
JOINED = frozenset({S.INITIALISED, S.CONNECTED, S.RECONFIGURING})


def begin(written: XenbusState) -> XenbusState:
    """Tell a frontend that starts which state it is in, from what stands in its node: its former life's, maybe.

    One that has offered rings before takes them back first: it is `XenbusState.UNKNOWN` then. A backend begins as
    `XenbusState.INITIALISING` whatever stands in its node.
    """
    return S.INITIALISING if written is S.INITIALISING else S.UNKNOWN


def may_resume(written: XenbusState, peer: XenbusState) -> bool:
    """Tell whether a backend that starts may go on where its former life was: neither end has parted since."""
    return written is peer is S.CONNECTED


def parting(
    role: Role, state: XenbusState, written: XenbusState, peer: XenbusState, *, leaving: bool
) -> XenbusState | None:
    """Tell the state by which an end parts now, whatever its table says; None if it does not.

    A toolstack that unplugs a device writes the backend's state for it; a connected frontend sees that, and begins to
    close. A frontend that leaves does so by itself.

    :param state: that the end is in
    :param written: what stands in its node
    :param leaving: whether it was told to part, and not to begin anew
    """
    if role is Role.FRONT:
        return S.CLOSING if leaving and state in JOINED else None
    unjoined = state in {S.INITIALISING, S.INIT_WAIT} and peer in {S.UNKNOWN, S.INITIALISING, S.CLOSED}
    return S.CLOSED if unjoined and written is S.CLOSING else None


def is_over(role: Role, state: XenbusState, peer: XenbusState, *, leaving: bool, online: bool) -> bool:
    """Tell whether there is nothing more to come for an end.

    :param online: what a backend's node of that name says, which counts once it is closed
    """
    if state is S.INITIALISING:
        # One that leaves before it ever joined has nothing to part from.
        return leaving
    if state is not S.CLOSED:
        return False
    return (leaving and peer is not S.CONNECTED) if role is Role.FRONT else not online
