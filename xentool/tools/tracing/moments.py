"""When a capture was recorded, as a sidecar has it: dates of dom0's clock, as ISO 8601 with its zone.

``{"begin", "end" or null, "pairs": [{"tsc", "at", "error_s"}]}``; see ``traces.counting.wallclock``. And how that clock
went against the recording machine's: ``{"offset_s", "error_s"}``.
"""

from datetime import datetime
from typing import Any

from traces.counting.wallclock import Noted, Pair, date
from traces.plain import frozen

_NS = 1_000_000_000
#: One at each end is what is noted.
_PAIRS_MAX = 16
_DATE_MAX = 40
#: More would be no error but nonsense.
_ERROR_MAX_S = 1000
#: Seconds between any two dates that people have a use for.
_OFFSET_MAX_S = 1000 * 366 * 86400
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@frozen
class Offset:
    """By how many nanoseconds a host's clock is ahead of this machine's, give or take ``error_ns``."""

    ns: int
    error_ns: int


def offset_document(offset: Offset) -> dict[str, float]:
    """Make what ``json`` writes."""
    return {"offset_s": offset.ns / _NS, "error_s": offset.error_ns / _NS}


def offset_parsed(told: Any) -> Offset:  # noqa: ANN401 - whatever JSON holds
    """Read what ``offset_document`` made.

    :raises ValueError: it is something else; or KeyError, TypeError
    """
    offset_s, error_s = told["offset_s"], told["error_s"]
    for value, least, most in ((offset_s, -_OFFSET_MAX_S, _OFFSET_MAX_S), (error_s, 0, _ERROR_MAX_S)):
        if not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"a clock's offset is no number of seconds from {least} to {most}")
    return Offset(round(offset_s * _NS), round(error_s * _NS))


def document(noted: Noted) -> dict[str, Any]:
    """Make what ``json`` writes."""
    offset = noted.utc_offset_s
    return {
        "begin": date(noted.begin_ns, offset),
        "end": None if noted.end_ns is None else date(noted.end_ns, offset),
        "pairs": [
            {"tsc": pair.tsc, "at": date(pair.ns, offset), "error_s": pair.error_ns / _NS} for pair in noted.pairs
        ],
    }


def parsed(told: Any) -> Noted:  # noqa: ANN401 - whatever JSON holds
    """Read what ``document`` made.

    :raises ValueError: it is something else; or KeyError, TypeError
    """
    begin_ns, offset = _moment(told["begin"])
    end = told["end"]
    pairs = told["pairs"]
    if not isinstance(pairs, list) or len(pairs) > _PAIRS_MAX:
        raise ValueError(f"there are not up to {_PAIRS_MAX} pairs of clocks")
    return Noted(begin_ns, None if end is None else _moment(end)[0], offset, tuple(map(_pair, pairs)))


def _pair(told: Any) -> Pair:  # noqa: ANN401 - whatever JSON holds
    tsc, error_s = told["tsc"], told["error_s"]
    if not isinstance(tsc, int) or not 0 <= tsc < 1 << 64:
        raise ValueError("a tsc is no number of 64 bits")
    if not isinstance(error_s, int | float) or not 0 <= error_s <= _ERROR_MAX_S:
        raise ValueError(f"an error is no number of seconds up to {_ERROR_MAX_S}")
    return Pair(tsc, _moment(told["at"])[0], round(error_s * _NS))


def _moment(text: Any) -> tuple[int, int]:  # noqa: ANN401 - whatever JSON holds
    # Nanoseconds since the epoch, and the zone's offset in seconds.
    at = datetime.fromisoformat(text[:_DATE_MAX])
    offset = at.utcoffset()
    if offset is None:
        raise ValueError(f"{text[:_DATE_MAX]!r} has no time zone")
    since = at - _EPOCH
    return (since.days * 86400 + since.seconds) * _NS + since.microseconds * 1000, round(offset.total_seconds())
