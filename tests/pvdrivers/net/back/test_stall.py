"""How long frames wait for a frontend that posts too few pages, and when it is stalled: by a clock of the test's."""

import pytest

from pvdrivers.net.back.stall import DRAIN, DRAIN_SILENT, STALL, Stall


class Clock:
    """Tells what it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """A queue as `Stall` sees it."""

    def __init__(self, *, notifies: bool = True) -> None:
        self.clock = Clock()
        self.stall = Stall(notifies=notifies, clock=self.clock)

    def look(self, needed: int = 0, posted: int = 0, *, took: bool = False, after: float = 0) -> bool:
        self.clock.now += after
        return self.stall.look(took=took, needed=needed, posted=posted)


def test_frames_wait_and_are_dropped_then() -> None:
    rig = Rig()
    assert not rig.look(3)
    assert rig.stall.due() == DRAIN
    assert not rig.look(3, after=DRAIN - 1)
    assert rig.stall.due() == 1
    assert rig.look(3, after=1)
    assert rig.stall.due() is None
    # Those that come next have a time of their own.
    assert not rig.look(2, after=5)
    assert rig.stall.due() == DRAIN
    assert not rig.stall.stalled


def test_one_that_takes_none_for_a_minute_is_stalled_until_it_has_posted_enough() -> None:
    rig = Rig()
    dropped = [rig.look(3, 2, after=DRAIN / 2) for _ in range(12)]
    # They come anew after each drop, and all at once from the minute on.
    assert dropped == [False, False, True] * 4
    assert not rig.stall.stalled
    assert rig.look(3, 2, after=DRAIN / 2)
    assert rig.stall.stalled
    assert rig.look(9, 2)
    rig.look(posted=2)
    assert rig.stall.stalled
    rig.look(posted=3)
    assert not rig.stall.stalled
    # And has a minute again.
    assert not rig.look(4, 3)
    assert not rig.look(4, 3, after=DRAIN - 1)
    assert not rig.stall.stalled


def test_a_stalled_one_that_takes_one_is_so_no_more() -> None:
    rig = Rig()
    rig.look(18)
    assert rig.look(18, after=STALL)
    assert rig.stall.stalled
    assert not rig.look(took=True, posted=1)
    assert not rig.stall.stalled


def test_who_takes_some_is_never_stalled() -> None:
    rig = Rig()
    for _ in range(100):
        rig.look(3, 2, after=DRAIN / 2)
        rig.look(3, 2, took=True, after=DRAIN / 2)
        assert not rig.stall.stalled


def test_who_has_nothing_to_take_is_never_stalled() -> None:
    rig = Rig()
    assert not rig.look(after=10 * STALL)
    assert not rig.look(1)
    assert not rig.stall.stalled


def test_one_that_took_none_an_hour_ago_is_stalled_at_once_if_it_still_does_not() -> None:
    rig = Rig()
    rig.look(1)
    assert rig.look(1, after=DRAIN)
    assert rig.look(1, after=60 * STALL)
    assert rig.stall.stalled


@pytest.mark.parametrize("seconds", [DRAIN_SILENT, 10 * STALL])
def test_who_does_not_tell_of_pages_has_a_moment_and_keeps_its_link(seconds: float) -> None:
    rig = Rig(notifies=False)
    assert not rig.look(1)
    assert rig.stall.due() == DRAIN_SILENT
    assert rig.look(1, after=seconds)
    assert not rig.stall.stalled
