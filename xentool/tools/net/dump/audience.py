"""Who watches which vifs of a daemon, and what is kept for each of them until they take it.

Law: a queue never waits for who watches. What there is no room for is counted, vif by vif, and told with the next that
there is. No I/O here; `server` sends.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from pvdrivers.net.watched import Seen, Watched
from xentool.tools.net.dump import records
from xentool.tools.net.dump.records import Reply, Vif, Wish

#: Bytes that are kept for one, and what each packet takes besides its own.
ROOM = 4 << 20
_BESIDES = 200


class Watch:
    """What one of them is yet to be sent; its vifs' queues add to it.

    :param vifs: how many
    :param wake: called, by any thread, when there is something to send
    """

    def __init__(self, vifs: int, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._kept: deque[tuple[bytes, bytes]] = deque()
        self._size = 0
        self._lost = [0] * vifs
        #: Whether nothing is added any more, and the end is to be told after what is kept.
        self._ending = self._told = False

    def full(self, vif: int) -> bool:
        """Tell whether there is no room for a packet, which is lost then."""
        with self._lock:
            if self._size >= ROOM:
                self._lost[vif] += 1
                return True
        return False

    def add(self, vif: int, body: bytes) -> None:
        """Keep a packet's record; whoever adds has seen that it is not `full`."""
        with self._lock:
            first = not self._kept
            self._kept.append((records.head(vif, self._lost[vif]), body))
            self._lost[vif] = 0
            self._size += len(body) + _BESIDES
        if first:
            self._wake()

    def end(self) -> None:
        """Tell the end once what is kept is taken."""
        with self._lock:
            self._ending = True
        self._wake()

    def take(self) -> bytes:
        """Give the next message; empty if there is none, or the end was told."""
        parts: list[bytes] = []
        size = 0
        with self._lock:
            while self._kept and (not parts or size + len(self._kept[0][1]) <= records.BATCH):
                parts += self._kept.popleft()
                size += len(parts[-1])
                self._size -= len(parts[-1]) + _BESIDES
            if not parts and self._ending and not self._told:
                self._told = True
                return records.end(sum(self._lost))
        return b"".join(parts)

    @property
    def ended(self) -> bool:
        """Whether the end was told."""
        return self._told


class _Shown(Watched):
    # A vif, and who watches it, each with the vif's place among those that it was promised.

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._watches: tuple[tuple[int, Watch], ...] = ()

    def saw(self, queue: int, packets: Iterable[Seen]) -> None:
        now = time.time_ns()
        watches = self._watches
        for seen in packets:
            number, body = next(self._numbers), b""
            for place, watch in watches:
                if not watch.full(place):
                    # Formed, and so copied, for nobody who has no room for it.
                    body = body or records.body(queue, now, number, seen)
                    watch.add(place, body)

    def join(self, place: int, watch: Watch) -> None:
        self._watches += ((place, watch),)
        self.by = self

    def leave(self, watch: Watch) -> None:
        self._watches = tuple(each for each in self._watches if each[1] is not watch)
        if not self._watches:
            self.by = None


class Audience:
    """All who watch a daemon's vifs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._vifs: dict[Vif, _Shown] = {}
        self._watches: dict[Watch, tuple[Vif, ...]] = {}

    def plugged(self, vif: Vif) -> Watched:
        """Let a vif be watched from now on; a second time it is the same."""
        with self._lock:
            return self._vifs.setdefault(vif, _Shown())

    def gone(self, vif: Vif) -> None:
        """Let it no longer be; who watched nothing else is told the end."""
        with self._lock:
            self._vifs.pop(vif, None)
            over = [watch for watch, vifs in self._watches.items() if not any(each in self._vifs for each in vifs)]
        for watch in over:
            watch.end()

    def join(self, wish: Wish, wake: Callable[[], object]) -> tuple[Reply, Watch | None]:
        """Have somebody watch what he wants, if it is there.

        :param wake: as `Watch`
        """
        with self._lock:
            there = sorted(vif for vif in self._vifs if wish.domid in (None, vif.domid))
            wanted = tuple(vif for vif in there if wish.handle in (None, vif.handle))
            reply = Reply(wanted, tuple(vif for vif in there if vif not in wanted))
            if not wanted:
                return reply, None
            watch = Watch(len(wanted), wake)
            self._watches[watch] = wanted
            for place, vif in enumerate(wanted):
                self._vifs[vif].join(place, watch)
        return reply, watch

    def leave(self, watch: Watch) -> None:
        """Let somebody watch no more; what he was not sent stays his."""
        with self._lock:
            for vif in self._watches.pop(watch, ()):
                if shown := self._vifs.get(vif):
                    shown.leave(watch)
