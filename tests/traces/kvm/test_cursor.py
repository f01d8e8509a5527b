"""Pages cut by the compiled loop, held to their declaration."""

import io
import random

import pytest

from tests.traces.kvm.traces import PAGE, Told, page, sample, unpack
from traces.kvm.decode import reference, tracedat
from traces.kvm.table import Told as TraceTold
from traces.kvm.table import read


def _cut(*pages: bytes) -> list[tuple[int, bytes]]:
    found = []
    for table in read([(0, PAGE)], [iter(pages)], TraceTold({}, {})):
        raw = table.data.tobytes()
        ends = (table.place + table.length).tolist()
        found += [(ts, raw[at:end]) for ts, at, end in zip(table.tsc.tolist(), table.place.tolist(), ends, strict=True)]
    return found


def test_real_pages() -> None:
    file = io.BytesIO(sample())
    trace = tracedat.read(file, unpack)
    total = 0
    for stream in trace.streams:
        for piece in tracedat.pages(file, stream, unpack, 1 << 20, lambda code, at: pytest.fail(f"{code} {at}")):
            for at in range(0, len(piece), PAGE):
                expected = [(one.ts, one.data) for one in reference.decode(piece[at : at + PAGE])]
                assert _cut(piece[at : at + PAGE]) == expected
                total += len(expected)
    assert total == 3713  # as `trace-cmd report` has lines of them


def _four(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _word(kind: int, delta: int) -> bytes:
    return _four(delta << 5 | kind)


def _page(body: bytes, ts: int = 1000) -> bytes:
    return (ts.to_bytes(8, "little") + len(body).to_bytes(8, "little") + body).ljust(PAGE, b"\0")


EVENT = bytes(range(8))


@pytest.mark.parametrize(
    ("body", "times"),
    [
        (_word(2, 5) + EVENT + _word(2, 7) + EVENT, [1005, 1012]),
        # A long one says its length in a word of its own, which counts itself.
        (_word(0, 5) + _four(4 + 120) + bytes(120) + _word(2, 1) + EVENT, [1005, 1006]),
        # Its length need not be of whole words, but it takes them.
        (_word(0, 5) + _four(4 + 118) + bytes(120) + _word(2, 1) + EVENT, [1005, 1006]),
        (_word(30, 3) + _four(2) + _word(2, 1) + EVENT, [1000 + (2 << 27) + 3 + 1]),
        (_word(31, 9) + _four(4) + _word(2, 1) + EVENT, [(4 << 27) + 9 + 1]),
        # What was taken back keeps its time; without one, it fills the page.
        (_word(29, 4) + _four(12) + bytes(8) + _word(2, 1) + EVENT, [1005]),
        (_word(2, 1) + EVENT + _word(29, 0) + _four(8) + _word(2, 1) + EVENT, [1001]),
        (b"", []),
    ],
)
def test_kinds_of_records(body: bytes, times: list[int]) -> None:
    assert [ts for ts, _ in _cut(_page(body))] == times
    assert [one.ts for one in reference.decode(_page(body))] == times


def test_a_stamp_keeps_the_highest_bits_of_the_time_before() -> None:
    before = 3 << 59 | 17
    body = _word(31, 9) + _four(4) + _word(2, 1) + EVENT
    assert [ts for ts, _ in _cut(_page(body, before))] == [3 << 59 | (4 << 27) + 10]


def test_pages_of_chance() -> None:
    chance = random.Random(11)  # noqa: S311 - no secret depends on it
    for _ in range(200):
        ts, told = chance.randrange(1 << 40), []
        for _ in range(chance.randrange(40)):
            ts += chance.choice([0, 1, 1000, (1 << 27) - 1, 1 << 27, 1 << 33])
            told.append(Told(ts, chance.randrange(1 << 15), chance.choice(["kvm_entry", "kvm_mmio", "kvm_inj_virq"])))
        made = page(told)
        assert [ts for ts, _ in _cut(made)] == [one.ts for one in told]
        assert _cut(made) == [(one.ts, one.data) for one in reference.decode(made)]
