"""Drivers fed by chance, a fixed number of lives of each; ``XENTOOL_FUZZ=10000`` plays so many lives, others each time.

For hours, and how fast it is: ``python -m tests.bench.net_fuzz``.
"""

import os

import pytest

from pvdrivers.errors import PeerError
from pvdrivers.net.errors import BadPacket
from pvdrivers.net.packet import rx_back
from tests.pvdrivers.net.fuzz import backend
from tests.pvdrivers.net.fuzz.run import TARGETS, Failed, lived, played

LIVES = int(os.environ.get("XENTOOL_FUZZ", "60"))
SEED = int.from_bytes(os.urandom(6)) if "XENTOOL_FUZZ" in os.environ else 1


@pytest.mark.parametrize("target", TARGETS)
def test_whatever_a_peer_does(target: str) -> None:
    lives = iter(range(LIVES + 1))
    done = played(target, SEED, lambda *_: next(lives) == LIVES)
    assert done.lives == LIVES
    assert done.rounds > 5 * LIVES
    # Some end as they must, and by no means all before their time.
    assert done.ended > 0


def test_a_seed_is_all_of_a_life() -> None:
    for target in TARGETS:
        assert lived(target, 77) == lived(target, 77)


@pytest.mark.parametrize(
    "seed",
    [
        # Frames that were refused, since headroom had left them no room, lay before others that were not asked for.
        128149963331284,
    ],
)
def test_lives_that_went_wrong_once(seed: int) -> None:
    assert lived("backend", seed)


ENDS = {"BadRing", "TX_EXTRA_TYPE", "TX_BEYOND_PAGE", "TX_ENDLESS", "TX_GSO_SIZE", "TX_GSO_TYPE"}


def test_all_that_ends_a_backends_queue_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[str] = set()
    turned = backend.Life._turned

    def noted(life: backend.Life) -> PeerError | None:
        error = turned(life)
        if error:
            found.add(error.refusal.name if isinstance(error, BadPacket) else type(error).__name__)
        return error

    monkeypatch.setattr(backend.Life, "_turned", noted)
    for seed in range(400):
        lived("backend", seed)
        if found == ENDS:
            return
    assert found == ENDS


def test_what_goes_wrong_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    # A backend that counts the data alone, and not the slot of an extra.
    monkeypatch.setattr(rx_back, "needed", lambda frame, headroom=0: -(-len(frame.data) // (4096 - headroom)))
    with pytest.raises(Failed) as raised:
        played("backend", SEED, lambda *_: False)
    seed = int(str(raised.value).rpartition("--seed ")[2].split()[0])
    with pytest.raises(Failed) as again:
        lived("backend", seed)
    assert str(again.value) == str(raised.value)
