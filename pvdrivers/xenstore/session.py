"""One client as the store sees it: which domain it is, its transactions, and the packets that it has not taken yet."""

from collections import deque
from collections.abc import Callable

from pvdrivers.xenstore import quotas
from pvdrivers.xenstore.domains import Domain
from pvdrivers.xenstore.transactions import Transaction
from pvdrivers.xenstore.wire import Op, Packet, encode

#: Replies that may wait for a client of domain 0; for other domains a quota says it.
_REPLIES_MAX = 128
#: Bytes that may wait for a client of domain 0, which takes no events although it watches. xenstored has no bound here.
QUEUE_MAX = 4 << 20


class Session:
    """One client.

    :param wake: is called when there is something to take, or the session is closed
    """

    def __init__(self, domain: Domain, wake: Callable[[], object]) -> None:
        self.domain = domain
        self.transactions: dict[int, Transaction] = {}
        self.closed = False
        self._wake = wake
        self._last_transaction = 0
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._events: set[bytes] = set()
        self._replies = 0
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether it has to take replies before it may ask for more."""
        limit = 0 if self.domain.privileged else self.domain.limits[quotas.OUTSTANDING]
        return self._replies >= (limit or _REPLIES_MAX)

    def next_transaction(self) -> int:
        """Give an id that none of its transactions has."""
        while True:
            self._last_transaction = self._last_transaction % 0xFFFFFFFF + 1
            if self._last_transaction not in self.transactions:
                return self._last_transaction

    def reply(self, op: int, packet: Packet, payload: bytes) -> None:
        """Queue the answer to a packet."""
        self._replies += 1
        self._put(encode(op, packet.request, packet.transaction, payload), event=False)

    def event(self, path: bytes, token: bytes) -> None:
        """Queue a watch event, unless the same one waits already; those of special nodes all count.

        A client of domain 0 that lets too many wait is given up.
        """
        packet = encode(Op.WATCH_EVENT, 0, 0, path + b"\0" + token + b"\0")
        if packet in self._events:
            return
        if path[:1] != b"@":
            self._events.add(packet)
        self._put(packet, event=True)
        if self.domain.privileged and self._bytes > QUEUE_MAX:
            self.close()

    def _put(self, packet: bytes, *, event: bool) -> None:
        if self.closed:
            return
        if not self._queue:
            self._wake()
        self._queue.append((packet, event))
        self._bytes += len(packet)
        self.domain.queued += len(packet)

    def take(self, size: int) -> bytes:
        """Hand out packets that wait, whole ones, until there are so many bytes; none when none waits."""
        taken: list[bytes] = []
        while self._queue and size > 0:
            packet, event = self._queue.popleft()
            taken.append(packet)
            size -= len(packet)
            if event:
                self._events.discard(packet)
            else:
                self._replies -= 1
        data = b"".join(taken)
        self._bytes -= len(data)
        self.domain.queued -= len(data)
        return data

    def close(self) -> None:
        """End the session: what waits is lost."""
        self.closed = True
        self._queue.clear()
        self._events.clear()
        self.domain.queued -= self._bytes
        self._bytes = self._replies = 0
        self._wake()
