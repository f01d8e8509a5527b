"""Requests that cannot be done: why, as it is judged by, and what their frontend is told."""

from collections.abc import Sequence

import pytest

from pvdrivers.abi.blkif import SEGMENT, X86_64, BlkifOp, BlkifRsp
from pvdrivers.block.errors import BadRequest, Refusal
from pvdrivers.block.request import Limits, parse
from pvdrivers.conformance.block.messages import direct, discard, indirect
from pvdrivers.errors import NotGranted

LAYOUT = X86_64
READ, WRITE, FLUSH = BlkifOp.READ, BlkifOp.WRITE, BlkifOp.FLUSH_DISKCACHE
PAGE = [(7, 0, 7)]
DISK = Limits(2048, 4096, max_indirect=4)
LOCKED = DISK._replace(readonly=True)
SIMPLE = Limits(2048, flush=False, discard=False)
#: The page of an indirect request's segments; nobody has granted any other.
GRANTED = 9

CASES: list[tuple[Refusal, int, bytes, Limits]] = [
    (Refusal.NO_OPERATION, 4, direct(LAYOUT, 4, 1, 0, PAGE), DISK),
    (Refusal.NO_FLUSH, FLUSH, direct(LAYOUT, FLUSH, 1, 0, []), SIMPLE),
    (Refusal.NO_INDIRECT, READ, indirect(LAYOUT, READ, 1, 0, 1, [GRANTED]), SIMPLE),
    (Refusal.NO_DISCARD, BlkifOp.DISCARD, discard(LAYOUT, 1, 0, 8), SIMPLE),
    (Refusal.NO_SECURE, BlkifOp.DISCARD, discard(LAYOUT, 1, 0, 8, 1), DISK),
    (Refusal.SEGMENTS, READ, direct(LAYOUT, READ, 1, 0, PAGE, 12), DISK),
    (Refusal.SEGMENTS, READ, indirect(LAYOUT, READ, 1, 0, 5, [GRANTED]), DISK),
    (Refusal.SEGMENTS, READ, indirect(LAYOUT, READ, 1, 0, 0, [GRANTED]), DISK),
    (Refusal.NO_SEGMENTS, WRITE, direct(LAYOUT, WRITE, 1, 0, []), DISK),
    (Refusal.SECTORS_OF_PAGE, READ, direct(LAYOUT, READ, 1, 0, [(7, 0, 8)]), DISK),
    (Refusal.SECTORS_OF_PAGE, READ, direct(LAYOUT, READ, 1, 0, [(7, 2, 1)]), DISK),
    (Refusal.INDIRECT_OPERATION, FLUSH, indirect(LAYOUT, FLUSH, 1, 0, 1, [GRANTED]), DISK),
    (Refusal.INDIRECT_PAGES, READ, indirect(LAYOUT, READ, 1, 0, 1, [8]), DISK),
    (Refusal.READ_ONLY, WRITE, direct(LAYOUT, WRITE, 1, 0, PAGE), LOCKED),
    (Refusal.READ_ONLY, BlkifOp.DISCARD, discard(LAYOUT, 1, 0, 8), LOCKED),
    (Refusal.NOTHING, BlkifOp.DISCARD, discard(LAYOUT, 1, 0, 0), DISK),
    (Refusal.BEYOND_END, READ, direct(LAYOUT, READ, 1, 2048, PAGE), DISK),
    (Refusal.BEYOND_END, BlkifOp.DISCARD, discard(LAYOUT, 1, 2040, 16), DISK),
    (Refusal.UNALIGNED, READ, direct(LAYOUT, READ, 1, 8, [(7, 0, 3)]), DISK),
    (Refusal.UNALIGNED, BlkifOp.DISCARD, discard(LAYOUT, 1, 4, 8), DISK),
]
UNSUPPORTED = {
    Refusal.NO_OPERATION,
    Refusal.NO_FLUSH,
    Refusal.NO_INDIRECT,
    Refusal.NO_DISCARD,
    Refusal.NO_SECURE,
}


def fetch(pages: Sequence[tuple[int, int]]) -> bytes:
    for gref, _ in pages:
        if gref != GRANTED:
            raise NotGranted(5, [gref])
    return b"".join(SEGMENT.struct.pack(7, 0, 7) * (length // SEGMENT.size) for _, length in pages)


@pytest.mark.parametrize(("refusal", "operation", "message", "limits"), CASES, ids=lambda value: str(value)[:40])
def test_what_is_refused_is_told_apart(refusal: Refusal, operation: int, message: bytes, limits: Limits) -> None:
    with pytest.raises(BadRequest) as error:
        parse(message, LAYOUT, limits, fetch)
    assert (error.value.ident, error.value.operation, error.value.refusal) == (1, operation, refusal)
    assert refusal.status == (BlkifRsp.EOPNOTSUPP if refusal in UNSUPPORTED else BlkifRsp.ERROR)


def test_every_refusal_has_a_case() -> None:
    assert {refusal for refusal, *_ in CASES} == set(Refusal)
