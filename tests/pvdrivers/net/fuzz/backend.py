"""A backend's queue, fed with slots, pages and producer indices without a rule, and frames from its port.

A round puts what a frontend may put between two notifications, lets the queue do all that there is to do, while each
copy finds all slots changed, and holds: what was answered, byte by byte; what came out at the port; that of pages and
rings nothing else was written; and, where the queue ends, that it had to.
"""

from contextlib import suppress
from random import Random

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.errors import BadRing, PeerError
from pvdrivers.net.back.backqueue import BackQueue
from pvdrivers.net.back.stall import Stall
from pvdrivers.net.errors import BadPacket
from pvdrivers.net.multicast import ADDRESSES_MAX, Multicast
from tests.pvdrivers.net.fuzz import chance as chances
from tests.pvdrivers.net.fuzz import model
from tests.pvdrivers.net.fuzz.stage import FIRST, Line, ListLane, Pages, Peer, RawRing, RecordLane, brief, hold

#: Pages for either direction.
PAGES = 8
#: Slots that are not answered, and pages that are posted, at most.
_MOST = 200


class Life:
    """One queue's life.

    :param seed: all of it
    """

    def __init__(self, seed: int) -> None:
        self.chance = chance = Random(seed)  # noqa: S311 - no secret
        start = (0, 0xFFFFFFF0, chance.getrandbits(32))[chance.getrandbits(1) + chance.getrandbits(1)]
        rings = Pages(), Pages()
        self._tx = RawRing(chance, rings[0], 12, 12, 4, front=True, start=start)
        self._rx = RawRing(chance, rings[1], 8, 8, 8, front=True, start=start)
        begin = chance.getrandbits(16)
        self._peer = Peer(chances.DATA[begin : begin + 2 * PAGES * PAGE_SIZE], self._meanwhile)
        kind = chance.getrandbits(2)
        self._records = kind > 0
        self._lane = (RecordLane if self._records else ListLane)(lambda _: self._tx.flip())
        self._multicast = Multicast() if chance.getrandbits(1) else None
        # As it has to be.
        self._list: list[bytes] = []
        self._queue = BackQueue(
            self._peer,  # type: ignore[arg-type] # as much of a transport as a queue asks for
            5,
            rings,
            (Line(), Line()),
            self._lane,
            stall=Stall(notifies=True, clock=lambda: 0.0),
            multicast=self._multicast,
            compiled=kind > 1,
        )
        # What is to be put first in the next round, and what is put and not answered.
        self._rest = self._stream = b""
        self._posted: list[tuple[int, int]] = []
        self._frames: list[model.Facts] = []
        # Whether slots of one ring, or of both, have been changed in this round.
        self._flipped = 0
        self.over = False

    def _meanwhile(self, into_peer: bool) -> None:
        # What is copied for has been taken; what has not may change, and is not a snapshot yet.
        if self._flipped < 1 + into_peer:
            self._flipped = 1 + into_peer
            self._tx.flip()
            if into_peer:
                self._rx.flip()

    def close(self) -> None:
        """End it."""
        self._queue.close()

    def round(self) -> None:
        """Play a round.

        :raises Wrong: the queue did what it must not
        """
        chance = self.chance
        self._flipped = 0
        bits = chance.getrandbits(20)
        if len(self._stream) < _MOST * 12:
            messages = self._rest + chances.sent(chance, PAGES)
            # Shown as far as anywhere, now and then.
            cut = len(messages) if bits & 7 else bits % (1 + len(messages) // 12) * 12
            messages, self._rest = messages[:cut], messages[cut:]
            self._tx.put(messages)
            self._stream += messages
        posts = bits >> 8 & 7
        if len(self._posted) < _MOST:
            # Another reference than any, now and then.
            posted = [
                (bits >> 4 & 0xFFFF, FIRST + PAGES + (bits + at) % (PAGES + (bits >> 12 & 1))) for at in range(posts)
            ]
            self._rx.put(
                b"".join(
                    ident.to_bytes(2, "little") + b"\xff\xff" + gref.to_bytes(4, "little") for ident, gref in posted
                )
            )
            self._posted += posted
        if len(self._frames) < 20:
            frames = chances.frames(chance, flows=not self._records)
            self._lane.waiting.extend(frames)
            self._frames += [(bytes(frame.data), frame.offload, frame.hash) for frame in frames]
        if bits & 31 == 0:
            self._queue.headroom = (0, 256, 2578, 1)[bits >> 5 & 3]
        lie = self._lie() if bits & 127 == 1 else None
        error = self._turned()
        self._check(error, lie)

    def _lie(self) -> RawRing:
        # A producer index that cannot be.
        ring = self._tx if self.chance.getrandbits(1) else self._rx
        ahead = ring.count + 1 + self.chance.getrandbits(31) % (2**32 - 2 * ring.count)
        ring.claim(ring.taken + ahead)
        return ring

    def _turned(self) -> PeerError | None:
        try:
            while self._queue._turn():
                pass
        except PeerError as error:
            self.over = True
            return error
        return None

    def _check(self, error: PeerError | None, lie: RawRing | None) -> None:
        sound = model.sent(b"" if lie is self._tx else self._stream, self._peer.before, self._listed)
        self._stream = self._stream[sound.slots * 12 :]
        self._tx.take(sound.answers)
        got, self._lane.sent = self._lane.sent, []
        if got != sound.frames:
            hold(False, "frames at the port", brief(got), brief(sound.frames))
        fatal = sound.fatal or lie is not None
        hold(fatal == (error is not None), "the end", sound.fatal, lie, error)
        if error:
            hold(isinstance(error, BadRing if lie and not sound.fatal else BadPacket), "the reason", error)
        responses = b""
        if not fatal:
            headroom = self._queue.headroom
            responses = model.passed(self._frames, self._posted, headroom, self._peer.page, self._peer.expect)
        self._rx.take(responses)
        self._peer.check()

    def _listed(self, add: bool, address: bytes) -> bool:
        if self._multicast is None:
            return False
        if add and len(self._list) == ADDRESSES_MAX:
            return False
        if add:
            self._list.append(address)
        else:
            with suppress(ValueError):
                self._list.remove(address)
        return True
