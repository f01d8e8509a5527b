"""A proof that was given up: its frames may come yet, and are not taken for those of the next one."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from pvdrivers.conformance.level import SMALL
from pvdrivers.conformance.net.frames import Carried
from pvdrivers.conformance.net.front import VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.posting import Came
from pvdrivers.conformance.net.subject import FarSide
from pvdrivers.conformance.observation import Noticed, Observation
from xentool.tools.conformance.our_vifs import net_backend


class Impatient:
    """A far side that is looked at too early, once."""

    def __init__(self, far: FarSide) -> None:
        self._far, self._looks = far, 0

    def send(self, frame: Carried) -> bool:
        return self._far.send(frame)

    def receive(self, seconds: float) -> Carried | None:
        self._looks += 1
        return self._far.receive(seconds) if self._looks > 1 else None


@pytest.fixture
def front() -> Iterator[VifFront]:
    chance = Random(1)  # noqa: S311 - no secret
    with net_backend().running() as bench, VifFrontRig(bench, SMALL, chance).joined() as made:
        yield made


def test_what_was_sent(front: VifFront) -> None:
    front.served = replace(front.served, far=Impatient(front.served.far))
    assert front.proves().observation is Observation.LOST
    assert [front.proves().observation for _ in range(2)] == [Observation.OKAY] * 2


def test_what_came(front: VifFront, monkeypatch: pytest.MonkeyPatch) -> None:
    def given_up() -> tuple[int, Came]:
        raise Noticed(Observation.SILENT, "not yet")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(front, "come_any", given_up)
        with pytest.raises(Noticed):
            front.proves()
    assert [front.proves().observation for _ in range(2)] == [Observation.OKAY] * 2
