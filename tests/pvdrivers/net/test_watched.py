"""What is shown of packets to who watches a vif: all of them, as they lay in their rings, and what became of each."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import iter_unpack

import pytest

from pvdrivers.abi.netif import RX_RESPONSE, TX_REQUEST, TX_RESPONSE, GsoType, NetifRsp
from pvdrivers.net import watched
from pvdrivers.net.errors import Refusal
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.net.packet import rx_back, tx_back, tx_front
from pvdrivers.net.packet.slots import Slot
from pvdrivers.net.watched import Seen, Watched
from pvdrivers.transport.loopback import Machine, machine
from tests.pvdrivers.net.lanes import STUCK
from tests.pvdrivers.net.queues import BACK, FRONT, ends

BLANK = Offload(Checksum.BLANK, GsoType.TCPV4, 1448)


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path, [BACK, FRONT]) as made:
        yield made


class Notes:
    """Keeps all that is shown."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen: list[tuple[int, Seen]] = []

    def saw(self, queue: int, packets: Iterable[Seen]) -> None:
        with self._changed:
            self._seen += [(queue, each._replace(data=bytes(each.data))) for each in packets]
            self._changed.notify_all()

    def got(self, count: int) -> list[tuple[int, Seen]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._seen) >= count, STUCK), len(self._seen)
            return list(self._seen)


def test_packets_of_both_ways_are_shown_as_long_as_somebody_watches(loopback: Machine) -> None:
    frame, answer = Frame(bytes(range(200)) * 30, BLANK), Frame(bytes(range(100)) * 50)
    seen, notes = Watched(), Notes()
    with ends(loopback) as made:
        lane = made.join(seen=seen, number=3)
        made.front_lane.give([frame])
        lane.got(1)
        seen.by = notes
        made.front_lane.give([frame])
        ((queue, there),) = notes.got(1)
        lane.give([answer])
        _, back = notes.got(2)[1]
        made.front_lane.got(1)
        seen.by = None
        made.front_lane.give([frame])
        lane.got(3)
        assert len(notes.got(2)) == 2
    assert (queue, there.sent, there.data) == (3, True, frame.data)
    (packet,) = tx_back.parse(there.requests).packets
    assert (packet.offload, packet.extras, len(packet.slots), packet.size) == (BLANK, 1, 2, 6000)
    assert [status for _, status in TX_RESPONSE.struct.iter_unpack(there.answers)] == [0, int(NetifRsp.NULL), 0]
    assert (back.sent, back.data) == (False, answer.data)
    assert [status for *_, status in RX_RESPONSE.struct.iter_unpack(back.answers)] == [4096, 904]
    posted = rx_back.posted(back.requests)
    assert [ident for ident, _ in posted] == [ident for ident, *_ in RX_RESPONSE.struct.iter_unpack(back.answers)]
    # Pages are granted, whichever they were.
    assert len({gref for _, gref in posted}) == 2


def test_what_is_refused_and_what_ends_a_ring_is_shown_too() -> None:
    good = tx_front.requests([Slot(1, 10, 0, 60)])
    group = tx_front.multicast(2, bytes.fromhex("01005e000001"), add=True)
    short = TX_REQUEST.struct.pack(11, 0, 0, 3, 13)
    fatal = TX_REQUEST.struct.pack(12, 4000, 0, 4, 1000)
    messages = good + group + short + fatal
    taken = tx_back.parse(messages)
    answers = [tx_back.respond(taken.packets[0], [0]), *(tx_back.respond(each) for each in taken.packets[1:])]
    shown = list(watched.sent(taken, messages, memoryview(bytes(range(60))), answers))
    assert [each.requests for each in shown] == [good, group, short, fatal]
    assert [bytes(each.data) for each in shown] == [bytes(range(60)), b"", b"", b""]
    assert [len(each.answers) for each in shown] == [4, 8, 4, 0]
    (refused,) = tx_back.parse(shown[2].requests).packets
    assert refused.refused
    assert refused.refused.refusal is Refusal.TX_SHORT
    end = tx_back.parse(shown[3].requests).fatal
    assert end
    assert end.refusal is Refusal.TX_BEYOND_PAGE


def test_an_endless_packet_is_shown_as_far_as_it_was_looked_at() -> None:
    slot = TX_REQUEST.struct.pack(1, 0, 4, 1, 100)
    messages = slot * 64
    taken = tx_back.parse(messages)
    (shown,) = watched.sent(taken, messages, memoryview(b""), [])
    assert len(shown.requests) == (tx_back.LONGEST + 1) * TX_REQUEST.size
    assert tx_back.parse(shown.requests).fatal
    assert len(list(iter_unpack("<12s", shown.requests))) == 27
