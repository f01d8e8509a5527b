"""The kit's half of a vif whose frontend is under test: what is seen of frames that go one way and the other."""

from collections.abc import Sequence

from pvdrivers.abi.netif import TxFlag
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.conformance import waits
from pvdrivers.conformance.half import sound
from pvdrivers.conformance.net.back_slots import SlotsBack
from pvdrivers.conformance.net.filling import Part
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, Packet, finished, plain, same_segments
from pvdrivers.conformance.net.sent import Sent
from pvdrivers.conformance.net.subject import BURST
from pvdrivers.conformance.observation import Inconclusive, Observation, Seen
from pvdrivers.conformance.raw import RSP_EVENT

#: Seconds between looks at whether a frontend has given its vif up.
_LOOK = 0.05


class VifBack(SlotsBack):
    """A backend of a plugged vif."""

    def begun(self, first: Nodes | None = None, *, queues: int = 1) -> "VifBack":
        """Do all of the handshake.

        :param first: what is offered, besides what every backend offers
        :raises Inconclusive: a sound backend is not used
        """
        state = self.offer(first or {})
        if state not in {S.INITIALISED, S.CONNECTED}:
            raise Inconclusive(
                f"the frontend does not publish anything, and is in state {state.name}: {self.complaint()}"
            )
        self.join(queues)
        state = self.connect({})
        if state is not S.CONNECTED:
            raise Inconclusive(f"the frontend does not connect, and is in state {state.name}: {self.complaint()}")
        return self

    def served(self, first: Nodes | None = None, *, queues: int = 1) -> "VifBack":
        """Do all of the handshake, and see that frames go both ways; see `begun`."""
        sound(self.begun(first, queues=queues).proves())
        return self

    # What it sends.

    def sent(self, what: str, frame: Carried, whole: Packet | None = None) -> Seen:
        """Have its user send a frame, and look at what comes of it.

        :param whole: what the frame is, where it may come in segments
        """
        self.send(frame)
        queue, sent = self.take()
        data = self.data(sent)
        self.answer(sent, queue)
        if whole and frame.gso and not sent.gso[0]:
            return self._segments(what, frame, whole, [_finished(sent, data, whole)])
        if sent.gso != (frame.gso, frame.gso_size):
            return Seen(what, Observation.WRONG_DATA, f"to be cut as {sent.gso}")
        return Seen(what, *self._same(frame, data, blank=bool(sent.flags & TxFlag.CSUM_BLANK)))

    def _segments(self, what: str, frame: Carried, whole: Packet, frames: list[bytes]) -> Seen:
        while not _all_there(frames, whole):
            queue, sent = self.take()
            frames.append(_finished(sent, self.data(sent), whole))
            self.answer(sent, queue)
        wrong = same_segments(frames, whole, frame.gso_size)
        return Seen(what, Observation.WRONG_DATA if wrong else Observation.CUT, wrong)

    def _same(self, frame: Carried, data: bytes, *, blank: bool) -> tuple[Observation, str]:
        # Whoever finishes the checksum, on the wire it is the same.
        if blank and not frame.blank:
            return Observation.WRONG_DATA, "its checksum is said to be blank"
        got = finished(Carried(data, frame.blank)) if blank else data
        same = got == finished(frame)
        return (Observation.OKAY, "") if same else (Observation.WRONG_DATA, f"{len(data)} bytes, for {len(frame.data)}")

    # What it receives.

    def received(
        self, what: str, frame: Carried, parts: Sequence[Part] = (), whole: Packet | None = None, queue: int = 0
    ) -> Seen:
        """Pass a frame on, and look at what its user gets.

        :param parts: that it is laid in; whole pages, unless they are given
        :param whole: what the frame is, where it may come in segments
        """
        self.passed(frame, parts, queue)
        return self.came(what, frame, whole)

    def came(self, what: str, frame: Carried, whole: Packet | None = None) -> Seen:
        """Wait for what its user gets next, and compare."""
        got = self._next()
        if got is None:
            return self._nothing(what)
        if whole and frame.gso and not got.gso:
            frames = [finished(got)]
            while not _all_there(frames, whole):
                if (got := self._next()) is None:
                    return self._nothing(what)
                frames.append(finished(got))
            wrong = same_segments(frames, whole, frame.gso_size)
            return Seen(what, Observation.WRONG_DATA if wrong else Observation.CUT, wrong)
        if (got.gso, got.gso_size) != (frame.gso, frame.gso_size):
            return Seen(what, Observation.WRONG_DATA, f"to be cut as {got.gso}, {got.gso_size}")
        same = finished(got) == finished(frame)
        detail = "" if same else f"{len(got.data)} bytes, for {len(frame.data)}"
        return Seen(what, Observation.OKAY if same else Observation.WRONG_DATA, detail)

    def _next(self) -> Carried | None:
        # What its user gets, unless it has given the vif up, or takes for ever.
        got: list[Carried] = []

        def there() -> bool:
            if frame := self.used.user.receive(_LOOK):
                got.append(frame)
            return bool(got) or self.given_up

        waits.until(self.store, [], there, self.level.deadline)
        return got[0] if got else None

    def _nothing(self, what: str) -> Seen:
        if self.given_up:
            return Seen(what, Observation.DISABLED, self.complaint())
        return Seen(what, Observation.SILENT, "its user gets nothing")

    def heard(self, queue: int = 0) -> None:
        """Wait until the frontend has taken all that was put for it, and asks for more; as for what need not be.

        What follows an unfinished packet before that is its end.
        """
        ring = self.queues[queue].rx.ring
        self.follows(self.peer.path, lambda: ring.words[RSP_EVENT] == ring.prod + 1 & 0xFFFFFFFF or self.given_up)

    def behind(self, what: str, frame: bytes = b"") -> Seen:
        """Pass a sound frame on behind something, and tell what became of that: its user gets them in order.

        :param frame: what its user may get of it
        """
        self.heard()
        marker = plain(self.chance.randbytes(60), to=GUEST, source=FAR)
        if not self.given_up:
            self.passed(Carried(marker))
        got = self._next()
        if got is None:
            return self._nothing(what)
        if got.data == marker:
            return Seen(what, Observation.DROPPED)
        if got.data != frame:
            # What comes behind it is nothing of the next.
            self.used.user.receive(_LOOK)
            return Seen(what, Observation.STRAYED, f"{len(got.data)} bytes come out")
        return self.came(what, Carried(marker))

    def after(self, what: str) -> Seen:
        """Have some frames sent before any is looked at, and tell how that went after what was done before."""
        frames = [plain(self.chance.randbytes(60 + at)) for at in range(BURST)]
        for frame in frames:
            if not self.used.user.send(Carried(frame)):
                break
        sent: list[tuple[int, Sent]] = []
        while len(sent) < len(frames):
            if not self.given_up_or(lambda: any(pair.tx.ring.waiting() for pair in self.queues)):
                done = Observation.DISABLED if self.given_up else Observation.SILENT
                return Seen(what, done, self.complaint())
            sent.append(self.take())
        same = sorted(self.data(each) for _, each in sent) == sorted(frames)
        for queue, each in sent:
            self.answer(each, queue)
        return Seen(what, Observation.OKAY if same else Observation.WRONG_DATA, "" if same else "other frames come")

    def proves(self) -> Seen:
        """Have a frame sent, and one received on each queue."""
        data = self.chance.randbytes(46)
        seen = self.sent("a frame that is sent", Carried(plain(data)))
        for queue in range(len(self.queues)):
            if seen.observation is not Observation.OKAY:
                return seen
            frame = Carried(plain(data[::-1], to=GUEST, source=FAR))
            seen = self.received("a frame that comes", frame, queue=queue)
        return seen


def _finished(sent: Sent, data: bytes, whole: Packet) -> bytes:
    return finished(Carried(data, whole.blank if sent.flags & TxFlag.CSUM_BLANK else None))


def _all_there(frames: Sequence[bytes], whole: Packet) -> bool:
    # Segments have all that was to be cut, or more.
    return sum(len(each) - whole.payload for each in frames) >= len(whole.data) - whole.payload
