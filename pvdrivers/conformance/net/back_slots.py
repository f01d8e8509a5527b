"""The kit's half of a vif whose frontend is under test, slot by slot: a backend that does what a case wants.

Nothing happens by itself: what the frontend sends is taken, and what it has posted is filled, when a case says so.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from pvdrivers.abi.netif import TX_RESPONSE, TX_RING, NetifRsp, RxFlag
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.conformance import waits
from pvdrivers.conformance.half import BackHalf
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.line import BackLine, hang_up
from pvdrivers.conformance.net.filling import FillingLine, Part, spread
from pvdrivers.conformance.net.frames import Carried
from pvdrivers.conformance.net.messages import gso
from pvdrivers.conformance.net.sent import Sent, judge_blank, taken
from pvdrivers.conformance.net.subject import UsedVif
from pvdrivers.conformance.observation import Inconclusive, Noticed, Observation, Unsupported
from pvdrivers.conformance.raw import RawRing
from pvdrivers.errors import DriverError
from pvdrivers.transport.base import Channel, Piece

#: What every backend offers: pages are copied to, and never given away.
LEAST: Nodes = {"feature-rx-copy": 1}
#: What a backend of today offers.
FEATURES: Nodes = {
    "feature-sg": 1,
    "feature-gso-tcpv4": 1,
    "feature-gso-tcpv6": 1,
    "feature-ipv6-csum-offload": 1,
}
_NO_CHECKSUMS = "feature-no-csum-offload"


def all_features(queues: int = 1) -> Mapping[str, int]:
    """Give all that there is to be offered."""
    return {
        **dict.fromkeys(FEATURES, 1),
        "feature-split-event-channels": 1,
        "feature-multicast-control": 1,
        "feature-dynamic-multicast-control": 1,
        "feature-ctrl-ring": 1,
        "feature-xdp-headroom": 1,
        "multi-queue-max-queues": queues,
    }


class Pair:
    """One queue, mapped: both of its rings.

    :param ports: one for both rings, or one for each
    """

    def __init__(self, used: UsedVif, tx: int, rx: int, ports: Sequence[int]) -> None:
        transport, domid = used.transport, used.spot.domid
        rings = [transport.map(domid, [gref]) for gref in (tx, rx)]
        self.channels: list[Channel] = [transport.bind_interdomain(domid, port) for port in ports]
        self.tx = BackLine(rings[0], self.channels[0], RawRing(rings[0].memory, TX_RING, back=True))
        self.rx = FillingLine(rings[1], self.channels[-1], transport, domid)

    def close(self) -> None:
        """Let go of both rings."""
        self.tx.close()
        self.rx.close()
        for channel in self.channels:
            hang_up(channel)


class SlotsBack(BackHalf):
    """A backend's rings, and what is offered and published.

    :ivar offered: what it has offered
    """

    def __init__(self, used: UsedVif, level: Level, chance: Random) -> None:
        super().__init__(used.transport.store, used.spot.back, used.spot.front, level)
        self.used, self.chance = used, chance
        self.offered: dict[str, object] = {}
        self.queues: list[Pair] = []
        # Ids of slots that are not answered.
        self._pending: set[int] = set()

    # The handshake.

    def offer(self, nodes: Nodes, seconds: float | None = None) -> S:
        """Offer what nodes say, and what every backend does; give the state that the frontend comes to: 4, mostly.

        :param nodes: None for one of them is left out
        """
        self.offered = {name: value for name, value in {**LEAST, **nodes}.items() if value is not None}
        return super().offer({name: str(value) for name, value in self.offered.items()}, seconds)

    def join(self, queues: int = 1) -> None:
        """Map what the frontend has published.

        :param queues: as many were offered
        :raises Noticed: it published what makes no sense, or was not offered
        """
        try:
            if not self.peer.flag("request-rx-copy"):
                raise Noticed(Observation.STRAYED, "it wants pages to be given away")
            number = self.peer.number("multi-queue-num-queues", 1, max(queues, 1), 1)
            for queue in range(number):
                prefix = f"queue-{queue}/" if number > 1 else ""
                tx, rx = (self.peer.number(f"{prefix}{name}-ring-ref", 0, 2**32 - 1) for name in ("tx", "rx"))
                self.queues.append(Pair(self.used, tx, rx, self._ports(prefix)))
        except DriverError as error:
            raise Noticed(Observation.STRAYED, f"it publishes what cannot be: {error}") from error

    def _ports(self, prefix: str) -> list[int]:
        names = [f"{prefix}event-channel-tx", f"{prefix}event-channel-rx"]
        split = all(self.peer.has(name) for name in names)
        if split and not self.offered.get("feature-split-event-channels"):
            raise Noticed(Observation.STRAYED, "a channel for each ring, which was not offered")
        return [self.peer.number(name, 1, 2**32 - 1) for name in (names if split else [f"{prefix}event-channel"])]

    def takes(self, feature: str) -> None:
        """Go on only if the frontend says that it takes something.

        :raises Unsupported: it does not
        """
        if not self.peer.flag(feature):
            raise Unsupported(f"{feature} is not wanted")

    def takes_blank(self, version: int) -> bool:
        """Tell whether the frontend says that it takes blank checksums of an IP."""
        return self.peer.flag("feature-ipv6-csum-offload") if version == 6 else not self.peer.flag(_NO_CHECKSUMS)

    @property
    def given_up(self) -> bool:
        """Whether the frontend has parted, or says in whichever way it does that it uses this vif no more."""
        return self.state() is not S.CONNECTED or self.used.cut_off()

    def given_up_or(self, condition: Callable[[], bool]) -> bool:
        """Wait until something is so, or the frontend has given its vif up; tell whether it is so."""
        waits.until(self.store, [self.peer.path], lambda: condition() or self.given_up, self.level.deadline)
        return condition()

    # What it sends.

    def send(self, frame: Carried) -> None:
        """Have the frontend's user send a frame.

        :raises Inconclusive: it cannot
        """
        if not self.used.user.send(frame):
            raise Inconclusive("the frontend's user can send no more frames")

    def take(self, queue: int | None = None) -> tuple[int, Sent]:
        """Wait for the next packet that it sends; give by which queue, and the packet.

        :param queue: None for any
        :raises Noticed: none comes, or what comes cannot be
        """
        while True:
            number = self._ready() if queue is None else queue
            line = self.queues[number].tx
            sent = taken(lambda line=line: next(line.taken(1, self.level.deadline)), self.offered)  # type: ignore[misc] # a lambda's default
            if not sent.listed:
                break
            self.answer(sent, number)
        for slot in sent.slots:
            if slot.ident in self._pending:
                raise Noticed(Observation.MISNAMED, f"id {slot.ident} is asked twice at once")
            self._pending.add(slot.ident)
        return number, sent

    def _ready(self) -> int:
        if len(self.queues) == 1:
            return 0
        for pair in self.queues:
            pair.tx.ring.ask()
        lines = [pair.tx for pair in self.queues]
        if not waits.until(self.store, [], lambda: any(line.ring.waiting() for line in lines), self.level.deadline):
            raise Noticed(Observation.SILENT, "a frame that is sent comes out of no queue")
        return next(at for at, line in enumerate(lines) if line.ring.waiting())

    def fetch(self, gref: int, offset: int, size: int) -> bytes:
        """Copy out of a page.

        :raises Noticed: it was not granted
        """
        memory = memoryview(bytearray(size))
        if size and any(self.used.transport.copy_from(self.used.spot.domid, [Piece(gref, offset, 0, size)], memory)):
            raise Noticed(Observation.STRAYED, f"it names gref {gref}, which it has not granted")
        return bytes(memory)

    def data(self, sent: Sent) -> bytes:
        """Copy a packet's frame.

        :raises Noticed: it lies in what was not granted, or is said to be what was not offered
        """
        data = b"".join(self.fetch(slot.gref, slot.offset, slot.size) for slot in sent.slots)
        judge_blank(sent, data, self.offered)
        return data

    def answer(self, sent: Sent, queue: int = 0, status: int = NetifRsp.OKAY) -> None:
        """Answer all slots of a packet, its extras by none."""
        first, *rest = [TX_RESPONSE.struct.pack(slot.ident, status) for slot in sent.slots]
        nothing = TX_RESPONSE.struct.pack(0, NetifRsp.NULL)
        self._pending.difference_update(slot.ident for slot in sent.slots)
        self.queues[queue].tx.put(first, *[nothing] * len(sent.extras), *rest)

    def answer_slot(self, ident: int, status: int, *, notify: bool = True) -> None:
        """Answer one slot, which may be nobody's."""
        self._pending.discard(ident)
        self.queues[0].tx.put(TX_RESPONSE.struct.pack(ident, status), notify=notify)

    # What it receives.

    def fill(
        self, parts: Sequence[Part], queue: int = 0, *, flags: int = 0, extras: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Lay a packet into posted pages; give its responses, which nobody has seen yet."""
        return self.queues[queue].rx.filled(parts, self.level.deadline, flags=flags, extras=extras)

    def give(self, messages: Sequence[bytes], queue: int = 0, *, notify: bool | None = None) -> bool:
        """Put responses, whatever they say; tell whether the frontend wanted to be notified."""
        return self.queues[queue].rx.put(*messages, notify=notify)

    def passed(self, frame: Carried, parts: Sequence[Part] = (), queue: int = 0) -> None:
        """Pass a frame on as a backend does."""
        flags = RxFlag.CSUM_BLANK | RxFlag.DATA_VALIDATED if frame.blank else RxFlag(0)
        extras = [gso(frame.gso_size, frame.gso)] if frame.gso else []
        self.give(self.fill(parts or spread(frame.data), queue, flags=flags, extras=extras), queue)

    # The end.

    def drop(self) -> None:
        """Let go of all queues."""
        queues, self.queues = self.queues, []
        self._pending.clear()
        for pair in queues:
            pair.close()
