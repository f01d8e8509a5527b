"""One queue of a frontend: takes frames from a port's lane to the backend, and from there to the lane.

Law: a backend is a peer, and may be anybody. Frames go through pages that are granted for nothing else (`pool`); an
answer to what was not asked ends the queue, and a packet that makes no sense is dropped and its pages posted again.

What is plain goes both ways by `plain`, compiled, and all else by `packet`.

Ref: Linux drivers/net/xen-netfront.c
"""

from collections import deque
from contextlib import ExitStack

from pvdrivers.abi.netif import MAX_TX_SIZE, RX_RING, TX_RING
from pvdrivers.abi.wire import ETHERNET_SIZE
from pvdrivers.net.frame import Frame
from pvdrivers.net.front.plain.receiving import Receiving
from pvdrivers.net.front.plain.sending import PAGES as MOST
from pvdrivers.net.front.plain.sending import Asked, Sending
from pvdrivers.net.front.pool import Pool
from pvdrivers.net.packet import rx_front, tx_front
from pvdrivers.net.packet.slots import pages as slots_of
from pvdrivers.net.ports.base import Lane, PackedLane
from pvdrivers.net.ports.packed import DirectLane
from pvdrivers.net.record import unpack
from pvdrivers.net.stats import Stats
from pvdrivers.ring import Front
from pvdrivers.ring.owned import own
from pvdrivers.ring.queue import ThreadedQueue
from pvdrivers.ring.waiting import Besides, Waiting
from pvdrivers.transport.base import Transport

#: Pages for either direction: as many as a ring has slots. Linux's gntalloc gives 1024 to all of a machine's programs.
PAGES = 256
_BATCH = 128
#: Slots of a change to the list of multicast addresses.
_LISTED = 2
_TX, _RX = 0, 1


class FrontQueue(ThreadedQueue):
    """A queue, with rings, channels and pages of its own, whose numbers are for the backend to know.

    :param domid: the backend's
    :param lane: which belongs to it from now on
    :param split: a channel for either ring, and not one for both
    :param pages: for each direction
    :param compiled: False for the reference alone
    :raises MachineError: there are not so many pages, or no channel; the lane is still the caller's
    """

    def __init__(
        self,
        transport: Transport,
        domid: int,
        lane: Lane,
        *,
        split: bool = True,
        pages: int = PAGES,
        compiled: bool = True,
    ) -> None:
        self._lane, self._compiled = lane, compiled
        self._packed = lane if compiled and isinstance(lane, PackedLane) else None
        # Frames go from there right into pages, if there are enough for any.
        self._direct = lane if self._packed and isinstance(lane, DirectLane) and pages >= MOST else None
        self._stats = Stats()
        with ExitStack() as owned:
            pages_of_rings = [own(owned, transport.grant(domid), "revoke") for _ in (_TX, _RX)]
            self._sending = own(owned, Pool(transport, domid, pages, writable=False), "close")
            self._receiving = own(owned, Pool(transport, domid, pages, writable=True), "close")
            self._channels = [own(owned, transport.alloc_unbound(domid), "close") for _ in range(1 + split)]
            self._rings = Front(pages_of_rings[_TX].memory, TX_RING), Front(pages_of_rings[_RX].memory, RX_RING)
            for ring in self._rings:
                own(owned, ring, "release")
            lines = zip(self._rings, (self._channels[0], self._channels[-1]), strict=True)
            waiting = Waiting(*lines, counts=self._stats, besides=self._besides, wanted=self._wanted)
            super().__init__(waiting, owned.pop_all())
        #: What the backend is to be told: the pages of both rings.
        self.grefs = tuple(tuple(each.grefs) for each in pages_of_rings)
        # Requests that are not answered: pages that are being sent, and how many slots of extras.
        self._asked = Asked()
        self._plain = Sending(self._sending, self._asked, _BATCH)
        # A frame for which there was no room.
        self._held: deque[Frame] = deque()
        # Pages for what is received are posted by it.
        self._posted = Receiving(self._receiving)
        # Multicast addresses, and whether they are wanted, of which the backend has not been told.
        self._changes: deque[tuple[bytes, bool]] = deque()
        self._ending = False
        for one in (self._plain, self._posted, lane):
            own(self._owned, one, "close")

    @property
    def ports(self) -> tuple[int, ...]:
        """The channels, for the backend to bind."""
        return tuple(channel.port for channel in self._channels)

    @property
    def stats(self) -> Stats:
        """What has been done until now."""
        lane = self._lane.stats
        return self._stats + Stats(dropped=lane.dropped, syscalls=lane.syscalls)

    @property
    def busy(self) -> int:
        """Frames that the backend has not answered."""
        return len(self._asked)

    def listen(self, address: bytes, *, wanted: bool = True) -> None:
        """Have an address added to the backend's list of those that multicast is passed on for; from any thread.

        :param address: of six bytes
        :param wanted: False to have it deleted
        """
        self._changes.append((address, wanted))
        self._waiting.wake()

    def stop(self) -> None:
        """Let `run` come to its end; does not wait for it, nor for answers: the backend may never give them."""
        self._ending = True
        self._waiting.stop(drain=False)

    def _before(self) -> None:
        self._post()

    def _besides(self) -> Besides:
        return Besides(-1 if self._waits else self._lane.fileno())

    def _wanted(self, line: int) -> int:
        # Answers to what was sent give room, which is of use once a frame waits for it; then half of them do.
        if line == _RX:
            return 1
        ring = self._rings[_TX]
        return max((ring.size - ring.room) // 2, 1) if self._waits or self._changes else 0

    @property
    def _waits(self) -> bool:
        # Frames wait for room, here or in the lane.
        return bool(self._held or self._plain.held or self._plain.full)

    def _turn(self) -> bool:
        received = self._receive()
        answered = self._answered()
        return not self._ending and (self._send() or received or answered)

    # To the backend.

    def _send(self) -> bool:
        requests = self._listed() if self._changes else []
        room = self._rings[_TX].room - _LISTED * len(requests)
        if self._packed:
            requests.append(self._send_plain(self._packed, room))
        else:
            requests += self._send_any(room)
        messages = b"".join(requests)
        self._waiting.send(messages, _TX)
        return bool(messages)

    def _send_plain(self, lane: PackedLane, room: int) -> bytes:
        plain, requests = self._plain, b""
        while self._direct and not plain.held and (line := self._direct.direct):
            requests += plain.read(line, room)
            room -= plain.slots
            self._sent()
            self._direct.settle(plain.packets + plain.errors)
            if not line.left:
                return requests
        if not plain.held:
            frames = lane.receive_packed(plain.room)
            if not frames:
                return requests
            plain.hold(frames)
        requests += plain.form(lane.arena, room)
        self._sent()
        return requests

    def _sent(self) -> None:
        plain, stats = self._plain, self._stats
        stats.tx_packets += plain.packets
        stats.tx_bytes += plain.size
        stats.tx_slots += plain.slots
        stats.tx_errors += plain.errors

    def _send_any(self, room: int) -> list[bytes]:
        requests = []
        if not self._held:
            self._held.extend(self._lane.receive(_BATCH))
        while self._held:
            frame = self._held[0]
            size = len(frame.data)
            if not ETHERNET_SIZE <= size <= MAX_TX_SIZE:
                self._stats.tx_errors += 1
                self._held.popleft()
                continue
            slots = tx_front.needed(frame)
            pages = slots_of(size)
            if slots > room or pages > self._sending.free:
                break
            room -= slots
            requests.append(self._request(self._held.popleft(), pages))
            self._stats.tx_slots += slots
        return requests

    def _listed(self) -> list[bytes]:
        requests: list[bytes] = []
        room = self._rings[_TX].room // _LISTED
        while self._changes and self._sending.free and len(requests) < room:
            address, wanted = self._changes.popleft()
            # A page that nothing is written to, for its id.
            ((ident, _),) = self._sending.take(1)
            requests.append(tx_front.multicast(ident, address, add=wanted))
            self._asked.add(ident)
            self._asked.extras += 1
            self._stats.tx_slots += _LISTED
        return requests

    def _request(self, frame: Frame, pages: int) -> bytes:
        places = self._sending.take(pages)
        slots = tx_front.over(len(frame.data), places)
        self._sending.write(frame.data, slots)
        for ident, _ in places:
            self._asked.add(ident)
        self._asked.extras += tx_front.needed(frame) - pages
        self._stats.tx_packets += 1
        self._stats.tx_bytes += len(frame.data)
        return tx_front.requests(slots, frame.offload, frame.hash)

    def _answered(self) -> bool:
        responses = self._waiting.take(self._rings[_TX].size, _TX)
        if not responses:
            return False
        if self._compiled and self._plain.answered(responses):
            self._stats.tx_errors += self._plain.failed
            return True
        found = tx_front.answered(responses, self._asked, self._asked.extras)
        self._asked.discard(found.ids)
        self._asked.extras -= found.extras
        self._stats.tx_errors += len(found.failed)
        self._sending.give(found.ids)
        return True

    # From the backend.

    def _post(self) -> None:
        self._waiting.send(self._posted.post(self._rings[_RX].room), _RX)

    def _receive(self) -> bool:
        responses = self._waiting.take(self._rings[_RX].size, _RX)
        if not responses:
            return False
        size = RX_RING.response.size
        count, taken = len(responses) // size, 0
        if self._compiled:
            taken = self._posted.take(responses)
            self._stats.rx_slots += taken
            self._pass_plain()
        frames = self._any(responses[taken * size :], taken, count - taken) if taken < count else []
        self._posted.give(count)
        self._post()
        if frames:
            self._passed(len(frames), sum(len(frame.data) for frame in frames))
            self._lane.send(frames)
        return True

    def _pass_plain(self) -> None:
        posted = self._posted
        if not posted.frames:
            return
        self._passed(posted.frames, posted.size)
        if self._packed:
            self._packed.send_packed(posted.arena, posted.records)
        else:
            # Whoever takes frames in a list may keep them.
            self._lane.send(unpack(memoryview(bytes(posted.arena[: posted.used])), posted.records))

    def _passed(self, frames: int, size: int) -> None:
        self._stats.rx_packets += frames
        self._stats.rx_bytes += size

    def _any(self, responses: bytes, first: int, count: int) -> list[Frame]:
        places = self._posted.places(first, count)
        frames = []
        for packet in rx_front.parse(responses, places):
            self._stats.rx_slots += packet.messages
            if packet.refused:
                self._stats.rx_errors += 1
            else:
                # Copied: the backend can still write there.
                frames.append(Frame(self._receiving.read(packet.pieces), packet.offload, packet.hash))
        return frames
