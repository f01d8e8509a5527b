"""When a trace was recorded: its time stamps placed on the wall clock of the host that made it.

Xen's records hold a counter of cycles and no date. Who records notes when tracing was switched on and off, and pairs of
the counter and the wall clock, read by dom0 one right after the other. All of it has bounds, and so has the answer.
"""

from collections.abc import Sequence

from traces.plain import frozen

_NS = 1_000_000_000
#: A pair lies between the bounds, but for this: the wall clock is slewed and may be stepped a little meanwhile.
_TOLERANCE_NS = _NS
_TOLERANCE_SHARE = 1e-3
#: Of the last year that a calendar has, less days for all time zones and errors.
_LATEST_NS = 253_402_300_800 * _NS - 4 * 86_400 * _NS


@frozen
class Pair:
    """The counter, and what the wall clock said when it was read: ns since the epoch, give or take ``error_ns``."""

    tsc: int
    ns: int
    error_ns: int


@frozen
class Noted:
    """What was noted while a trace was recorded, by dom0's clock.

    :param begin_ns: since the epoch, before tracing was switched on
    :param end_ns: after it was switched off; None where nobody was left to note it
    :param utc_offset_s: of dom0's time zone
    """

    begin_ns: int
    end_ns: int | None
    utc_offset_s: int
    pairs: Sequence[Pair] = ()


@frozen
class Recorded:
    """The wall clock at a trace's first record.

    :param ns: since the epoch, give or take ``error_ns``
    :param utc_offset_s: of the recording host's time zone
    :param basis: "pairs" where the counter was compared with the clock, "bounds" where only both ends are known
    """

    ns: int
    error_ns: int
    utc_offset_s: int
    basis: str

    def text(self, ns: int = 0, spec: str = "milliseconds") -> str | None:
        """Write the time so many ns after the first record, with its zone, as ISO 8601; None beyond the calendar.

        :param spec: of the last digits, see ``datetime.isoformat``
        """
        return date(self.ns + ns, self.utc_offset_s, spec)


def date(ns: int, utc_offset_s: int, spec: str = "microseconds") -> str | None:
    """Write ns since the epoch as ISO 8601, in a time zone; None beyond the calendar."""
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415 - of few traces it is known when they were recorded

    try:
        zone = timezone(timedelta(seconds=utc_offset_s))
        return (datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=utc_offset_s, microseconds=ns // 1000)).isoformat(
            timespec=spec
        )
    except (OverflowError, ValueError):
        return None


def place(noted: Noted | None, runs: Sequence[tuple[int, int]], hz: float) -> Recorded | None:
    """Tell when the first record was made; None where nothing was noted, or what does not fit the trace.

    :param runs: of the trace's clock: the first time stamp, and how many cycles it took (``Scan.runs``)
    :param hz: the clock's rate
    """
    # Between two runs lies time that nobody knows.
    if noted is None or len(runs) != 1 or not runs[0][0]:
        return None
    first, cycles = runs[0]
    span = round(cycles / hz * _NS)
    if not 0 <= noted.begin_ns <= _LATEST_NS - span or (noted.end_ns or 0) > _LATEST_NS:
        return None
    slack = _TOLERANCE_NS + round(span * _TOLERANCE_SHARE)
    latest = None if noted.end_ns is None else noted.end_ns - span
    if latest is not None and latest < noted.begin_ns - slack:
        return None
    hulls = []
    for pair in noted.pairs:
        at = pair.ns - round((pair.tsc - first) / hz * _NS)
        # A dom0 whose counter is not Xen's own (emulated, or with an offset) is found out here.
        if at >= noted.begin_ns - slack and (latest is None or at <= latest + slack):
            hulls.append((at - pair.error_ns, at + pair.error_ns))
    if len(hulls) == len(noted.pairs) > 0:
        low, high = min(low for low, _ in hulls), max(high for _, high in hulls)
        return Recorded((low + high) // 2, (high - low + 1) // 2, noted.utc_offset_s, "pairs")
    if latest is None:
        return None
    low, high = sorted((noted.begin_ns, latest))
    return Recorded((low + high) // 2, (high - low + 1) // 2, noted.utc_offset_s, "bounds")
