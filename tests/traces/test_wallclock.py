"""When a trace was recorded: its first record on the recording host's clock, with an error that holds."""

import pytest

from traces.counting.wallclock import Noted, Pair, Recorded, date, place

HZ = 2e9
#: 2026-11-29 22:40:00 UTC.
AT = 1_795_992_000_000_000_000
S, MS = 1_000_000_000, 1_000_000
#: The trace's clock: ten seconds from this time stamp on.
FIRST, RUN = 5_000_000_000, [(5_000_000_000, int(10 * HZ))]


def pair(after_s: float, error_ns: int = 20_000, off_ns: int = 0) -> Pair:
    """Give a pair so long after the first record, which was made at ``AT``."""
    return Pair(FIRST + int(after_s * HZ), AT + int(after_s * S) + off_ns, error_ns)


def test_pairs_tell_to_their_error() -> None:
    noted = Noted(AT - 40 * MS, AT + 10 * S + 60 * MS, 3600, (pair(-0.05), pair(10.02)))
    assert place(noted, RUN, HZ) == Recorded(AT, 20_000, 3600, "pairs")


def test_pairs_that_differ_widen_the_error() -> None:
    # The host's clock was slewed by 3 ms meanwhile, or the rate is not quite what it is said to be.
    noted = Noted(AT - 40 * MS, AT + 10 * S + 60 * MS, 0, (pair(0, 10_000), pair(10, 10_000, 3 * MS)))
    assert place(noted, RUN, HZ) == Recorded(AT + 3 * MS // 2, 3 * MS // 2 + 10_000, 0, "pairs")


def test_one_pair_does_for_a_recording_that_was_killed() -> None:
    assert place(Noted(AT - MS, None, 0, (pair(-0.1),)), RUN, HZ) == Recorded(AT, 20_000, 0, "pairs")
    assert place(Noted(AT - MS, None, 0), RUN, HZ) is None


def test_both_ends_are_bounds() -> None:
    # Nothing was recorded before 40 ms ahead of the first record, nor later than 60 ms behind the last.
    found = place(Noted(AT - 40 * MS, AT + 10 * S + 60 * MS, 0), RUN, HZ)
    assert found == Recorded(AT + 10 * MS, 50 * MS, 0, "bounds")


def test_a_counter_that_is_not_xens_is_not_believed() -> None:
    # Dom0's is emulated, or has an offset: it says another day.
    noted = Noted(AT - 40 * MS, AT + 10 * S + 60 * MS, 0, (Pair(17, AT - 50 * MS, 1000), Pair(99, AT + 10 * S, 1000)))
    found = place(noted, RUN, HZ)
    assert found == Recorded(AT + 10 * MS, 50 * MS, 0, "bounds")


@pytest.mark.parametrize(
    ("noted", "runs"),
    [
        (None, RUN),
        # Of another trace: that one lasted a second.
        (Noted(AT, AT + S, 0), RUN),
        # Between two runs of the clock lies time that nobody knows.
        (Noted(AT, AT + 10 * S, 0), [*RUN, (7, 100)]),
        (Noted(AT, AT + 10 * S, 0), [(0, 0)]),
    ],
)
def test_what_does_not_fit_tells_nothing(noted: Noted | None, runs: list[tuple[int, int]]) -> None:
    assert place(noted, runs, HZ) is None


def test_dates() -> None:
    assert date(AT + 1_500, 3600) == "2026-11-29T23:40:00.000001+01:00"
    assert date(AT, -(9 * 3600 + 1800), "seconds") == "2026-11-29T13:10:00-09:30"
    assert date(1 << 70, 0) is None
