"""Being awake for clients that ask on at once, and asleep for all others: on a loop whose clock is ours."""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.patience import MOST, REST, Patience
from pvdrivers.xenstore.lookout import LOOK, Lookout

#: What a turn of the loop takes, in seconds.
TURN = 3e-6


class Loop:
    """An event loop that is awake as long as somebody wants to be called, and counts how long that is."""

    def __init__(self, processors: int = 2) -> None:
        self.now = 0.0
        self.awake = 0.0
        self.met = 0
        self._due: list[Callable[[], None]] = []
        self.lookout = Lookout(lambda: self.now, self._due.append, Patience(processors))

    def run(self, gaps: Sequence[float]) -> None:
        """Serve a request after each of these times."""
        for gap in gaps:
            self.until(self.now + gap)
            self.met += bool(self._due)
            self.lookout.served()
        self.until(self.now + 1)

    def until(self, end: float) -> None:
        while self._due and self.now < end:
            self.now += TURN
            self.awake += TURN
            assert len(self._due) == 1
            self._due.pop()()
        self.now = end


def test_a_client_that_asks_on_at_once_is_always_met_awake() -> None:
    loop = Loop()
    loop.run([1.0] + [LOOK / 2] * 5000)
    assert loop.met == 5000


def test_nobody_is_looked_for_while_nobody_asks() -> None:
    loop = Loop()
    loop.run([0.0])
    assert LOOK <= loop.awake <= LOOK + 2 * TURN
    before = loop.awake
    loop.until(loop.now + 1000)
    assert loop.awake == before


def test_a_client_that_takes_its_time_soon_costs_nothing() -> None:
    loop = Loop()
    loop.run([LOOK * 2] * 10_000)
    assert loop.met == 0
    assert loop.awake <= (MOST + 10_000 / REST) * (LOOK + 2 * TURN)


def test_several_clients_keep_it_awake_together() -> None:
    # Each asks too seldom for itself.
    loop = Loop()
    loop.run([1.0] + [LOOK * 3 / 50] * 5000)
    assert loop.met == 5000


@given(st.lists(st.sampled_from([LOOK / 5, LOOK / 2, LOOK * 0.9, LOOK * 1.1, LOOK * 10, 1.0]), max_size=500))
def test_whatever_clients_do_it_is_awake_for_less_than_it_serves(gaps: list[float]) -> None:
    loop = Loop()
    loop.run(gaps)
    useful = sum(gap for gap in gaps if gap < LOOK)
    vain = loop.awake - useful
    assert vain <= (MOST + len(gaps)) / 2 * (LOOK + 2 * TURN) + TURN * len(gaps)


def test_with_one_processor_the_client_has_it() -> None:
    loop = Loop(processors=1)
    loop.run([LOOK / 5] * 100)
    assert loop.awake == 0
