"""The kit's own ring: it says what is there, and takes nothing that cannot be."""

import struct

import pytest

from pvdrivers.abi.blkif import X86_64
from pvdrivers.conformance.observation import Noticed, Observation
from pvdrivers.conformance.raw import RawRing
from pvdrivers.ring import Back, Front

REQUEST, RESPONSE = b"q" * X86_64.request.size, b"r" * X86_64.response.size


def memory() -> memoryview:
    return memoryview(bytearray(4096))


def test_a_frontend_by_hand_is_one_for_our_backend() -> None:
    shared = memory()
    front = RawRing(shared, X86_64.ring)
    back = Back(shared, X86_64.ring)
    front.put([REQUEST] * 3)
    assert front.show()
    assert back.take() == REQUEST * 3
    back.put(RESPONSE * 2)
    assert back.push()
    assert front.take(1) == [RESPONSE]
    assert front.waiting() == 1
    assert front.take() == [RESPONSE]
    # It is notified of what it asked for, and of nothing else.
    back.put(RESPONSE)
    assert not back.push()
    front.take()
    front.ask()
    front.put([REQUEST])
    front.show()
    back.take()
    back.put(RESPONSE)
    assert back.push()
    back.release()
    front.release()


def test_a_backend_by_hand_is_one_for_our_frontend() -> None:
    shared = memory()
    front = Front(shared, X86_64.ring)
    back = RawRing(shared, X86_64.ring, back=True)
    front.put(REQUEST * 32)
    front.push()
    assert back.take(2) == [REQUEST] * 2
    back.put([RESPONSE])
    assert back.show()
    assert front.take() == RESPONSE
    assert back.waiting() == 30
    front.release()
    back.release()


def test_who_is_answered_too_often_is_not_blamed_for_it() -> None:
    shared = memory()
    front = RawRing(shared, X86_64.ring)
    back = RawRing(shared, X86_64.ring, back=True)
    front.put([REQUEST])
    front.show()
    back.take()
    back.put([RESPONSE] * 3)
    back.show()
    assert back.waiting() == 0
    front.put([REQUEST] * 2)
    front.show()
    assert back.take() == [REQUEST] * 2
    front.prod += 33
    front.show()
    with pytest.raises(Noticed):
        back.waiting()
    front.release()
    back.release()


@pytest.mark.parametrize("prod", [2, 33, 2**31, 2**32 - 1])
def test_more_answers_than_requests_are_noticed(prod: int) -> None:
    shared = memory()
    front = RawRing(shared, X86_64.ring)
    front.put([REQUEST])
    front.show()
    struct.pack_into("<I", shared, 8, prod)
    with pytest.raises(Noticed) as noticed:
        front.take()
    assert noticed.value.seen.observation is Observation.OVERRUN
    front.release()


def test_indices_wrap() -> None:
    shared = memory()
    front = RawRing(shared, X86_64.ring)
    front.prod = front.cons = 2**32 - 1
    struct.pack_into("<4I", shared, 0, 2**32 - 1, 0, 2**32 - 1, 0)
    back = Back(shared, X86_64.ring)
    front.put([REQUEST, b"s" * X86_64.request.size])
    assert front.show()
    assert back.take() == REQUEST + b"s" * X86_64.request.size
    back.put(RESPONSE * 2)
    back.push()
    assert front.take() == [RESPONSE] * 2
    assert front.cons == 1
    back.release()
    front.release()
