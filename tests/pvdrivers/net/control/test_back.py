"""Requests on a control ring: every status that netif.h names, and that a refused one changes nothing."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.netif import CtrlStatus, CtrlType, HashAlgorithm, HashType
from pvdrivers.net.control.back import MAPPING_MAX, Piece, answer, needs
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import ALL_TYPES, Toeplitz

SUCCESS, NOT_SUPPORTED, INVALID, OVERFLOW = CtrlStatus
FREE = Steering(4)
HASHING = Steering(4, HashAlgorithm.TOEPLITZ, HashType.IPV4, Toeplitz(b"key"), (1, 2, 3, 0))
GREF = 9


def entries(*queues: int) -> bytes:
    return struct.pack(f"<{len(queues)}I", *queues)


def asked(steering: Steering, kind: int, *data: int, page: bytes | None = None) -> tuple[Steering, Response]:
    """Ask, by whose data what is to be copied is copied from a page."""
    first, second, third, *_ = (*data, 0, 0, 0)
    request = Request(77, kind, (first, second, third))
    piece = needs(request, steering)
    after, response = answer(request, steering, page[: piece.length] if piece and page is not None else None)
    assert (response.ident, response.type) == (77, kind)
    return after, response


#: What is asked for → what is so from then on, and what comes with the answer.
DONE: list[tuple[Steering, CtrlType, tuple[int, ...], bytes | None, Steering, int]] = [
    (FREE, CtrlType.SET_HASH_ALGORITHM, (1,), None, FREE._replace(algorithm=HashAlgorithm.TOEPLITZ), 0),
    (HASHING, CtrlType.SET_HASH_ALGORITHM, (0,), None, HASHING._replace(algorithm=HashAlgorithm.NONE), 0),
    (HASHING, CtrlType.GET_HASH_FLAGS, (), None, HASHING, 15),
    (HASHING, CtrlType.SET_HASH_FLAGS, (15,), None, HASHING._replace(types=ALL_TYPES), 0),
    (HASHING, CtrlType.SET_HASH_FLAGS, (0,), None, HASHING._replace(types=HashType(0)), 0),
    (HASHING, CtrlType.SET_HASH_KEY, (GREF, 40), bytes(range(99)), HASHING._replace(key=Toeplitz(bytes(range(40)))), 0),
    # A shorter one leaves nothing of that before; one of nothing needs no page.
    (HASHING, CtrlType.SET_HASH_KEY, (GREF, 1), b"\x01\x02", HASHING._replace(key=Toeplitz(b"\x01")), 0),
    (HASHING, CtrlType.SET_HASH_KEY, (GREF, 0), None, HASHING._replace(key=Toeplitz()), 0),
    (FREE, CtrlType.SET_HASH_KEY, (GREF, 1), b"\x01", FREE._replace(key=Toeplitz(b"\x01")), 0),
    (FREE, CtrlType.GET_HASH_MAPPING_SIZE, (), None, FREE, MAPPING_MAX),
    (HASHING, CtrlType.SET_HASH_MAPPING_SIZE, (2,), None, HASHING._replace(mapping=(0, 0)), 0),
    (HASHING, CtrlType.SET_HASH_MAPPING_SIZE, (0,), None, HASHING._replace(mapping=()), 0),
    (FREE, CtrlType.SET_HASH_MAPPING_SIZE, (128,), None, FREE._replace(mapping=(0,) * 128), 0),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 4, 0), entries(3, 3, 3, 3), HASHING._replace(mapping=(3,) * 4), 0),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 1, 2), entries(1), HASHING._replace(mapping=(1, 2, 1, 0)), 0),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 0, 4), None, HASHING, 0),
]

REFUSED: list[tuple[Steering, int, tuple[int, ...], bytes | None, CtrlStatus]] = [
    (FREE, CtrlType.SET_HASH_ALGORITHM, (2,), None, INVALID),
    (FREE, CtrlType.SET_HASH_ALGORITHM, (0xFFFFFFFF,), None, INVALID),
    (FREE, CtrlType.GET_HASH_FLAGS, (), None, NOT_SUPPORTED),
    (FREE, CtrlType.SET_HASH_FLAGS, (15,), None, INVALID),
    (HASHING, CtrlType.SET_HASH_FLAGS, (16,), None, INVALID),
    (HASHING, CtrlType.SET_HASH_FLAGS, (0x80000001,), None, INVALID),
    (HASHING, CtrlType.SET_HASH_KEY, (GREF, 41), bytes(41), OVERFLOW),
    (HASHING, CtrlType.SET_HASH_KEY, (GREF, 0xFFFFFFFF), bytes(99), OVERFLOW),
    # Nobody has granted that page.
    (HASHING, CtrlType.SET_HASH_KEY, (GREF, 40), None, INVALID),
    (HASHING, CtrlType.SET_HASH_MAPPING_SIZE, (129,), None, INVALID),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 1, 0), None, INVALID),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 2, 3), entries(0, 0), INVALID),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 0, 5), None, INVALID),
    # Together, 0 in 32 bits.
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 2, 0xFFFFFFFE), entries(0, 0), INVALID),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 129, 0), bytes(516), OVERFLOW),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 0x40000001, 0), bytes(4), OVERFLOW),
    # There are four queues; and none yet.
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 2, 0), entries(3, 4), INVALID),
    (HASHING, CtrlType.SET_HASH_MAPPING, (GREF, 2, 0), entries(0xFFFFFFFF, 0), INVALID),
    (HASHING._replace(queues=0), CtrlType.SET_HASH_MAPPING, (GREF, 1, 0), entries(0), INVALID),
    # Before there is a size.
    (FREE, CtrlType.SET_HASH_MAPPING, (GREF, 1, 0), entries(0), INVALID),
    (HASHING, CtrlType.GET_GREF_MAPPING_SIZE, (), None, NOT_SUPPORTED),
    (HASHING, CtrlType.ADD_GREF_MAPPING, (0, GREF, 1), bytes(8), NOT_SUPPORTED),
    (HASHING, CtrlType.DEL_GREF_MAPPING, (0, GREF, 1), bytes(8), NOT_SUPPORTED),
    (HASHING, CtrlType.INVALID, (), None, NOT_SUPPORTED),
    (HASHING, 11, (), None, NOT_SUPPORTED),
    (HASHING, 0xFFFF, (1, 2, 3), None, NOT_SUPPORTED),
]


@pytest.mark.parametrize(("before", "kind", "data", "page", "after", "value"), DONE)
def test_what_is_done(
    before: Steering, kind: CtrlType, data: tuple[int, ...], page: bytes | None, after: Steering, value: int
) -> None:
    assert asked(before, kind, *data, page=page) == (after, Response(77, kind, SUCCESS, value))


@pytest.mark.parametrize(("before", "kind", "data", "page", "status"), REFUSED)
def test_what_is_refused_changes_nothing(
    before: Steering, kind: int, data: tuple[int, ...], page: bytes | None, status: CtrlStatus
) -> None:
    assert asked(before, kind, *data, page=page) == (before, Response(77, kind, status))


def test_every_type_has_cases() -> None:
    assert {kind for _, kind, *_ in REFUSED} | {kind for _, kind, *_ in DONE} >= set(CtrlType)


@pytest.mark.parametrize(
    ("request_", "piece"),
    [
        (Request(1, CtrlType.SET_HASH_KEY, (GREF, 40, 0)), Piece(GREF, 40)),
        (Request(1, CtrlType.SET_HASH_KEY, (GREF, 41, 0)), None),
        (Request(1, CtrlType.SET_HASH_KEY, (GREF, 0, 0)), None),
        (Request(1, CtrlType.SET_HASH_MAPPING, (GREF, 3, 1)), Piece(GREF, 12)),
        (Request(1, CtrlType.SET_HASH_MAPPING, (GREF, 4, 1)), None),
        (Request(1, CtrlType.SET_HASH_FLAGS, (GREF, 4, 1)), None),
        (Request(1, CtrlType.ADD_GREF_MAPPING, (0, GREF, 1)), None),
    ],
)
def test_nothing_is_copied_that_is_of_no_use(request_: Request, piece: Piece | None) -> None:
    assert needs(request_, HASHING) == piece


def test_another_length_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="39 bytes were copied, not 40"):
        answer(Request(1, CtrlType.SET_HASH_KEY, (GREF, 40, 0)), HASHING, bytes(39))


words = st.one_of(st.integers(0, 130), st.integers(0, 2**32 - 1))
pages = st.lists(st.integers(0, 5), max_size=8).map(lambda queues: entries(*queues).ljust(4096, b"\0"))


@given(st.lists(st.tuples(st.integers(0, 12), words, words, words, st.none() | pages), max_size=12))
def test_whatever_is_asked_for_the_queues_are_those_that_there_are(
    requests: list[tuple[int, int, int, int, bytes | None]],
) -> None:
    steering = FREE
    for kind, first, second, third, page in requests:
        before = steering
        steering, response = asked(steering, kind, first, second, third, page=page)
        assert response.status in set(CtrlStatus)
        if response.status != SUCCESS:
            assert steering == before
            assert response.data == 0
        assert all(queue < steering.queues for queue in steering.mapping)
        assert len(steering.mapping) <= MAPPING_MAX
