"""What is answered to what is sent: no answer passes for another."""

import pytest

from pvdrivers.abi.netif import TX_RESPONSE, TX_RING, NetifRsp
from pvdrivers.conformance.net.messages import TxAnswer, extra, tx_request
from pvdrivers.conformance.net.sending import SendingLine
from pvdrivers.conformance.observation import Noticed, Observation
from tests.pvdrivers.conformance.net.ends import Deaf, Pages, answer

OKAY, ERROR, NULL = NetifRsp.OKAY, NetifRsp.ERROR, NetifRsp.NULL


@pytest.fixture
def page() -> Pages:
    return Pages()


@pytest.fixture
def line(page: Pages) -> SendingLine:
    # A frame in two slots, and an extra between them.
    made = SendingLine(page, Deaf())
    made.send([tx_request(1, 0, 12, 7, 200), extra(1), tx_request(2, 0, 0, 9, 100)], [7, 9])
    return made


def responses(*pairs: tuple[int, int]) -> list[bytes]:
    return [TX_RESPONSE.struct.pack(*pair) for pair in pairs]


def test_answers_in_any_order(page: Pages, line: SendingLine) -> None:
    assert line.due == 3
    answer(page, TX_RING, *responses((9, OKAY), (7, ERROR), (0xABCD, NULL)))
    assert line.answers(3, 0) == [TxAnswer(9, OKAY), TxAnswer(7, ERROR), TxAnswer(0xABCD, NULL)]
    assert line.due == 0


@pytest.mark.parametrize(
    ("pairs", "observation"),
    [
        ([(8, OKAY)], Observation.MISNAMED),
        ([(7, OKAY), (7, OKAY)], Observation.MISNAMED),
        ([(7, OKAY), (9, NULL), (9, NULL)], Observation.ODD),
        ([(7, 2)], Observation.ODD),
        ([(7, -3)], Observation.ODD),
        ([(7, OKAY), (9, OKAY)], Observation.SILENT),
    ],
)
def test_answers_that_are_none(
    page: Pages, line: SendingLine, pairs: list[tuple[int, int]], observation: Observation
) -> None:
    answer(page, TX_RING, *responses(*pairs))
    with pytest.raises(Noticed) as noticed:
        line.answers(3, 0)
    assert noticed.value.seen.observation is observation


def test_an_answer_without_its_notification(page: Pages) -> None:
    def late() -> bool:
        answer(page, TX_RING, *responses((7, OKAY)))
        return False

    line = SendingLine(page, Deaf(late))
    assert line.send([tx_request(1, 0, 0, 7, 60)], [7])
    with pytest.raises(Noticed) as noticed:
        line.answers(1, 0)
    assert noticed.value.seen.observation is Observation.UNNOTIFIED


def test_more_answers_than_slots(page: Pages, line: SendingLine) -> None:
    answer(page, TX_RING, *responses(*[(7, OKAY)] * 4))
    with pytest.raises(Noticed) as noticed:
        line.answers(3, 0)
    assert noticed.value.seen.observation is Observation.OVERRUN
