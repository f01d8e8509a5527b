"""A queue that answers each message at once, on a loopback: in order, and with a bad ring as its own end alone."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pvdrivers.abi.netif import TX_RING
from pvdrivers.abi.ring import HEADER
from pvdrivers.bus.answering import Answering
from pvdrivers.bus.rings import Shared
from pvdrivers.errors import BadRing, NotGranted, NotOffered
from pvdrivers.ring import Front
from pvdrivers.transport.base import Channel, Grant
from pvdrivers.transport.loopback import Loopback, machine

BACK, GUEST = 0, 5


class Ends(NamedTuple):
    """A frontend by hand, and where its backend is."""

    dom0: Loopback
    grant: Grant
    channel: Channel
    ring: Front

    @property
    def shared(self) -> Shared:
        return Shared((tuple(self.grant.grefs),), (self.channel.port,))


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    with machine(tmp_path, [BACK, GUEST]), Loopback(tmp_path, BACK) as dom0, Loopback(tmp_path, GUEST) as guest:
        grant, channel = guest.grant(BACK), guest.alloc_unbound(BACK)
        ring = Front(grant.memory, TX_RING)
        yield Ends(dom0, grant, channel, ring)
        ring.release()


def requests(first: int, number: int) -> bytes:
    return b"".join(TX_RING.request.struct.pack(7, 0, 0, ident % 2**16, 64) for ident in range(first, first + number))


def answer(message: bytes) -> bytes:
    _, _, _, ident, _ = TX_RING.request.struct.unpack(message)
    return TX_RING.response.struct.pack(ident, 0)


def test_each_request_is_answered_in_order(ends: Ends) -> None:
    queue = Answering.joined(ends.dom0, GUEST, ends.shared, TX_RING, answer)
    thread = threading.Thread(target=queue.run)
    thread.start()
    got = b""
    total = 3 * ends.ring.size
    put, size = 0, TX_RING.response.size
    while len(got) < total * size:
        number = min(ends.ring.room, total - put)
        ends.ring.put(requests(put, number))
        put += number
        if ends.ring.push():
            ends.channel.notify()
        got += ends.ring.take()
        # What there is room for by now is asked before anything is waited for.
        if len(got) < put * size and not ends.ring.final_check():
            assert ends.channel.wait(120)
            ends.channel.unmask()
    queue.stop()
    thread.join()
    assert got == b"".join(TX_RING.response.struct.pack(ident % 2**16, 0) for ident in range(total))
    assert queue.error is None
    assert (queue.stats.requests, queue.busy) == (total, 0)
    # All is given back: the frontend may have its page again.
    ends.ring.release()
    ends.grant.revoke()


def test_what_lies_in_the_ring_is_answered_before_the_end(ends: Ends) -> None:
    ends.ring.put(requests(0, 5))
    ends.ring.push()
    queue = Answering.joined(ends.dom0, GUEST, ends.shared, TX_RING, answer)
    queue.stop()
    queue.run()
    assert ends.ring.take() == b"".join(TX_RING.response.struct.pack(ident, 0) for ident in range(5))


def test_an_impossible_index_ends_it_and_nothing_else(ends: Ends) -> None:
    queue = Answering.joined(ends.dom0, GUEST, ends.shared, TX_RING, answer)
    HEADER.struct.pack_into(ends.grant.memory, 0, 0x80000000, 1, 0, 1, b"", b"")
    queue.run()
    assert isinstance(queue.error, BadRing)
    assert queue.stats.requests == 0
    # Nothing of it is left: another may be made, and finds the ring as it is.
    HEADER.struct.pack_into(ends.grant.memory, 0, 0, 1, 0, 1, b"", b"")
    Answering.joined(ends.dom0, GUEST, ends.shared, TX_RING, answer).close()


def test_what_cannot_be_joined_leaves_nothing(ends: Ends) -> None:
    (grefs,), (port,) = ends.shared
    with pytest.raises(NotGranted):
        Answering.joined(ends.dom0, GUEST, Shared(((grefs[0] + 1,),), (port,)), TX_RING, answer)
    with pytest.raises(NotOffered):
        Answering.joined(ends.dom0, GUEST, Shared((grefs,), (port + 1,)), TX_RING, answer)
    HEADER.struct.pack_into(ends.grant.memory, 0, 0x80000000, 1, 0, 1, b"", b"")
    with pytest.raises(BadRing):
        Answering.joined(ends.dom0, GUEST, ends.shared, TX_RING, answer)
    HEADER.struct.pack_into(ends.grant.memory, 0, 0, 1, 0, 1, b"", b"")
    Answering.joined(ends.dom0, GUEST, ends.shared, TX_RING, answer).close()
