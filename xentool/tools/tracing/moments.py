"""When a capture was recorded, as a sidecar has it: dates of dom0's clock, as ISO 8601 with its zone.

``{"begin", "end" or null, "pairs": [{"tsc", "at", "error_s"}]}``; see ``traces.counting.wallclock``.
"""

from datetime import datetime
from typing import Any

from traces.counting.wallclock import Noted, Pair, date

_NS = 1_000_000_000
#: One at each end is what is noted.
_PAIRS_MAX = 16
_DATE_MAX = 40
#: More would be no error but nonsense.
_ERROR_MAX_S = 1000
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


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
