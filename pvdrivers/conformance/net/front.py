"""The kit's half of a vif whose backend is under test: a frontend that can put and write anything."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from pvdrivers.abi.netif import NetifRsp, TxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.conformance import waits
from pvdrivers.conformance.half import FrontHalf
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.line import hang_up
from pvdrivers.conformance.net.asking import AskingLine
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, plain
from pvdrivers.conformance.net.messages import TxAnswer, tx_request
from pvdrivers.conformance.net.posting import Came, PostingLine
from pvdrivers.conformance.net.sending import SendingLine
from pvdrivers.conformance.net.subject import ServedVif
from pvdrivers.conformance.observation import Noticed, Observation, Seen
from pvdrivers.errors import MachineError
from pvdrivers.transport.base import Channel, Grant

#: Pages for what is sent, and those that all queues may post: Linux grants 1024 at most at once, siblings' among them.
PAGES, POSTED = 260, 64
#: What a frontend of today takes.
FEATURES: Mapping[str, object] = {
    "request-rx-copy": 1,
    "feature-rx-notify": 1,
    "feature-sg": 1,
    "feature-gso-tcpv4": 1,
    "feature-gso-tcpv6": 1,
    "feature-ipv6-csum-offload": 1,
}
#: Of a backend, what extras are for.
_WITH_EXTRAS = ("feature-gso-tcpv4", "feature-gso-tcpv6", "feature-multicast-control", "feature-ctrl-ring")


@dataclass
class Pair:
    """One queue: both of its rings."""

    tx: SendingLine
    rx: PostingLine
    channels: Sequence[Channel]

    def close(self) -> None:
        """Give all back."""
        self.tx.close()
        self.rx.close()
        for channel in self.channels:
            hang_up(channel)


@dataclass
class Slots:
    """Slots of the ring of what is sent, as they are put, and the ids of those that are no extras."""

    messages: list[bytes] = field(default_factory=list)
    idents: list[int] = field(default_factory=list)

    def __add__(self, other: "Slots") -> "Slots":
        """Give these, and others behind them."""
        return Slots(self.messages + other.messages, self.idents + other.idents)


class VifFront(FrontHalf):
    """A frontend of a plugged vif.

    :ivar takes: what it says that it takes, and what else it publishes
    """

    announced = S.CONNECTED

    def __init__(self, served: ServedVif, level: Level, chance: Random) -> None:
        super().__init__(served.transport.store, served.spot.front, served.spot.back, level, served.toolstack)
        self.served, self.chance = served, chance
        self.takes: dict[str, object] = dict(FEATURES)
        self.queues: list[Pair] = []
        self.control: AskingLine | None = None
        self.extra: list[Grant] = []
        self.dead = False
        # Frames of proofs that were given up: they may come yet, before those of the next one.
        self._late: set[bytes] = set()
        # What is sent lies there, if anything is.
        self._data: Grant | None = None
        self._page = 0
        self._number = 0

    # Rings, and the nodes that publish them.

    def pair(self, *, split: bool = True, posted: int = POSTED) -> Pair:
        """Make a queue's rings, and pages to post."""
        transport, domid = self.served.transport, self.served.spot.back_domid
        channels = [transport.alloc_unbound(domid) for _ in range(1 + split)]
        tx = SendingLine(transport.grant(domid), channels[0])
        rx = PostingLine(transport.grant(domid), channels[-1], transport.grant(domid, posted))
        return Pair(tx, rx, channels)

    def nodes(self, *, queues: int = 1, split: bool = False) -> dict[str, object]:
        """Make queues, and give the nodes that publish them, as the header says."""
        self.queues += [self.pair(split=split, posted=POSTED // queues) for _ in range(queues)]
        nodes = dict(self.takes)
        if queues > 1:
            nodes["multi-queue-num-queues"] = queues
        for number, pair in enumerate(self.queues):
            prefix = f"queue-{number}/" if queues > 1 else ""
            nodes[f"{prefix}tx-ring-ref"] = pair.tx.grant.grefs[0]
            nodes[f"{prefix}rx-ring-ref"] = pair.rx.grant.grefs[0]
            names = ("event-channel-tx", "event-channel-rx") if split else ("event-channel",)
            nodes |= {f"{prefix}{name}": each.port for name, each in zip(names, pair.channels, strict=True)}
        return nodes

    def control_nodes(self) -> dict[str, object]:
        """Make a ring for control, and give the nodes that publish it."""
        transport, domid = self.served.transport, self.served.spot.back_domid
        page = transport.grant(domid, writable=False)
        self.control = AskingLine(transport.grant(domid), transport.alloc_unbound(domid), page)
        return {"ctrl-ring-ref": self.control.grant.grefs[0], "event-channel-ctrl": self.control.channel.port}

    def granted(self, *, domid: int | None = None, writable: bool = False) -> Grant:
        """Grant one more page, to the backend or to somebody else; it is revoked at the end."""
        to = self.served.spot.back_domid if domid is None else domid
        grant = self.served.transport.grant(to, writable=writable)
        self.extra.append(grant)
        return grant

    # What is sent.

    @property
    def several(self) -> bool:
        """Whether the backend says that it takes packets of several slots."""
        return bool(self.offered("feature-sg"))

    @property
    def extras(self) -> bool:
        """Whether the backend offers anything for which there are extras: another reads them as slots."""
        return any(self.offered(feature) for feature in _WITH_EXTRAS)

    def slots(
        self,
        data: bytes,
        sizes: Sequence[int] = (),
        *,
        flags: int = 0,
        extras: Sequence[bytes] = (),
        whole: int | None = None,
    ) -> Slots:
        """Lay a frame over slots, the data of each in a page of its own.

        :param sizes: of the slots; one for all, unless it is longer than a page
        :param whole: what the first slot says of the frame's size, if not the truth
        """
        sizes = sizes or [min(PAGE_SIZE, len(data) - at) for at in range(0, len(data), PAGE_SIZE)] or [0]
        made = Slots()
        place = 0
        for at, size in enumerate(sizes):
            gref, offset = self._lay(data[place : place + size])
            place += size
            more = TxFlag.MORE_DATA if at < len(sizes) - 1 else 0
            said = size if at else (len(data) if whole is None else whole)
            first = 0 if at else flags | (TxFlag.EXTRA_INFO if extras else 0)
            made.idents.append(self._ident())
            made.messages.append(tx_request(gref, offset, more | first, made.idents[-1], said))
            if not at:
                made.messages += extras
        return made

    def slot(self, gref: int, size: int, *, offset: int = 0, flags: int = 0) -> Slots:
        """Form one slot, whatever it says."""
        ident = self._ident()
        return Slots([tx_request(gref, offset, flags, ident, size)], [ident])

    def gref(self, data: bytes = b"") -> int:
        """Give the next page's reference, with some content at its beginning."""
        return self._lay(data, offset=0)[0]

    def _lay(self, data: bytes, offset: int | None = None) -> tuple[int, int]:
        # Anywhere in the next page; around it is what is nobody's frame.
        self._page = (self._page + 1) % PAGES
        if offset is None:
            offset = self.chance.randrange(PAGE_SIZE - len(data) + 1)
        if self._data is None:
            self._data = self.served.transport.grant(self.served.spot.back_domid, PAGES, writable=False)
        page = self._data.memory[self._page * PAGE_SIZE : (self._page + 1) * PAGE_SIZE]
        page[:] = bytes([0xEE]) * PAGE_SIZE
        page[offset : offset + len(data)] = data
        return self._data.grefs[self._page], offset

    def _ident(self) -> int:
        self._number = (self._number + 1) & 0xFFFF
        return self._number * 0x2001 & 0xFFFF

    def put(self, slots: Slots, queue: int = 0, *, notify: bool | None = None) -> bool:
        """Put slots; tell whether the backend wanted to be notified."""
        return self.queues[queue].tx.send(slots.messages, slots.idents, notify=notify)

    def answers(self, slots: Slots, queue: int = 0) -> list[TxAnswer]:
        """Wait for the answers to slots that were put, extras' among them."""
        return self.queues[queue].tx.answers(len(slots.messages), self.level.deadline)

    def send(self, slots: Slots, queue: int = 0) -> list[TxAnswer]:
        """Put slots, and wait for their answers."""
        self.put(slots, queue)
        return self.answers(slots, queue)

    @property
    def given_up(self) -> bool:
        """Whether the backend says, in whichever way it does, that it serves this vif no more."""
        return self.complaint() != "" or self.served.cut_off()

    def decided(self, slots: Slots, queue: int = 0) -> list[TxAnswer] | None:
        """Put slots that a backend may give a queue up for; give their answers, or None where there are none."""
        self.put(slots, queue)
        line, number = self.queues[queue].tx, len(slots.messages)
        line.ring.ask()

        def decided() -> bool:
            line.glance()
            return line.ring.waiting() >= number or self.given_up

        self.follows(self.peer.path, decided)
        return self.answers(slots, queue) if line.ring.waiting() >= number else None

    def out(self, what: str, data: bytes, seconds: float | None = None) -> Seen:
        """Tell whether a frame comes out at the far side, as it is once its checksum is finished."""
        limit = self.level.deadline if seconds is None else seconds
        while (frame := self.served.far.receive(limit)) and frame.data != data and frame.data in self._late:
            self._late.remove(frame.data)
        if frame is None:
            return Seen(what, Observation.LOST)
        if frame.data != data:
            return Seen(what, Observation.WRONG_DATA, _unlike(frame.data, data))
        return Seen(what, Observation.OKAY)

    def sent(self, what: str, data: bytes, slots: Slots | None = None, queue: int = 0) -> Seen:
        """Send a frame as it is, and look at it on the far side.

        :param slots: that it is laid over
        """
        slots = slots or self.slots(data)
        statuses = {answer.status for answer in self.send(slots, queue)} - {NetifRsp.NULL}
        if statuses != {NetifRsp.OKAY}:
            return Seen(what, _REFUSED[min(statuses)], f"statuses {sorted(statuses)}")
        return self.out(what, data)

    # What comes.

    def come(self, queue: int = 0) -> Came:
        """Wait for a packet on one queue."""
        return self.queues[queue].rx.come(self.level.deadline)

    def come_any(self) -> tuple[int, Came]:
        """Wait for a packet on any queue; give which, and it."""
        if len(self.queues) == 1:
            return 0, self.come()

        def somewhere() -> bool:
            return any(pair.rx.ring.waiting() for pair in self.queues)

        for pair in self.queues:
            pair.rx.ring.ask()
        if not waits.until(self.store, [], somewhere, self.level.deadline):
            raise Noticed(Observation.SILENT, "a frame that came in comes out of no queue")
        number = next(at for at, pair in enumerate(self.queues) if pair.rx.ring.waiting())
        return number, self.come(number)

    def post(self, number: int = 1) -> None:
        """Have so many pages posted on each queue, at least."""
        for pair in self.queues:
            if number > pair.rx.posted:
                pair.rx.post(number - pair.rx.posted)

    def received(self, what: str, frame: Carried, pages: int = 1) -> Seen:
        """Let a frame come in, and look at what the frontend gets of it.

        :param pages: that are posted for it, on each queue
        """
        self.post(pages)
        if not self.served.far.send(frame):
            return Seen(what, Observation.SILENT, "the far side takes no more frames")
        _, came = self.come_any()
        while came.data != frame.data and came.data in self._late:
            self._late.remove(came.data)
            self.post(pages)
            _, came = self.come_any()
        if came.failed:
            return Seen(what, Observation.ERROR, f"status {came.failed}")
        if came.data != frame.data:
            return Seen(what, Observation.WRONG_DATA, _unlike(came.data, frame.data))
        return Seen(what, Observation.OKAY)

    def proves(self, queue: int = 0) -> Seen:
        """Send a frame, and get one."""
        data = self.chance.randbytes(46)
        there, back = plain(data), plain(data[::-1], to=GUEST, source=FAR)
        self._late |= {there, back}
        seen = self.sent("a frame that is sent", there, queue=queue)
        if seen.observation is Observation.OKAY:
            seen = self.received("a frame that comes", Carried(back))
        if seen.observation is Observation.OKAY:
            self._late -= {there, back}
        return seen

    # The end.

    def die(self) -> None:
        """End this domain's half as the end of its process does: all at once, and without a word."""
        self.dead = True
        for line in self._lines():
            line.ring.release()
        self.served.transport.close()

    def _lines(self) -> list[SendingLine | PostingLine | AskingLine]:
        lines = [line for pair in self.queues for line in (pair.tx, pair.rx)]
        return [*lines, self.control] if self.control else [*lines]

    def drop(self) -> None:
        """Let go of all rings, without a word to the backend."""
        queues, self.queues = self.queues, []
        for pair in queues:
            pair.close()
        if self.control:
            self.control.close()
        self.control = None

    def release(self) -> None:
        """Give all of this domain's back."""
        self.drop()
        granted = [*self.extra, *([self._data] if self._data else [])]
        self.extra, self._data = [], None
        for grant in granted:
            with suppress(MachineError):
                grant.revoke()


def _unlike(found: bytes, data: bytes) -> str:
    # A frame by its addresses and type: one of somebody else's is known by them.
    return f"{len(found)} bytes come, of {found[:14].hex()}, for {len(data)} of {data[:14].hex()}"


_REFUSED: Mapping[int, Observation] = {
    NetifRsp.ERROR: Observation.ERROR,
    NetifRsp.DROPPED: Observation.DROPPED,
    NetifRsp.OKAY: Observation.OKAY,
}
