"""Watches with memory: what became of which node, and until when to look."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from pvdrivers.xenstore.client import Client, ConnectionLost, NotFound, Watch, XenStoreError
from xentool.errors import XentoolError
from xentool.hosts import waiting
from xentool.tools.store.changes import Change, Kind, changes
from xentool.tools.store.nodes import Node, Unlisted, depth, lineage, present, tree, within
from xentool.tools.store.values import quoted, shown


class Condition(NamedTuple):
    """What a node is waited to be: there (with this value, if any is named), or gone."""

    path: str
    there: bool
    value: bytes | None = None

    def holds(self, known: Mapping[str, Node]) -> bool:
        """Tell whether it is so."""
        node = known.get(self.path)
        if node is None:
            return not self.there
        return self.there and self.value in (None, node.value)

    def complaint(self, known: Mapping[str, Node]) -> str:
        """Say what the node was instead when last looked at."""
        node, path = known.get(self.path), shown(self.path)
        if not self.there:
            return f"{path} is still there"
        if node is None:
            return f"{path} is not there" + ("" if self.value is None else f", and was to be {quoted(self.value)}")
        return f"{path} is {quoted(node.value)}, not {quoted(self.value)}"


def follow(
    client: Client,
    paths: Sequence[str],
    *,
    until: Sequence[Condition] = (),
    timeout: float | None = None,
    levels: int | None = None,
    unlisted: list[Unlisted] | None = None,
) -> Iterator[Change]:
    """Tell what changes at and under some nodes from now on; they need not be there.

    A node's value that was overwritten before it could be read is never seen: XenStore tells that something changed,
    not to what.

    :param until: ends when all of these hold; their nodes are watched too
    :param timeout: seconds; None for no end
    :param levels: tell nothing of nodes deeper than so many levels under their path; None for all
    :param unlisted: takes what the store cannot list: of what is there nothing is known then, but it is watched
    :raises XentoolError: the conditions did not hold in time
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    tops = _outermost([*paths, *(condition.path for condition in until)])
    with ExitStack() as open_watches:
        told: SimpleQueue[tuple[str, str] | XenStoreError] = SimpleQueue()
        memory = _Memory(client, unlisted)
        for top in tops:
            watch = open_watches.enter_context(client.watch(top))
            watch.next(waiting.of_requests())  # what is there at first is no change
            memory.learn(top)
            Thread(target=_pass_on, args=(watch, told), daemon=True).start()
        while not until or not all(condition.holds(memory.known) for condition in until):
            try:
                event = told.get(timeout=None if deadline is None else max(deadline - time.monotonic(), 0))
            except Empty:
                break
            if isinstance(event, XenStoreError):
                raise event
            # A lost connection is no matter if there is another: the watch then tells to look at everything.
            with suppress(ConnectionLost):
                top, path = event
                yield from (
                    each for each in memory.update(top, path) if levels is None or depth(each.path, top) <= levels
                )
        else:
            return
    if until:
        unmet = "; ".join(condition.complaint(memory.known) for condition in until if not condition.holds(memory.known))
        passed = "1 second has" if timeout == 1 else f"{timeout:g} seconds have"
        raise XentoolError(f"{passed} passed: {unmet}")


def _outermost(paths: Iterable[str]) -> list[str]:
    # A path under another one is told by that one's watch.
    distinct = dict.fromkeys(paths)
    return [path for path in distinct if not any(path != other and within(path, other) for other in distinct)]


def _pass_on(watch: Watch, told: "SimpleQueue[tuple[str, str] | XenStoreError]") -> None:
    try:
        for path in watch:
            told.put((watch.path, path))
    except XenStoreError as error:
        told.put(error)


class _Memory:
    # The nodes under the watched paths as they were when last looked at.

    def __init__(self, client: Client, unlisted: list[Unlisted] | None) -> None:
        self._client = client
        self._unlisted = unlisted
        self.known: dict[str, Node] = {}
        # Nodes that were told because of another's event; their own is still to come, and no news.
        self._ahead: set[str] = set()

    def learn(self, top: str) -> None:
        self.known |= {node.path: node for node in self._now(top)}

    def update(self, top: str, path: str) -> list[Change]:
        if path.startswith("@"):
            return [Change(Kind.FIRED, path, None, None)]
        # A write creates the nodes above as well, and tells only of the one written.
        above = [each for each in lineage(path) if within(each, top) and each not in self.known]
        before = [node for each, node in self.known.items() if within(each, path)]
        after = [*present(self._client, above), *self._now(path)]
        for node in before:
            del self.known[node.path]
        self.known |= {node.path: node for node in after}
        found = changes(before, after)
        self._ahead.update(each.path for each in found if each.path != path)
        if not found and path in self.known and path not in self._ahead:
            found = [Change(Kind.FIRED, path, self.known[path], self.known[path])]
        self._ahead.discard(path)
        return found

    def _now(self, path: str) -> list[Node]:
        try:
            return [] if path.startswith("@") else tree(self._client, path, unlisted=self._unlisted)
        except NotFound:
            return []
