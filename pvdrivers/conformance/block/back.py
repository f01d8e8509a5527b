"""The kit's half of a disk whose frontend is under test: a backend that serves, or does what a case wants instead."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from random import Random

from pvdrivers.abi.blkif import PROTOCOLS, UNSAID, BlkifOp, BlkifRsp
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.conformance import waits
from pvdrivers.conformance.block.asked import Asked, Offered, asked
from pvdrivers.conformance.block.subject import SECTORS, NotSupported, Used, content
from pvdrivers.conformance.half import BackHalf, sound
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Inconclusive, Noticed, Observation, Seen
from pvdrivers.conformance.raw import RawRing
from pvdrivers.errors import DriverError, MachineError
from pvdrivers.transport.base import Channel, Piece
from pvdrivers.transport.base import Mapping as Mapped

#: Of a connected backend that has nothing that is optional.
PLAIN: Mapping[str, int] = {"sectors": SECTORS, "sector-size": 512, "info": 0}


class ServingQueue:
    """One of the frontend's queues, mapped, and served by a thread."""

    def __init__(self, back: "BlockBack", grefs: Sequence[int], port: int) -> None:
        transport, domid = back.used.transport, back.used.spot.domid
        self._back = back
        self.pages: Mapped = transport.map(domid, grefs)
        self.channel: Channel = transport.bind_interdomain(domid, port)
        self.ring = RawRing(self.pages.memory, back.layout.ring, back=True)
        self.lock = threading.Lock()
        self.ended = False
        self.thread = threading.Thread(target=self._run, name="conformance backend", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self.ended:
                if self.channel.wait(0.02):
                    self.channel.unmask()
                with self.lock:
                    self._serve()
        except Noticed as noticed:
            self._back.noticed = noticed
        except MachineError:
            # The transport is gone: this end has died.
            return

    def _serve(self) -> None:
        if self.ended:
            return
        for message in self.ring.take():
            request = asked(message, self._back.layout, self._back.offered, self._back.fetch)
            self._back.requests.append(request)
            answer = self._back.policy(request)
            if answer is not None:
                self.send(answer)
        self.ring.ask()

    def send(self, *answers: tuple[int, int, int]) -> None:
        """Answer, by id, operation and status, whatever they are."""
        self.ring.put([self._back.layout.response.struct.pack(*answer) for answer in answers])
        if self.ring.show():
            self.channel.notify()

    def close(self) -> None:
        """Let go of ring and channel."""
        self.ended = True
        self.thread.join()
        self.ring.release()
        for give_back in (self.channel.close, self.pages.unmap):
            with suppress(MachineError):
                give_back()


class BlockBack(BackHalf):
    """A backend of a plugged disk.

    :ivar policy: gives a request's answer, or None for none; `done` does what is asked for
    :ivar requests: all that were asked
    :ivar noticed: what a request was that cannot be
    """

    def __init__(self, used: Used, level: Level, chance: Random) -> None:
        super().__init__(used.transport.store, used.spot.back, used.spot.front, level)
        self.used, self.chance = used, chance
        self.layout = UNSAID
        self.offered = Offered(SECTORS)
        self.disk = bytearray(content(0, SECTORS))
        self.policy: Callable[[Asked], tuple[int, int, int] | None] = self.done
        self.requests: list[Asked] = []
        self.noticed: Noticed | None = None
        self.queues: list[ServingQueue] = []

    # The handshake.

    def join(self, *, order: int = 0, queues: int = 1) -> None:
        """Map what the frontend has published.

        :param order: and ``queues``: as many were offered
        :raises Noticed: it published what makes no sense, or was not offered
        """
        try:
            protocol = self.peer.text("protocol", UNSAID.protocol)
            if protocol not in PROTOCOLS:
                raise Noticed(Observation.STRAYED, f"it publishes protocol {protocol}")
            self.layout = PROTOCOLS[protocol]
            pages = 1 << self.peer.number("ring-page-order", 0, order, 0)
            number = self.peer.number("multi-queue-num-queues", 1, max(queues, 1), 1)
            for queue in range(number):
                prefix = f"queue-{queue}/" if number > 1 else ""
                single = pages == 1 and self.peer.has(f"{prefix}ring-ref")
                names = ["ring-ref"] if single else [f"ring-ref{page}" for page in range(pages)]
                grefs = [self.peer.number(f"{prefix}{name}", 0, 2**32 - 1) for name in names]
                port = self.peer.number(f"{prefix}event-channel", 1, 2**32 - 1)
                self.queues.append(ServingQueue(self, grefs, port))
        except DriverError as error:
            raise Noticed(Observation.STRAYED, f"it publishes what cannot be: {error}") from error

    def served(
        self, first: Nodes | None = None, then: Nodes | None = None, *, order: int = 0, queues: int = 1
    ) -> "BlockBack":
        """Do all of the handshake, and see that the disk is used.

        :param first: what is offered, before the frontend decides
        :param then: what the disk is, besides what all are
        :raises Inconclusive: a sound backend is not used
        """
        state = self.offer(first or {})
        if state is not S.INITIALISED:
            raise Inconclusive(
                f"the frontend does not publish anything, and is in state {state.name}: {self.complaint()}"
            )
        nodes = {**PLAIN, **(first or {}), **(then or {})}
        self.offered = Offered(
            int(nodes["sectors"] or 0),
            int(nodes.get("feature-max-indirect-segments") or 0),
            bool(nodes.get("feature-flush-cache")),
            bool(nodes.get("feature-barrier")),
            bool(nodes.get("feature-discard")),
        )
        self.join(order=order, queues=queues)
        state = self.connect(nodes)
        if state is not S.CONNECTED:
            raise Inconclusive(f"the frontend does not connect, and is in state {state.name}: {self.complaint()}")
        sound(self.read(0)._replace(what="a read"))
        return self

    # What it does.

    def fetch(self, gref: int, length: int) -> bytes:
        """Copy the first bytes of a page.

        :raises Noticed: it was not granted
        """
        memory = memoryview(bytearray(length))
        if any(self.used.transport.copy_from(self.used.spot.domid, [Piece(gref, 0, 0, length)], memory)):
            raise Noticed(Observation.STRAYED, f"it names gref {gref}, which it has not granted")
        return bytes(memory)

    def done(self, request: Asked) -> tuple[int, int, int]:
        """Do what is asked for, and answer so.

        :raises Noticed: a page was not granted
        """
        start, size = request.sector * 512, request.count * 512
        if request.operation == BlkifOp.DISCARD:
            self.disk[start : start + size] = bytes(size)
        elif request.segments:
            reads = request.operation == BlkifOp.READ
            memory = memoryview(bytearray(self.disk[start : start + size] if reads else bytes(size)))
            pieces, place = [], 0
            for gref, first, last in request.segments:
                pieces.append(Piece(gref, first * 512, place, (last - first + 1) * 512))
                place += (last - first + 1) * 512
            copy = self.used.transport.copy_to if reads else self.used.transport.copy_from
            if any(copy(self.used.spot.domid, pieces, memory)):
                raise Noticed(Observation.STRAYED, "it names a page that it has not granted so")
            if not reads:
                self.disk[start : start + size] = memory
        return request.ident, request.operation, BlkifRsp.OKAY

    def asked_something(self, held: Sequence[object], number: int = 1) -> bool:
        """Wait until so many requests are kept without an answer; tell whether they are."""
        return waits.until(self.store, [], lambda: len(held) >= number, self.level.deadline)

    # What its user sees.

    def start(self, operation: BlkifOp, offset: int = 0, length: int = 0, data: bytes = b"") -> "Future[bytes]":
        """Have the frontend's user begin something."""
        return self.used.user.start(operation, offset, length, data)

    def ended(self, future: "Future[bytes]", seconds: float | None = None) -> bool:
        """Wait until something is done, or fails, or the frontend parts; tell whether it is so.

        :raises Noticed: a request cannot be
        """
        limit = self.level.deadline if seconds is None else seconds

        def ended() -> bool:
            return future.done() or self.noticed is not None or self.state() is not S.CONNECTED

        found = waits.until(self.store, [f"{self.peer.path}/state"], ended, limit)
        if self.noticed:
            raise self.noticed
        return found

    def outcome(self, what: str, future: "Future[bytes]", expected: bytes = b"") -> Seen:
        """Wait for something, and tell what its user got."""
        if not self.ended(future):
            return Seen(what, Observation.SILENT, "its user is still waiting")
        if not future.done():
            return Seen(what, Observation.DISABLED, self.complaint())
        error = future.exception()
        if isinstance(error, NotSupported):
            return Seen(what, Observation.EOPNOTSUPP, str(error))
        if error:
            return Seen(what, Observation.ERROR, str(error))
        return Seen(what, Observation.OKAY if future.result() == expected else Observation.WRONG_DATA)

    def read(self, sector: int, count: int = 8) -> Seen:
        """Have the user read what the disk holds."""
        expected = bytes(self.disk[sector * 512 : (sector + count) * 512])
        future = self.start(BlkifOp.READ, sector * 512, count * 512)
        return self.outcome(f"read of sector {sector}", future, expected)

    def wrote(self, sector: int, data: bytes) -> Seen:
        """Have the user write, and see whether the disk holds it."""
        what = f"write at sector {sector}"
        seen = self.outcome(what, self.start(BlkifOp.WRITE, sector * 512, len(data), data))
        right = bytes(self.disk[sector * 512 : sector * 512 + len(data)]) == data
        return seen if right or seen.observation is not Observation.OKAY else Seen(what, Observation.WRONG_DATA)

    # The end.

    def drop(self) -> None:
        """Let go of all queues."""
        queues, self.queues = self.queues, []
        for queue in queues:
            queue.close()
