"""Lanes of a load by themselves: what they make, count and send back."""

import select
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from pvdrivers.errors import MachineError
from pvdrivers.net.frame import PLAIN, Abilities, Frame
from pvdrivers.net.load.lanes import EchoLane, LoadLane
from pvdrivers.net.load.port import LoadPort
from pvdrivers.net.load.traffic import STAMP, frame, stamp_at
from pvdrivers.net.ports.base import PackedLane
from pvdrivers.net.record import RECORD
from tests.pvdrivers.net.lanes import taken

PLAIN_64 = frame(64, gso=False)
LARGE = frame(9000, gso=True)


@pytest.fixture(params=[PLAIN_64, LARGE], ids=["plain", "gso"])
def made(request: pytest.FixtureRequest) -> Frame:
    found: Frame = request.param
    return found


@pytest.fixture
def lane(made: Frame) -> Iterator[LoadLane]:
    with closing(LoadLane(made)) as one:
        yield one


def readable(lane: LoadLane) -> bool:
    return bool(select.select([lane], [], [], 0)[0])


def test_frames_are_made_between_beginning_and_end(lane: LoadLane, made: Frame) -> None:
    assert isinstance(lane, PackedLane)
    assert list(lane.receive(5)) == []
    assert not readable(lane)
    lane.begin()
    assert readable(lane)
    before = time.monotonic_ns()
    frames = lane.receive(5)
    after = time.monotonic_ns()
    # Or whoever waits for room would be woken for ever.
    assert not readable(lane)
    assert (len(frames), lane.made, lane.stats.received) == (5, 5, 5)
    at = stamp_at(made)
    for each in frames:
        assert each.offload == made.offload
        (_, stamp) = STAMP.unpack_from(each.data, at)
        assert before <= stamp <= after
        assert bytes(each.data[:at]) == bytes(made.data[:at])
        assert bytes(each.data[at + STAMP.size :]) == bytes(made.data[at + STAMP.size :])
    lane.end()
    assert list(lane.receive(5)) == []
    lane.begin()
    assert readable(lane)


def test_no_more_are_given_than_lie_in_the_arena() -> None:
    with closing(LoadLane(frame(65535, gso=True))) as lane:
        lane.begin()
        frames = lane.receive(256)
        assert len(frames) == lane.made == 16
        assert {id(each.data.obj) for each in frames if isinstance(each.data, memoryview)} == {id(lane.arena.obj)}


def test_few_are_made_at_once_where_few_may_be_under_way() -> None:
    with closing(LoadLane(PLAIN_64, lot=2)) as lane:
        lane.begin()
        assert [len(lane.receive(256)) for _ in range(3)] == [2, 2, 2]
        assert (len(lane.receive(1)), lane.made) == (1, 7)


def test_frames_are_counted_where_they_come(lane: LoadLane, made: Frame) -> None:
    lane.begin()
    with closing(LoadLane(made)) as there:
        assert taken(there, lane.receive(7)) == 7
        strangers = [made, Frame(bytes(20)), Frame(bytes(made.data) + b"\0")]
        assert taken(there, strangers) == 3
        assert (there.counted, there.strange, there.stats.sent) == (10, 3, 10)
        assert there.bytes_counted == 7 * len(made.data) + sum(len(each.data) for each in strangers)
        assert sum(number for *_, number in there.latencies()) == 7
        assert all(begin <= there.longest for begin, *_ in there.latencies())
        there.forget()
        assert (there.latencies(), there.longest, there.counted) == ([], 0, 10)


def test_a_latency_is_from_the_stamp_on() -> None:
    data = bytearray(PLAIN_64.data)
    with closing(LoadLane(PLAIN_64)) as lane:
        lane.begin()
        (mark, _) = STAMP.unpack_from(lane.receive(1)[0].data, stamp_at(PLAIN_64))
        began = time.monotonic_ns()
        for ago, number in ((3_000_000_000, 3), (60_000_000_000, 1)):
            STAMP.pack_into(data, stamp_at(PLAIN_64), mark, time.monotonic_ns() - ago)
            lane.send([Frame(bytes(data))] * number)
        # One that lies in times to come took none.
        STAMP.pack_into(data, stamp_at(PLAIN_64), mark, 2**64 - 1)
        lane.send([Frame(bytes(data))])
        first, second, third = lane.latencies()
        assert first == (0, 1, 1)
        assert second[2] == 3
        assert third[2] == 1
        # So long at most, and a 64th of it.
        assert second[0] <= 3_000_000_000 + time.monotonic_ns() - began
        assert second[1] > 3_000_000_000
        assert third[1] > lane.longest >= 60_000_000_000


def test_a_window_bounds_what_is_under_way() -> None:
    with closing(LoadLane(PLAIN_64, 3)) as lane:
        lane.begin()
        under_way = [Frame(bytes(each.data), each.offload) for each in lane.receive(10)]
        assert len(under_way) == 3
        assert list(lane.receive(10)) == []
        lane.send([*under_way[:1], PLAIN_64])
        assert len(lane.receive(10)) == 1
        # What is lost is none of the next beginning's.
        lane.end()
        lane.begin()
        assert len(lane.receive(10)) == 3


def test_what_comes_goes_back_in_order() -> None:
    with closing(EchoLane(4, 9000)) as lane:
        assert isinstance(lane, PackedLane)
        assert list(lane.receive(5)) == []
        sent = [Frame(bytes([at]) * 60, PLAIN) for at in range(3)]
        assert taken(lane, [*sent, LARGE]) == 4
        first = lane.receive(2)
        assert [bytes(each.data) for each in first] == [each.data for each in sent[:2]]
        # What has been given stays until others are asked for.
        assert taken(lane, [Frame(b"x" * 60)] * 9) == 4
        assert (lane.stats.dropped, [bytes(each.data) for each in first]) == (5, [each.data for each in sent[:2]])
        rest = lane.receive(9)
        assert [bytes(each.data) for each in rest] == [sent[2].data, LARGE.data, *[b"x" * 60] * 4]
        assert rest[1].offload == LARGE.offload
        assert taken(lane, [Frame(bytes(9001))]) == 0
        assert lane.returned == 8
        assert lane.bytes_returned == 7 * 60 + 9000


def test_records_are_what_frames_are(lane: LoadLane, made: Frame) -> None:
    lane.begin()
    records = memoryview(bytearray(3 * RECORD.size))
    assert lane.receive_packed(records) == 3
    for place, length, checksum, gso, gso_size in RECORD.iter_unpack(records):
        assert place % 64 == 0
        assert length == len(made.data)
        assert (checksum, gso, gso_size) == ((2, 1, 1448) if made.offload.gso else (0, 0, 0))
    lane.send_packed(lane.arena, records[: 2 * RECORD.size])
    assert (lane.counted, lane.strange, lane.stats.sent) == (2, 0, 2)


@pytest.mark.parametrize(
    ("reader", "why"),
    [
        (Abilities(longest=9000), "takes no frames that are to be cut"),
        (Abilities(gso_v4=True, longest=8999), "takes frames of 8999 bytes at most"),
    ],
)
def test_a_load_that_the_other_end_cannot_be_told_of(reader: Abilities, why: str) -> None:
    port = LoadPort(lambda: LoadLane(LARGE), LARGE)
    with pytest.raises(MachineError, match=why):
        port.open(1, reader)
    for each in port.open(2, reader._replace(gso_v4=True, longest=9000)):
        each.close()


def test_a_lane_that_its_queue_has_closed_may_be_begun() -> None:
    lane = LoadLane(PLAIN_64)
    lane.close()
    lane.begin()
    assert (lane.fileno(), lane.made) == (-1, 0)
