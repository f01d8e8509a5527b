"""How a frontend has its packets spread: by requests that our backend understands, and answers that it checks."""

import pytest

from pvdrivers.abi.netif import CtrlStatus, CtrlType, HashAlgorithm
from pvdrivers.net.control.back import answer, needs
from pvdrivers.net.control.front import Step, check, spread, unspread
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.errors import BadAnswer
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import ALL_TYPES, Toeplitz

KEY = bytes(range(40))


def carried_out(steering: Steering, steps: list[Step]) -> Steering:
    """Have steps carried out by a backend, by messages as on a ring."""
    for ident, step in enumerate(steps):
        request = Request.parse(step.request(ident, gref=500 + ident).pack())
        piece = needs(request, steering)
        assert (piece is None) == (not step.page)
        if piece is not None:
            assert piece == (500 + ident, len(step.page))
        steering, response = answer(request, steering, step.page or None)
        assert check(step.request(ident), Response.parse(response.pack())) is CtrlStatus.SUCCESS
    return steering


@pytest.mark.parametrize("mapping", [(), (0,), (3, 2, 1, 0) * 32])
def test_a_backend_does_what_is_asked_for(mapping: tuple[int, ...]) -> None:
    wanted = Steering(4, HashAlgorithm.TOEPLITZ, ALL_TYPES, Toeplitz(KEY), mapping)
    steering = carried_out(Steering(4), spread(ALL_TYPES, KEY, mapping))
    assert steering == wanted
    assert steering.wanted
    assert not carried_out(steering, unspread()).wanted


def test_a_key_may_be_taken_away() -> None:
    steering = Steering(4, HashAlgorithm.TOEPLITZ, ALL_TYPES, Toeplitz(KEY))
    assert carried_out(steering, spread(ALL_TYPES, b"", ())).key == Toeplitz()


def test_large_mappings_come_by_pages() -> None:
    steps = [step for step in spread(ALL_TYPES, KEY, range(1025)) if step.type is CtrlType.SET_HASH_MAPPING]
    assert [(step.data, len(step.page)) for step in steps] == [((0, 1024, 0), 4096), ((0, 1, 1024), 4)]
    assert steps[1].page == b"\0\x04\0\0"
    assert steps[1].request(5, gref=8) == Request(5, CtrlType.SET_HASH_MAPPING, (8, 1, 1024))


def test_the_types_come_last_and_the_algorithm_first() -> None:
    kinds = [step.type for step in spread(ALL_TYPES, KEY, (0, 1))]
    assert (kinds[0], kinds[-1]) == (CtrlType.SET_HASH_ALGORITHM, CtrlType.SET_HASH_FLAGS)


@pytest.mark.parametrize("status", list(CtrlStatus))
def test_an_answer_tells_what_became_of_a_request(status: CtrlStatus) -> None:
    assert check(Request(3, 2, (1, 0, 0)), Response(3, 2, status, 9)) is status


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(4, 2, 0), "request 3 of type 2 is answered as 4 of type 2"),
        (Response(3, 1, 0), "request 3 of type 2 is answered as 3 of type 1"),
        (Response(3, 2, 4), "request 3 of type 2 is answered by status 4"),
        (Response(3, 2, 0xFFFFFFFF), "by status 4294967295"),
    ],
)
def test_what_is_no_answer(response: Response, words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        check(Request(3, 2), response)
