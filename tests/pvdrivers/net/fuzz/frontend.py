"""A frontend's queue, with frames from its port, fed with answers and responses without a rule.

A round answers what a backend may between two notifications, lets the queue do all that there is to do, with all slots
changed as soon as it has taken them, and holds: what it asks, what came out at the port, which pages it posts again,
that of pages and rings nothing else was written; and, where the queue ends, that it had to.
"""

from collections.abc import Sequence
from random import Random

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.errors import BadRing, PeerError
from pvdrivers.net.errors import BadPacket
from pvdrivers.net.front.frontqueue import FrontQueue
from tests.pvdrivers.net.fuzz import chance as chances
from tests.pvdrivers.net.fuzz import model
from tests.pvdrivers.net.fuzz.stage import Line, ListLane, Pages, RawRing, RecordLane, brief, hold

#: Pages for either direction: few, so that they run out.
PAGES = 24


class Giver:
    """A transport for a frontend: it grants, and has channels."""

    def __init__(self) -> None:
        self.granted: list[Pages] = []

    def grant(self, _domid: int, pages: int = 1, *, writable: bool = True) -> Pages:
        """Give pages."""
        first = 1000 * (len(self.granted) + 1) + writable
        self.granted.append(Pages(range(first, first + pages)))
        return self.granted[-1]

    def alloc_unbound(self, _domid: int) -> Line:
        """Give a channel."""
        return Line()


class Life:
    """One queue's life.

    :param seed: all of it
    """

    def __init__(self, seed: int) -> None:
        self.chance = chance = Random(seed)  # noqa: S311 - no secret
        kind = chance.getrandbits(2)
        self._records = kind > 0
        self._lane = (RecordLane if self._records else ListLane)(self._meanwhile)
        giver = Giver()
        self._queue = FrontQueue(giver, 0, self._lane, pages=PAGES, compiled=kind > 1)  # type: ignore[arg-type] # as much of a transport as a queue asks for
        tx, rx, self._sending, self._receiving = giver.granted
        self._tx = RawRing(chance, tx, 12, 4, 12, front=False)
        self._rx = RawRing(chance, rx, 8, 8, 8, front=False)
        # What its pages hold, as far as anything was written there.
        self._written = bytearray(len(self._sending.memory))
        self._receiving.memory[:] = chances.DATA[: PAGES * PAGE_SIZE]
        self._came = bytearray(self._receiving.memory)
        self._frames: list[model.Facts] = []
        self._pending: list[int] = []
        self._extras = 0
        self._posted: list[int] = []
        self.over = False
        self._queue._post()
        self._take_posts(PAGES)

    def _meanwhile(self, sent: bool) -> None:
        # What has come is a copy by now, and once frames are asked for, so are answers.
        self._rx.flip()
        if not sent:
            self._tx.flip()

    def close(self) -> None:
        """End it."""
        self._queue.close()

    def round(self) -> None:
        """Play a round.

        :raises Wrong: the queue did what it must not
        """
        chance = self.chance
        bits = chance.getrandbits(24)
        if len(self._frames) < 20:
            frames = chances.frames(chance, flows=not self._records)
            self._lane.waiting.extend(frames)
            self._frames += [(bytes(frame.data), frame.offload, frame.hash) for frame in frames]
        lies = self._answer(bits)
        count = min((bits >> 8 & 7) if bits >> 11 & 3 else bits >> 8 & 31, len(self._posted))
        responses = chances.responses(chance, count)
        pages = [self._page(number) for number in self._posted[:count]]
        self._rx.put(responses)
        self._write(bits)
        sound = model.received(responses, pages)
        ring = None
        if bits & 127 == 2:
            # An index that cannot be.
            ring = self._tx if bits >> 7 & 1 else self._rx
            ring.claim(ring.put_ + 1 + PAGES * 3 + chance.getrandbits(30))
        error = self._turned()
        self._check(error, ring, lies, sound, count)

    def _page(self, number: int) -> memoryview:
        return self._receiving.memory[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]

    def _write(self, bits: int) -> None:
        # A backend may write to any page that it was granted at any time.
        at, source = bits % PAGES * PAGE_SIZE, bits >> 8 & 0xFFF
        for memory in (self._receiving.memory, self._came):
            memory[at : at + PAGE_SIZE] = chances.DATA[source : source + PAGE_SIZE]

    def _answer(self, bits: int) -> bool:
        # Tells whether it is a lie.
        chance = self.chance
        count = min(bits >> 16 & 7, len(self._pending))
        answers = []
        for _ in range(count):
            each = chance.getrandbits(16)
            ident = self._pending.pop(each % len(self._pending))
            answers.append((ident, (0, 0, 0, 0, -1, -2, 5, -32768)[each >> 8 & 7]))
        nulls = min(self._extras, bits >> 19 & 1)
        self._extras -= nulls
        answers += [(bits & 0xFFFF, 1)] * nulls
        lies = bits & 31 == 1 and count > 0 and (bits >> 6 & 3 != 3 or not self._extras)
        if lies:
            # In an answer's place: of more than it had asked its ring tells.
            asked = [*self._pending, answers[count - 1][0]]
            free = next(number for number in (bits >> 8 & 31, PAGES, 255) if number not in asked)
            answers[count - 1] = ((free, 0), (0xFFFF, -1), (256 + (bits >> 8), 0), (0, 1))[bits >> 6 & 3]
        self._tx.put(
            b"".join(
                (ident & 0xFFFF).to_bytes(2, "little") + status.to_bytes(2, "little", signed=True)
                for ident, status in answers
            )
        )
        return lies

    def _turned(self) -> PeerError | None:
        try:
            while self._queue._turn():
                pass
        except PeerError as error:
            self.over = True
            return error
        return None

    def _check(
        self, error: PeerError | None, ring: RawRing | None, lies: bool, sound: model.Received, count: int
    ) -> None:
        got, self._lane.sent = self._lane.sent, []
        if ring is self._rx:
            # It is looked at first.
            sound, count = model.Received([], 0), 0
        if got != sound.frames:
            hold(False, "frames at the port", brief(got), brief(sound.frames))
        hold((error is not None) == (lies or ring is not None), "the end", lies, ring, error)
        if error:
            hold(isinstance(error, BadRing if ring else BadPacket), "the reason", error)
        del self._posted[:count]
        self._take_posts(count)
        self._take_requests()
        hold(self._receiving.bytes == self._came, "pages for what is received are written to by the backend alone")

    def _take_posts(self, count: int) -> None:
        requests = self._rx.new()
        self._rx.take(requests)
        hold(len(requests) == count * 8, "pages that are posted again", len(requests) // 8, count)
        for at in range(0, len(requests), 8):
            number = int.from_bytes(requests[at : at + 2], "little")
            gref = int.from_bytes(requests[at + 4 : at + 8], "little")
            hold(number < PAGES and number not in self._posted, "a page that is posted twice", number, self._posted)
            hold(
                gref == self._receiving.grefs[number] and requests[at + 2 : at + 4] == b"\0\0",
                "a page's reference",
                gref,
            )
            self._posted.append(number)

    def _take_requests(self) -> None:
        requests = self._tx.new()
        self._tx.take(requests)
        used: list[int] = []
        first = self._sending.grefs[0]

        def page(gref: int) -> memoryview:
            number = gref - first
            hold(0 <= number < PAGES and number not in self._pending, "a page that is in use", number, self._pending)
            used.append(number)
            self._pending.append(number)
            return self._sending.memory[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]

        told = model.sent(requests, page, lambda *_: False)
        hold(not told.fatal and told.slots * 12 == len(requests), "requests that are none", requests.hex())
        self._extras += told.slots - len(used)
        asked: list[model.Facts] = []
        while self._frames and len(asked) < len(told.frames):
            # What is shorter or longer than a packet can be is counted, and not sent.
            frame = self._frames.pop(0)
            if 14 <= len(frame[0]) <= 0xFFFF:
                asked.append(frame)
        if told.frames != asked:
            hold(False, "frames that are asked to be sent", brief(told.frames), brief(asked))
        self._laid(used, [len(frame[0]) for frame in asked])

    def _laid(self, used: Sequence[int], sizes: Sequence[int]) -> None:
        # In pages that are granted stands what was sent, and zeros where nothing ever was.
        at = 0
        for size in sizes:
            for begin in range(0, size, PAGE_SIZE):
                place = used[at] * PAGE_SIZE
                length = min(PAGE_SIZE, size - begin)
                self._written[place : place + length] = self._sending.memory[place : place + length]
                at += 1
        hold(self._sending.bytes == self._written, "a page that is granted holds what was not sent")
