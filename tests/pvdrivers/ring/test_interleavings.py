"""No message is ever left lying: proven for all interleavings, by the steps that the engine takes."""

import pytest

from tests.pvdrivers.ring.interleavings import Model, Step, steps

PUSH, ASK = steps("push"), steps("ask")


def test_these_are_the_steps() -> None:
    assert [Step("store", "prod"), Step("fence"), Step("load", "event")] == PUSH
    assert [Step("look", "prod"), Step("store", "event"), Step("fence"), Step("look", "prod")] == ASK


@pytest.mark.parametrize("messages", [1, 2, 3, 4])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_nothing_is_left_lying(messages: int, batch: int) -> None:
    assert Model(PUSH, ASK, messages, batch).stuck() == []


@pytest.mark.parametrize(
    ("push", "ask"),
    [
        pytest.param([step for step in PUSH if step.kind != "fence"], ASK, id="without the producer's fence"),
        pytest.param(PUSH, [step for step in ASK if step.kind != "fence"], id="without the consumer's fence"),
        pytest.param(PUSH, ASK[:-1], id="without the second look"),
        pytest.param(PUSH, [ASK[0], ASK[3], ASK[1], ASK[2]], id="second look before the event is written"),
        pytest.param([PUSH[2], PUSH[0], PUSH[1]], ASK, id="event read before the push"),
    ],
)
def test_without_any_of_it_something_would_be(push: list[Step], ask: list[Step]) -> None:
    assert Model(push, ask, 2).stuck() != []
