"""A port with nobody behind it."""

from pvdrivers.net.frame import Frame
from pvdrivers.net.ports.base import ALL, PackedLane
from pvdrivers.net.ports.null import Null
from pvdrivers.net.record import RECORD, pack


def test_all_is_taken_in_either_form_and_nothing_given() -> None:
    first, second = Null().open(2, ALL)
    assert isinstance(first, PackedLane)
    frames = [Frame(b"x" * 60), Frame(b"y" * 70)]
    first.send(frames)
    first.send_packed(memoryview(bytes(130)), memoryview(pack(frames)))
    assert (first.stats.sent, second.stats.sent) == (4, 0)
    assert (list(first.receive(9)), first.receive_packed(memoryview(bytearray(9 * RECORD.size)))) == ([], 0)
    assert first.fileno() == -1
