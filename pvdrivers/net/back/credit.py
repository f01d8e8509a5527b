"""What a frontend may send in a time: so many bytes, and when those are used up, as many again later.

Ref: Linux drivers/net/xen-netback/netback.c (``tx_credit_exceeded``), xenbus.c (``xen_net_read_rate``)
"""

import threading
import time
from collections.abc import Callable


class Credit:
    """Bytes that several queues may send together.

    What is sent at once may be more than is left: it is made up for by a longer wait.

    :param size: bytes for each ``seconds``; also the most that is ever left
    :param clock: tells seconds
    """

    def __init__(self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._rate, self._clock = size, size / seconds, clock
        self._left, self._at = float(size), clock()
        self._lock = threading.Lock()

    def _look(self) -> None:
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._rate, self._size)
        self._at = now

    def due(self) -> float:
        """Give the seconds until something may be sent; 0 if it may."""
        with self._lock:
            self._look()
            return max(-self._left / self._rate, 0.0)

    def spend(self, size: int) -> None:
        """Take note of what is sent."""
        with self._lock:
            self._look()
            self._left -= size
