"""Waiting for what another end does in XenStore: told by watches, and no longer than a deadline."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.nodes import Peer
from pvdrivers.xenstore.client import Client

#: Seconds between looks of which no watch has told, at first and at last: what is waited for may not be a node.
_SOON, _LOOK = 0.001, 0.05


def now() -> float:
    """Give seconds, since whenever."""
    return time.monotonic()


def until(store: Client, paths: Sequence[str], condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; tell whether it is.

    :param paths: whose changes may make it so
    """
    # As mostly: to be told of changes takes XenStore as long as a look.
    if condition():
        return True
    awake, look = threading.Event(), _SOON
    deadline = time.monotonic() + seconds
    with ExitStack() as stack:
        watches = [stack.enter_context(store.watch(path, awake.set)) for path in paths]
        while not condition():
            if time.monotonic() > deadline:
                return condition()
            awake.wait(look)
            awake.clear()
            look = min(2 * look, _LOOK)
            for watch in watches:
                watch.drain()
    return True


def until_state(store: Client, peer: Peer, states: Collection[XenbusState], seconds: float) -> XenbusState:
    """Wait until an end is in one of some states; give the one that it was seen in last, whatever that is."""
    seen = XenbusState.UNKNOWN

    def reached() -> bool:
        nonlocal seen
        seen = peer.state()
        return seen in states

    until(store, [f"{peer.path}/state"], reached, seconds)
    return seen
