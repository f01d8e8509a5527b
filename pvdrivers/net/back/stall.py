"""How long frames wait for a frontend that posts too few pages, and when that counts as stalled.

Law: frames wait for a frontend for a time, and are dropped then. One that has taken none for a minute, though some
waited, is stalled: its link is down, so that whoever sends to it knows, until it has posted enough.

A frontend that does not tell when it posts pages cannot be told from one that posts none: frames wait for it a moment
only, and it never counts as stalled.

Ref: XSA-391, XSA-392; Linux drivers/net/xen-netback/rx.c (``xenvif_rx_queue_stalled``, ``xenvif_rx_queue_ready``,
``xenvif_rx_queue_drop_expired``), xenbus.c (``read_xenbus_vif_flags``), netback.c (the times)
"""

import math
import time
from collections.abc import Callable

#: Seconds that a frame waits at most: for a frontend that tells when it posts pages, and for one that does not.
DRAIN, DRAIN_SILENT = 10.0, 0.03
#: Seconds without a frame taken, though some waited, after which a frontend is stalled.
STALL = 60.0

Clock = Callable[[], float]


class Stall:
    """One queue's; looked after by its thread, and `stalled` read by any.

    :param notifies: whether the frontend tells when it has posted pages
    :param clock: tells seconds
    """

    def __init__(self, *, notifies: bool, clock: Clock = time.monotonic) -> None:
        self._drain, self._stall = (DRAIN, STALL) if notifies else (DRAIN_SILENT, math.inf)
        self._clock = clock
        # When frames had to wait first since one was taken, and when those came that wait now.
        self._since: float | None = None
        self._arrived: float | None = None
        # Pages that the first of them needed when it stalled.
        self._needed = 0
        self.stalled = False

    def look(self, *, took: bool, needed: int, posted: int) -> bool:
        """Take note of how things stand after a turn; tell whether the frames that wait are to be dropped.

        :param took: whether the frontend has taken a frame
        :param needed: pages for the frame that waits first; 0 if none waits
        :param posted: pages that there are
        """
        if took or (self.stalled and posted >= self._needed):
            self._since, self.stalled = None, False
        if not needed:
            self._arrived = None
            return False
        now = self._clock()
        self._since = now if self._since is None else self._since
        self._arrived = now if self._arrived is None else self._arrived
        if not self.stalled and now - self._since >= self._stall:
            self._needed, self.stalled = needed, True
        if not self.stalled and now - self._arrived < self._drain:
            return False
        self._arrived = None
        return True

    def due(self) -> float | None:
        """Give the seconds until `look` may decide otherwise with nothing else changed; None if it will not."""
        if self._arrived is None or self._since is None:
            return None
        return max(min(self._arrived + self._drain, self._since + self._stall) - self._clock(), 0.0)
