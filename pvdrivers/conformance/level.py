"""How much of a case is done: cases ask for rounds and time here, and never look at a clock of their own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """How much.

    :param rounds: requests of a case that tries the same again and again
    :param flips: writes into each byte that is changed meanwhile
    :param storm: events or writes of a peer that only wants to be a burden
    :param pairs: states that a peer says after each other one, of nine
    :param silence: seconds for which a peer says nothing
    :param deadline: seconds within which what is due must come
    """

    rounds: int
    flips: int
    storm: int
    pairs: int
    silence: float
    deadline: float


#: Every case, in seconds: for `make check`.
SMALL = Level(rounds=300, flips=200_000, storm=2_000, pairs=3, silence=0.3, deadline=60.0)
#: Every case in seconds on an emulated machine, where nothing is as soon as that.
QUICK = Level(rounds=300, flips=200_000, storm=2_000, pairs=3, silence=1.0, deadline=20.0)
#: What `xentool conformance` does.
USUAL = Level(rounds=5_000, flips=5_000_000, storm=20_000, pairs=9, silence=3.0, deadline=60.0)
#: For `make conformance`.
FULL = Level(rounds=1_000_000, flips=500_000_000, storm=100_000, pairs=9, silence=30.0, deadline=120.0)
