"""One queue of a backend: takes packets from a frontend to a port's lane, and from there to the frontend.

Law: a frontend's nonsense ends this queue at most, and only where Linux's backend would end it. A packet is copied as a
whole before anything in it is looked at. Answers go in the order of the ring, so that a successor can go on at its
``rsp_prod`` with what this one had taken and not answered: no journal is needed.

A packet's way: `parse` → copied, many at once → the lane → answered. A frame's: the lane → `lay` → copied → answered.
What is plain goes both by `plain`, compiled, unless somebody watches (`watched`), who is shown packets on this way.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from pvdrivers.abi.netif import RX_RING, TX_REQUEST, TX_RING, NetifRsp
from pvdrivers.net import watched
from pvdrivers.net.back.credit import Credit
from pvdrivers.net.back.plain.passed import Passed
from pvdrivers.net.back.plain.sent import Sent
from pvdrivers.net.back.spread import Spread
from pvdrivers.net.back.stall import Stall
from pvdrivers.net.frame import Frame
from pvdrivers.net.multicast import Multicast
from pvdrivers.net.packet import rx_back, tx_back
from pvdrivers.net.packet.slots import Slot
from pvdrivers.net.packet.tx_back import Packet
from pvdrivers.net.plain import Posted
from pvdrivers.net.ports.base import Lane, PackedLane
from pvdrivers.net.record import unpack
from pvdrivers.net.stats import Stats
from pvdrivers.net.watched import Watched
from pvdrivers.ring import Back
from pvdrivers.ring.indices import Indices
from pvdrivers.ring.owned import own
from pvdrivers.ring.queue import ThreadedQueue
from pvdrivers.ring.waiting import Besides, Waiting
from pvdrivers.transport.base import Channel, Mapping, Piece, Transport

#: Packets, or slots, that are taken at once: few enough that neither direction waits long for the other, and half of a
#: ring, so that its other end has something to do meanwhile.
_BATCH = 128
_TX, _RX = 0, 1


class BackQueue(ThreadedQueue):
    """A queue. Its rings, ``channels`` and ``lane`` belong to it from now on.

    :param rings: the frontend's pages for what it sends, and for what it receives, mapped
    :param channels: for either ring, or one for both
    :param headroom: bytes to be left free in each of the frontend's pages
    :param notifies: whether the frontend tells when it has posted pages
    :param credit: bounds what it sends
    :param stall: bounds how long frames wait for it
    :param multicast: its list of addresses, as its queues' requests change it; without, they are refused
    :param resume: a former life may have been killed before it notified
    :param number: of the vif's queues, from 0 on
    :param seen: by whom, if by anybody
    :param compiled: False for the reference alone
    :raises BadRing: the indices of a ring are impossible; all is still the caller's
    """

    def __init__(
        self,
        transport: Transport,
        domid: int,
        rings: Sequence[Mapping],
        channels: Sequence[Channel],
        lane: Lane,
        *,
        headroom: int = 0,
        notifies: bool = True,
        credit: Credit | None = None,
        stall: Stall | None = None,
        multicast: Multicast | None = None,
        resume: bool = False,
        number: int = 0,
        seen: Watched | None = None,
        compiled: bool = True,
    ) -> None:
        self._transport, self._domid, self._lane = transport, domid, lane
        #: Bytes that are left free in each of the frontend's pages from the next frame on.
        self.headroom = headroom
        self._credit, self._multicast = credit, multicast
        self._stall = stall or Stall(notifies=notifies)
        self._number, self._seen = number, seen or Watched()
        self._rings = Back(rings[_TX].memory, TX_RING), Back(rings[_RX].memory, RX_RING)
        self._stats = Stats()
        lines = zip(self._rings, (channels[0], channels[-1]), strict=True)
        waiting = Waiting(*lines, counts=self._stats, owes=resume, besides=self._besides, wanted=self._wanted)
        self._spread = lane if isinstance(lane, Spread) else None
        behind = self._spread.lane if self._spread else lane
        self._packed = behind if compiled and isinstance(behind, PackedLane) else None
        self._sent = Sent(partial(transport.copy, domid, into_peer=False)) if compiled else None
        # Messages of a packet whose end is not there yet, or for which there is no credit.
        self._backlog = b""
        # Pages that the frontend has posted, in the ring's order: all of them are taken at once, since a ring asks for
        # a notification only when there is nothing left in it.
        self._posted = Posted()
        # Frames for which there were too few.
        self._held: deque[Frame] = deque()
        copy_to = partial(transport.copy, domid, into_peer=True)
        self._passed = Passed(copy_to, self._posted, _BATCH) if compiled else None
        self._ending = False
        owned = ExitStack()
        for one in (self._passed, self._sent, lane, *channels):
            if one:
                own(owned, one, "close")
        for mapping, ring in zip(rings, self._rings, strict=True):
            own(owned, mapping, "unmap")
            own(owned, ring, "release")
        super().__init__(waiting, owned)

    @property
    def stats(self) -> Stats:
        """What has been done until now."""
        lane = self._lane.stats
        done = self._stats + Stats(dropped=lane.dropped, syscalls=lane.syscalls)
        if sent := self._sent:
            done += Stats(
                tx_packets=sent.packets,
                tx_bytes=sent.volume,
                tx_errors=sent.errors,
                tx_slots=sent.slots,
                grant_copies=sent.copied,
                syscalls=sent.calls,
            )
        if passed := self._passed:
            done += Stats(
                rx_packets=passed.packets,
                rx_bytes=passed.volume,
                rx_errors=passed.errors,
                rx_slots=passed.slots,
                grant_copies=passed.copied,
                syscalls=passed.calls,
            )
        return done

    @property
    def indices(self) -> tuple[Indices, Indices] | None:
        """Where both rings' ends are, for who looks on from another thread; None once the queue has ended."""
        try:
            return Indices(*self._rings[_TX].indices()), Indices(*self._rings[_RX].indices())
        except ValueError:
            return None

    @property
    def slots(self) -> tuple[int, int]:
        """Of either ring."""
        return self._rings[_TX].size, self._rings[_RX].size

    @property
    def stalled(self) -> bool:
        """Whether the frontend has taken no frame for so long that it may have none: see `Stall`."""
        return self._stall.stalled

    @property
    def busy(self) -> int:
        """Nothing is ever under way between two turns but an unfinished packet, which nobody may ever finish."""
        return 0

    def stop(self, *, drain: bool = True) -> None:
        """Let `run` come to its end; does not wait for it.

        :param drain: send on what lies in the ring already
        """
        self._ending = True
        self._waiting.stop(drain=drain)

    def _besides(self) -> Besides:
        # While some wait for pages here, the others wait in the lane: whoever sends is held up there.
        fd = -1 if self._waits else self._lane.fileno()
        naps = [self._credit.due()] if self._backlog and self._credit else []
        if (due := self._stall.due()) is not None:
            naps.append(due)
        return Besides(fd, min(naps, default=None))

    def _wanted(self, line: int) -> int:
        # Pages that are posted are of use once a frame waits for some.
        return line == _TX or self._waits > 0

    @property
    def _waits(self) -> int:
        return len(self._held) + (self._passed.held if self._passed else 0)

    def _turn(self) -> bool:
        sent = self._send()
        return self._receive() or sent

    # From the frontend.

    def _send(self) -> bool:
        messages = self._waiting.take(_BATCH, _TX)
        if not messages and not (self._backlog and self._credit):
            return False
        before = len(self._backlog) if not messages else -1
        messages = self._backlog + messages
        if self._credit and self._credit.due() and not self._ending:
            # Taken all the same: a ring asks for a notification only when there is nothing left in it.
            self._backlog = messages
            return False
        waits = False
        if self._sent and self._seen.by is None:
            messages = self._send_plain(self._sent, messages)
            while self._sent.more:
                messages = self._send_plain(self._sent, messages)
            waits = self._sent.waits
        self._backlog = messages
        if messages and not waits:
            self._send_any(messages)
        # What is not whole yet is looked at anew for nothing, until there is more.
        return len(self._backlog) != before

    def _send_plain(self, sent: Sent, messages: bytes) -> bytes:
        # Gives what is left.
        answers, taken = sent.take(messages)
        if sent.frames:
            if self._credit:
                self._credit.spend(sent.size)
            if self._packed:
                self._packed.send_packed(sent.arena, sent.records)
            else:
                # Whoever takes frames in a list may keep them.
                self._lane.send(unpack(memoryview(bytes(sent.arena[: sent.used])), sent.records))
        self._waiting.send(answers, _TX)
        return messages[taken * TX_REQUEST.size :]

    def _send_any(self, messages: bytes) -> None:
        taken = tx_back.parse(messages)
        self._backlog = messages[len(messages) - taken.left * TX_REQUEST.size :]
        self._stats.tx_slots += sum(packet.messages for packet in taken.packets)
        arena, statuses = self._fetch([piece for packet in taken.packets for piece in packet.pieces])
        frames: list[Frame] = []
        answers: list[bytes] = []
        place = piece = 0
        for packet in taken.packets:
            count = len(packet.pieces)
            found = statuses[piece : piece + count]
            piece += count
            if packet.multicast:
                answers.append(tx_back.respond(packet, done=self._listed(packet.multicast)))
            else:
                if self._is_whole(packet, found):
                    frames.append(Frame(arena[place : place + packet.size], packet.offload, packet.hash))
                place += packet.size
                answers.append(tx_back.respond(packet, found))
        if frames:
            size = sum(len(frame.data) for frame in frames)
            self._stats.tx_packets += len(frames)
            self._stats.tx_bytes += size
            if self._credit:
                self._credit.spend(size)
            self._lane.send(frames)
        self._waiting.send(b"".join(answers), _TX)
        if (by := self._seen.by) is not None:
            by.saw(self._number, watched.sent(taken, messages, arena, answers))
        if taken.fatal:
            raise taken.fatal

    def _listed(self, change: tx_back.Multicast) -> bool:
        if not self._multicast:
            return False
        change_list = self._multicast.add if change.add else self._multicast.remove
        return change_list(change.address) == NetifRsp.OKAY

    def _fetch(self, slots: Sequence[Slot]) -> tuple[memoryview, list[int]]:
        arena = memoryview(bytearray(sum(slot.length for slot in slots)))
        if not slots:
            return arena, []
        pieces = []
        place = 0
        for slot in slots:
            pieces.append(Piece(slot.gref, slot.offset, place, slot.length))
            place += slot.length
        return arena, self._copied(len(pieces), self._transport.copy_from(self._domid, pieces, arena))

    def _copied(self, pieces: int, statuses: list[int]) -> list[int]:
        self._stats.grant_copies += pieces
        self._stats.syscalls += 1
        return statuses

    def _is_whole(self, packet: Packet, statuses: Sequence[int]) -> bool:
        if packet.refused or tx_back.uncopied(packet, statuses):
            self._stats.tx_errors += 1
            return False
        return True

    # To the frontend.

    def _receive(self) -> bool:
        messages = self._waiting.take(self._rings[_RX].size, _RX)
        if messages:
            self._posted.post(messages)
        if self._ending:
            # And not as long as the port has frames.
            return bool(messages)
        refused = self._stats.rx_errors
        if self._passed and self._packed and self._is_plain:
            answers, needed = self._pass_plain(self._passed, self._packed)
        else:
            answers, needed = self._pass_any()
        self._waiting.send(answers, _RX)
        if self._stall.look(took=bool(answers), needed=needed, posted=len(self._posted)):
            self._stats.dropped += self._waits
            self._held.clear()
            if self._passed:
                self._passed.rest()
        # Behind frames that cannot be told to it there may be others.
        return bool(messages or answers) or self._stats.rx_errors != refused

    @property
    def _is_plain(self) -> bool:
        if self._held or self.headroom or self._seen.by:
            return False
        return not self._spread or self._spread.plain

    # Give responses, and how many pages the frame needs that waits for more of them; 0 if none does. Frames are taken
    # from the lane even without a page for them: that they wait is what tells that a frontend is stalled.

    def _pass_plain(self, passed: Passed, lane: PackedLane) -> tuple[bytes, int]:
        if not passed.held:
            frames = lane.receive_packed(passed.room)
            if not frames:
                return b"", 0
            passed.hold(frames)
        return passed.lay(lane.arena), passed.needed

    def _pass_any(self) -> tuple[bytes, int]:
        if self._passed and self._packed and self._passed.held:
            self._held.extend(unpack(self._packed.arena, self._passed.rest()))
        if not self._held:
            self._held.extend(self._lane.receive(_BATCH))
        laid = self._lay()
        answers = self._deliver(laid) if laid else b""
        return answers, rx_back.needed(self._held[0], self.headroom) if self._held else 0

    def _lay(self) -> list[tuple[Frame, rx_back.Laid]]:
        laid = []
        longest = rx_back.longest(self.headroom)
        while self._held:
            frame = self._held[0]
            if not 0 < len(frame.data) <= longest:
                self._stats.rx_errors += 1
                self._held.popleft()
                continue
            needed = rx_back.needed(frame, self.headroom)
            if needed > len(self._posted):
                break
            self._held.popleft()
            places = [self._posted.popleft() for _ in range(needed)]
            laid.append((frame, rx_back.lay(frame, places, self.headroom)))
        return laid

    def _deliver(self, laid: Sequence[tuple[Frame, rx_back.Laid]]) -> bytes:
        arena = bytearray().join(frame.data for frame, _ in laid)
        pieces = []
        place = 0
        for _, one in laid:
            for slot in one.pieces:
                pieces.append(Piece(slot.gref, slot.offset, place, slot.length))
                place += slot.length
        statuses = self._copied(len(pieces), self._transport.copy_to(self._domid, pieces, memoryview(arena)))
        answers = []
        at = 0
        for frame, one in laid:
            found = statuses[at : at + len(one.pieces)]
            at += len(one.pieces)
            answers.append(rx_back.respond(one, found))
            self._stats.rx_slots += len(one.responses)
            if any(found):
                self._stats.rx_errors += 1
            else:
                self._stats.rx_packets += 1
                self._stats.rx_bytes += len(frame.data)
        if (by := self._seen.by) is not None:
            by.saw(self._number, watched.received(laid, answers))
        return b"".join(answers)
