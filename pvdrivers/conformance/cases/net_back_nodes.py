"""Frontends that publish what makes no sense, and toolstacks that are not done yet."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.conformance import waits
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.net_trying import NOBODYS
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.subject import Vif
from pvdrivers.conformance.observation import Seen, Sights, Unsupported
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
#: Vifs that there are at once, of as many pages as a dom0 may grant.
_AT_ONCE = 6


@CASES.case(
    "NB02",
    "a script that is late, or fails",
    O.WAITS,
    O.OKAY,
    clause=Clause(
        "xenbus.h",
        "InitWait: Finished early initialisation but waiting for information from the peer or hotplug scripts.",
        source="Linux drivers/net/xen-netback/xenbus.c, connect and hotplug_status_changed: connected once "
        "`hotplug-status` says exactly that",
    ),
    why="A vif that is connected before its script has put it on a bridge loses what its guest sends first: its DHCP, "
    "as a rule.",
)
def nb02(rig: VifFrontRig) -> Sights:
    """Publishes all, and looks whether the backend is connected before ``hotplug-status`` is ``connected``: it is
    missing, then ``error``, then that.
    """
    with rig.plugged(Vif(scripted=True)) as front:
        if not front.served.hotplug:
            raise Unsupported("it waits for no script")
        front.begin()
        front.write({name: str(value) for name, value in front.nodes().items()}, S.CONNECTED)
        for status in ("", "error"):
            if status:
                front.served.hotplug(status)
            path = f"{front.peer.path}/state"
            early = waits.until(front.store, [path], lambda: front.state() is S.CONNECTED, rig.level.silence)
            yield Seen(f"hotplug-status {status or 'missing'}", O.STRAYED if early else O.WAITS)
        front.served.hotplug("connected")
        if front.await_state(S.CONNECTED) is not S.CONNECTED:
            yield Seen("hotplug-status connected", O.SILENT, f"it stays in state {front.state().name}")
            return
        yield front.proves()


@CASES.case(
    "NB05",
    "nodes that make no sense: queues, references, ports",
    O.REFUSED,
    O.WAITS,
    clause=Clause(
        "netif.h",
        "If there is any inconsistency in the XenStore data, the backend may choose not to connect any queues, instead "
        "treating the request as an error.",
        source="Linux drivers/net/xen-netback/xenbus.c, connect and connect_data_rings: an error node; "
        "set_backend_state says that it is connected whatever became of that",
    ),
    why="What a guest writes into XenStore decides how much a backend allocates and what it maps.",
)
def nb05(rig: VifFrontRig) -> Sights:
    """Publishes one wrong thing on a vif, some vifs at a time."""
    with rig.plugged() as front:
        front.begin()
        most = front.offered("multi-queue-max-queues")
    one: list[tuple[str, dict[str, object]]] = [
        ("no tx-ring-ref", {"tx-ring-ref": None}),
        ("no rx-ring-ref", {"rx-ring-ref": None}),
        ("no event-channel", {"event-channel": None}),
        ("half of two channels", {"event-channel": None, "event-channel-tx": "event-channel"}),
        ("one page for both rings", {"rx-ring-ref": "tx-ring-ref"}),
        ("tx-ring-ref that is no number", {"tx-ring-ref": "seven"}),
        ("tx-ring-ref -1", {"tx-ring-ref": "-1"}),
        ("rx-ring-ref of 1000 digits", {"rx-ring-ref": "9" * 1000}),
        ("rx-ring-ref that nobody granted", {"rx-ring-ref": NOBODYS}),
        ("event-channel that there is not", {"event-channel": 4095}),
        ("event-channel 2^32", {"event-channel": 2**32}),
    ]
    numbers: list[tuple[str, dict[str, object]]] = [
        ("0 queues", {"multi-queue-num-queues": 0}),
        (f"{most + 1} queues", {"multi-queue-num-queues": most + 1}),
        ("2^32 - 1 queues", {"multi-queue-num-queues": 2**32 - 1}),
        ("queues that are no number", {"multi-queue-num-queues": "many"}),
    ]
    # To a backend that knows of no queues the key says nothing.
    one += numbers if most else []
    two: list[tuple[str, dict[str, object]]] = [
        ("a queue that is missing", {"queue-1/tx-ring-ref": None, "queue-1/rx-ring-ref": None}),
        ("one page for two queues", {"queue-1/tx-ring-ref": "queue-0/tx-ring-ref"}),
        ("one port for two queues", {"queue-1/event-channel": "queue-0/event-channel"}),
    ]
    tries = [_Try(*each, queues=1) for each in one] + [_Try(*each, queues=2) for each in (two if most > 1 else [])]
    for at in range(0, len(tries), _AT_ONCE):
        yield from _published(rig, tries[at : at + _AT_ONCE])


class _Try(NamedTuple):
    # What is published: sound nodes, but for some.
    what: str
    wrong: dict[str, object]
    queues: int


def _published(rig: VifFrontRig, tries: Sequence[_Try]) -> Sights:
    with ExitStack() as stack:
        fronts = [stack.enter_context(rig.plugged()) for _ in tries]
        for front, each in zip(fronts, tries, strict=True):
            front.begin()
            nodes = front.nodes(queues=each.queues, split=False)
            # The name of another node stands for what that holds.
            nodes |= {name: nodes.get(str(value), value) for name, value in each.wrong.items()}
            front.announce({name: value for name, value in nodes.items() if value is not None})
        # One that does nothing at all is waited for as long as for that.
        waits.until(fronts[0].store, [], lambda: all(front.has_decided() for front in fronts), rig.level.deadline)
        for front, each in zip(fronts, tries, strict=True):
            seen = front.became()
            if seen.observation is O.SERVED and (refused := front.complaint()):
                # Linux's says that it is connected after it has said what is wrong, too.
                seen = Seen("", O.REFUSED, refused)
            yield seen._replace(what=each.what)


@CASES.case(
    "NB06",
    "a frontend that does not ask for copies",
    O.REFUSED,
    O.WAITS,
    O.OKAY,
    clause=Clause(
        "netif.h",
        must=False,
        source="Linux drivers/net/xen-netback/xenbus.c, read_xenbus_vif_flags: finds that it cannot, and connect goes "
        "on; pages that change hands are a former way, which none has any more",
    ),
    why="A backend that takes a guest's pages away and gives it others has to find some.",
)
def nb06(rig: VifFrontRig) -> Sights:
    """Publishes ``request-rx-copy`` of 0, and none; is refused, or served by copies all the same."""
    for value in ("0", None):
        what = f"request-rx-copy {'missing' if value is None else value}"
        with rig.plugged() as front:
            front.begin()
            nodes = {**front.nodes(), "request-rx-copy": value}
            seen = front.publish({name: each for name, each in nodes.items() if each is not None})
            if seen.observation is O.SERVED:
                seen = front.proves()
            yield seen._replace(what=what)
