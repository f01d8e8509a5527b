"""Time stamps as one count of cycles from the trace's first record on, over all runs of its clock."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Who takes records without tables begins without numpy.
    import numpy as np
    from numpy.typing import NDArray

    from traces.kvm.table import RecordTable
    from traces.table import EventTable

#: What a record gets that was made before its pCPU's first time stamp.
UNTIMED = -1
# A damaged time stamp may lie anywhere; sums of two of these still fit.
_LIMIT = 1 << 61


class Elapsed:
    """Counts cycles as ``counting.fold`` does: what lies between two runs of the clock takes no time."""

    def __init__(self) -> None:
        self._start: int | None = None
        #: Cycles up to the first record of the running run of the clock, and up to the newest record so far.
        self.begin = self.end = 0

    def of(self, table: "EventTable | RecordTable") -> "NDArray[np.int64]":
        """Give each record's cycles since the first one, or ``UNTIMED``; feed it every table in order."""
        import numpy as np  # noqa: PLC0415 - see above

        timed = table.tsc != 0
        if table.restart:
            self.begin, self._start = self.end, None
        if self._start is None and timed.any():
            self._start = int(table.tsc[np.argmax(timed)])
        start = np.uint64(self._start or 0)
        # What comes late, and is older than the first record, counts as of the same time.
        since = np.where(table.tsc > start, table.tsc - start, np.uint64(0))
        cycles = np.minimum(since, np.uint64(_LIMIT)).astype(np.int64) + self.begin
        if timed.any():
            self.end = min(max(self.end, int(cycles[timed].max())), _LIMIT)
        cycles[~timed] = UNTIMED
        return cycles

    def go_on(self, first: int, last: int, *, restart: bool) -> tuple[int, int]:
        """Take note of records in order of time, as ``of`` does of a table.

        :param first: the first time stamp, like ``last``; 0 if there is none
        :returns: the time stamp at which the run of the clock began, and its cycles since the first record
        """
        if restart:
            self.begin, self._start = self.end, None
        if self._start is None and first:
            self._start = first
        if last:
            self.end = min(max(self.end, self.at(last)), _LIMIT)
        return self._start or 0, self.begin

    def at(self, tsc: int) -> int:
        """Give the cycles at a time stamp of the running run of the clock."""
        return self.begin + min(max(tsc - (self._start or 0), 0), _LIMIT)


def nanoseconds(cycles: "NDArray[np.int64]", hz: float) -> "NDArray[np.int64]":
    """Convert cycles to nanoseconds, rounded; ``UNTIMED`` stays what it is.

    :param hz: cycles per second
    """
    import numpy as np  # noqa: PLC0415 - see above

    ns: NDArray[np.int64] = np.minimum(np.rint(cycles * (1e9 / hz)), float(2 * _LIMIT)).astype(np.int64)
    ns[cycles == UNTIMED] = UNTIMED
    return ns
