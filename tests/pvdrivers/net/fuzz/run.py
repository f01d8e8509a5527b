"""Lives of drivers, one after the other, each all made of its seed: for so many rounds, or seconds."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from tests.pvdrivers.net.fuzz import backend, control, frontend

#: Rounds of a life that does not end before.
ROUNDS = 400


class Life(Protocol):
    """A driver's life.

    ``over`` tells whether it has ended, as it had to.
    """

    over: bool

    def round(self) -> None:
        """Play a round.

        :raises AssertionError: the driver did what it must not
        """
        ...

    def close(self) -> None:
        """End it."""
        ...


TARGETS: dict[str, Callable[[int], Life]] = {
    "backend": backend.Life,
    "frontend": frontend.Life,
    "control-backend": control.BackLife,
    "control-frontend": control.FrontLife,
}


class Failed(AssertionError):
    """A life that went wrong; the message tells how to have it again."""


class Done(NamedTuple):
    """What was played.

    :param ended: lives that the driver ended, as it had to
    :param seconds: of this process's processor time
    """

    rounds: int
    lives: int
    ended: int
    seconds: float


def played(target: str, seed: int, enough: Callable[[int, float], bool]) -> Done:
    """Play lives of a target.

    :param seed: of the first; those that follow have the next ones
    :param enough: given rounds and seconds, tells whether to stop; asked after each life
    :raises Failed: one went wrong
    """
    rounds = lives = ended = 0
    began = time.process_time()
    while not enough(rounds, time.process_time() - began):
        count, over = lived(target, seed + lives)
        rounds += count
        lives += 1
        ended += over
    return Done(rounds, lives, ended, time.process_time() - began)


def lived(target: str, seed: int) -> tuple[int, bool]:
    """Play one life; tell how many rounds it had, and whether it ended before all of them.

    :raises Failed: it went wrong
    """
    life = TARGETS[target](seed)
    count = 0
    try:
        while count < ROUNDS and not life.over:
            count += 1
            life.round()
    except Exception as error:
        again = f"python -m tests.bench.net_fuzz {target} --seed {seed} --lives 1"
        raise Failed(
            f"{target}, seed {seed}, round {count}: {type(error).__name__}: {error}\nagain: {again}"
        ) from error
    finally:
        life.close()
    return count, life.over
