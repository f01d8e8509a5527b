"""Either end of a control ring, fed with requests, or answers, without a rule.

The backend's: each request is answered, and changes what it names or nothing. The frontend's: it asks step by step, and
ends where it is answered what is no answer.
"""

from random import Random
from struct import Struct

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.errors import BadRing, PeerError
from pvdrivers.net.back.controlqueue import BackControl
from pvdrivers.net.back.wishes import Wishes
from pvdrivers.net.control.front import spread
from pvdrivers.net.errors import BadAnswer
from pvdrivers.net.front.controlqueue import FrontControl
from pvdrivers.net.toeplitz import ALL_TYPES
from tests.pvdrivers.net.fuzz.frontend import Giver
from tests.pvdrivers.net.fuzz.stage import FIRST, Line, Pages, Peer, RawRing, hold

_REQUEST, _ANSWER = Struct("<HHIII"), Struct("<HHII")
_ENTRIES = Struct("<128I")
QUEUES, PAGES = 4, 4
_SIZES = (0, 1, 2, 39, 40, 41, 127, 128, 129, 4096, 2**30 + 1, 2**31, 2**32 - 2, 2**32 - 1)
_DONE, _UNSUPPORTED, _INVALID, _OVERFLOW = range(4)


class Told:
    """What a frontend has asked for until now, as netif.h and Linux's backend have it."""

    def __init__(self) -> None:
        self.algorithm = self.types = 0
        self.key = b""
        self.mapping: list[int] = []

    def answer(self, kind: int, data: tuple[int, int, int], peer: Peer) -> tuple[int, int]:
        """Do what is asked for; give the status, and what comes with it."""
        first, size, offset = data
        match kind:
            case 1:
                return (_DONE, 15) if self.algorithm else (_UNSUPPORTED, 0)
            case 2:
                status = _INVALID if first > 15 or not self.algorithm else _DONE
                self.types = self.types if status else first
            case 3:
                status = self._set_key(first, size, peer)
            case 4:
                return _DONE, 128
            case 5:
                status = _INVALID if first > 128 else _DONE
                self.mapping = self.mapping if status else [0] * first
            case 6:
                status = self._set_mapping(first, size, offset, peer)
            case 7:
                status = _INVALID if first > 1 else _DONE
                self.algorithm = self.algorithm if status else first
            case _:
                status = _UNSUPPORTED
        return status, 0

    def _set_key(self, gref: int, size: int, peer: Peer) -> int:
        if size > 40:
            return _OVERFLOW
        page = peer.page(gref)
        if size and page is None:
            return _INVALID
        self.key = bytes(page[:size]) if page and size else b""
        return _DONE

    def _set_mapping(self, gref: int, size: int, offset: int, peer: Peer) -> int:
        if size > 128:
            return _OVERFLOW
        page = peer.page(gref)
        if offset + size > len(self.mapping) or (size and page is None):
            return _INVALID
        entries = _ENTRIES.unpack_from(page)[:size] if page and size else ()
        if any(entry >= QUEUES for entry in entries):
            return _INVALID
        self.mapping[offset : offset + size] = entries
        return _DONE


class BackLife:
    """A backend's end.

    :param seed: all of its life
    """

    def __init__(self, seed: int) -> None:
        self.chance = chance = Random(seed)  # noqa: S311 - no secret
        ring = Pages()
        self._ring = RawRing(chance, ring, 16, 16, 12, front=True, start=chance.getrandbits(32))
        self._peer = Peer(chance.randbytes(PAGES * PAGE_SIZE), lambda _: self._ring.flip())
        # Entries that make sense, all but one, and none.
        for page, bad in enumerate((128, 5, 0)):
            entries = [number % QUEUES for number in range(128)]
            if bad < 128:
                entries[bad] = QUEUES
            for memory in (self._peer.memory, self._peer.mirror):
                _ENTRIES.pack_into(memory, page * PAGE_SIZE, *entries)
        self._wishes = Wishes(QUEUES)
        self._told = Told()
        self._queue = BackControl(self._peer, 5, ring, Line(), self._wishes)  # type: ignore[arg-type] # as much of a transport as it asks for
        self.over = False

    def close(self) -> None:
        """End it."""
        self._queue.close()

    def round(self) -> None:
        """Play a round.

        :raises Wrong: it did what it must not
        """
        chance = self.chance
        requests = [self._request() for _ in range(1 + chance.getrandbits(2))]
        self._ring.put(b"".join(_REQUEST.pack(ident, kind, *data) for ident, kind, data in requests))
        if chance.getrandbits(8) == 0:
            self._ring.claim(self._ring.taken + 129 + chance.getrandbits(31))
            self._ends()
            return
        while self._queue._turn():
            pass
        answers = [
            _ANSWER.pack(ident, kind, *self._told.answer(kind, data, self._peer)) for ident, kind, data in requests
        ]
        self._ring.take(b"".join(answers))
        self._peer.check()
        have, told = self._wishes.steering, self._told
        sound = (have.algorithm, have.types, have.key.key, list(have.mapping))
        hold(sound == (told.algorithm, told.types, told.key, told.mapping), "how packets are steered", have)

    def _request(self) -> tuple[int, int, tuple[int, int, int]]:
        bits = self.chance.getrandbits(64)
        kind = bits & 15 if bits & 0x70 else bits >> 8 & 0xFFFF
        sizes = [_SIZES[bits >> 8 & 3 if bits & 0x80 else (bits >> at) % len(_SIZES)] for at in (16, 20)]
        first = FIRST + (bits >> 24) % (PAGES + 1) if kind in (3, 6) else (bits >> 24 & 15, sizes[0])[bits >> 28 & 1]
        return bits >> 32 & 0xFFFF, kind, (first, sizes[0], sizes[1])

    def _ends(self) -> None:
        self.over = True
        try:
            self._queue._turn()
        except BadRing:
            self._ring.take(b"")
            return
        hold(False, "a producer index that cannot be is believed")


class FrontLife:
    """A frontend's end.

    :param seed: all of its life
    """

    def __init__(self, seed: int) -> None:
        self.chance = chance = Random(seed)  # noqa: S311 - no secret
        giver = Giver()
        self._refused: list[str] = []
        self._queue = FrontControl(giver, 0, lambda error, **_: self._refused.append(str(error)))  # type: ignore[arg-type] # as much of a transport as it asks for
        self._page = giver.granted[1]
        self._ring = RawRing(chance, giver.granted[0], 16, 12, 16, front=False)
        self._steps = spread(ALL_TYPES, chance.randbytes(40), tuple(chance.getrandbits(2) for _ in range(128)))
        # Of the wish that is asked for.
        self._next = len(self._steps)
        self._content = bytearray(PAGE_SIZE)
        self.over = False

    def close(self) -> None:
        """End it."""
        self._queue.close()

    def round(self) -> None:
        """Play a round: a step is asked for, and answered somehow.

        :raises Wrong: it did what it must not
        """
        if self._next == len(self._steps):
            self._next = 0
            self._queue.ask(self._steps)
        while self._queue._turn():
            pass
        requests = self._ring.new()
        self._ring.take(requests)
        ident, kind, *data = _REQUEST.unpack(requests)
        step = self._steps[self._next]
        hold(kind == step.type, "another step is asked for", kind, step)
        first = self._page.grefs[0] if step.page else step.data[0]
        hold(data == [first, *step.data[1:]], "what is asked for", data, step)
        # What it was about before stands behind what is shorter, and nothing else ever.
        self._content[: len(step.page)] = step.page
        hold(self._page.bytes == self._content, "the page that is granted")
        self._answer(ident, kind)

    def _answer(self, ident: int, kind: int) -> None:
        bits = self.chance.getrandbits(48)
        lie = bits & 31 == 0
        status = bits >> 5 & 3 if bits & 0x600 == 0 else 0
        answer = [ident, kind, status, bits >> 16]
        if lie:
            place = bits >> 8 & 3
            answer[min(place, 2)] = (ident + 1 & 0xFFFF, kind ^ 1, 4 + (bits >> 16), 2**32 - 1)[place]
        self._ring.put(_ANSWER.pack(*answer))
        error = self._turned()
        hold((error is not None) == lie, "the end", error, answer)
        hold(error is None or isinstance(error, BadAnswer), "the reason", error)
        told, self._refused = len(self._refused), []
        hold(told == (not lie and status > 0), "refusals that are told", told, answer)
        self._next = len(self._steps) if status and not lie else self._next + 1
        self.over = lie

    def _turned(self) -> PeerError | None:
        try:
            self._queue._turn()
        except PeerError as error:
            return error
        return None
