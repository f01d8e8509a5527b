"""What comes in pages that are posted: slot by slot, and nothing but that."""

import pytest

from pvdrivers.abi.netif import RX_RESPONSE, RX_RING, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance.net.messages import gso
from pvdrivers.conformance.net.posting import Came, PostingLine
from pvdrivers.conformance.observation import Noticed, Observation
from tests.pvdrivers.conformance.net.ends import Deaf, Pages, answer

MORE, EXTRA = RxFlag.MORE_DATA, RxFlag.EXTRA_INFO
GSO = gso(1448, 1)


class Posted:
    """Three pages that were posted, and a backend for them."""

    def __init__(self) -> None:
        self.ring, self.pages = Pages(), Pages(8)
        self.line = PostingLine(self.ring, Deaf(), self.pages)
        self.line.post(3)
        self.idents = [int.from_bytes(self.line.ring.slot(slot)[:2], "little") for slot in range(3)]

    def write(self, page: int, data: bytes, offset: int = 0) -> None:
        """Write to a posted page, as the backend."""
        self.pages.memory[page * PAGE_SIZE + offset : page * PAGE_SIZE + offset + len(data)] = data

    def answer(self, *slots: tuple[int, int, int] | bytes) -> None:
        """Answer each slot in turn: by offset, flags and status; or by an extra."""
        messages = [
            each if isinstance(each, bytes) else RX_RESPONSE.struct.pack(self.idents[at], *each)
            for at, each in enumerate(slots)
        ]
        answer(self.ring, RX_RING, *messages)


@pytest.fixture
def posted() -> Posted:
    return Posted()


def test_a_packet_of_two_pages_with_an_extra(posted: Posted) -> None:
    posted.write(0, b"a" * 100, 16)
    posted.write(2, b"b" * 50)
    posted.answer((16, EXTRA | MORE, 100), GSO, (0, 0, 50))
    came = posted.line.come(0)
    assert came == Came(b"a" * 100 + b"b" * 50, EXTRA | MORE, (GSO,), (16, 0))
    assert came.slots == 3
    assert posted.line.posted == 0
    # As before, for the next one.
    assert set(posted.pages.memory) == {0x70}


def test_a_slot_that_fails(posted: Posted) -> None:
    posted.write(0, b"a" * 100)
    posted.answer((0, MORE, 100), (0, 0, -7))
    came = posted.line.come(0)
    assert (came.data, came.failed) == (b"", -7)


@pytest.mark.parametrize(
    ("slots", "written", "observation"),
    [
        ([(1, 0, 4096)], {}, Observation.STRAYED),
        ([(0, 0, 100)], {0: b"a" * 101}, Observation.FOREIGN),
        ([(0, EXTRA, 100), GSO], {0: b"a" * 100, 1: b"a"}, Observation.CHANGED),
        ([(0, MORE, 100)], {0: b"a" * 100}, Observation.SILENT),
        ([(0, 0, 100)] * 4, {0: b"a" * 100}, Observation.OVERRUN),
    ],
)
def test_what_makes_no_packet(
    posted: Posted, slots: list[tuple[int, int, int] | bytes], written: dict[int, bytes], observation: Observation
) -> None:
    for page, data in written.items():
        posted.write(page, data)
    posted.idents.append(0)
    posted.answer(*slots)
    with pytest.raises(Noticed) as noticed:
        posted.line.come(0)
    assert noticed.value.seen.observation is observation


def test_an_id_in_another_slot(posted: Posted) -> None:
    posted.idents.reverse()
    posted.answer((0, 0, 60))
    with pytest.raises(Noticed) as noticed:
        posted.line.come(0)
    assert noticed.value.seen.observation is Observation.MISNAMED
