"""A frontend of which every message is the test's own, on a loopback; it may break any rule."""

import time
from collections.abc import Sequence

from pvdrivers.abi.netif import CTRL_RING, RX_RING, TX_RING, NetifRsp
from pvdrivers.abi.ring import HEADER, RingType
from pvdrivers.bus.rings import Shared
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.nodes import Control, Front, Takes, front_nodes
from pvdrivers.net.packet import rx_front
from pvdrivers.ring import Front as Ring
from pvdrivers.transport.base import Grant
from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.net.lanes import STUCK
from tests.pvdrivers.net.messages import answers, sent


class BareRing:
    """A ring, its page and its channel."""

    def __init__(self, transport: Loopback, domid: int, kind: RingType) -> None:
        self.kind = kind
        self.page = transport.grant(domid)
        self.channel = transport.alloc_unbound(domid)
        self.ring = Ring(self.page.memory, kind)

    def put(self, messages: bytes, *, tell: bool = True) -> None:
        """Put requests; notify, or not, whatever the backend wants."""
        self.ring.put(messages)
        self.ring.push()
        if tell:
            self.channel.notify()

    def take(self, count: int) -> bytes:
        """Wait for so many answers, and give them."""
        found = b""
        deadline = time.monotonic() + STUCK
        while len(found) < count * self.kind.response.size:
            found += self.ring.take()
            assert time.monotonic() < deadline, f"{len(found) // self.kind.response.size} answers of {count}"
            time.sleep(0.001)
        return found

    def close(self) -> None:
        """Give all back."""
        self.ring.release()
        self.page.revoke()
        self.channel.close()

    def produce(self, index: int) -> None:
        """Claim to have produced up to an index, whatever there is."""
        self.page.memory[:4] = index.to_bytes(4, "little")
        self.channel.notify()

    @property
    def consumed(self) -> bool:
        """Whether the backend asks to be told of what comes next: it has taken all that there is."""
        produced, asked, _, _, *_ = HEADER.struct.unpack_from(self.page.memory)
        return bool(asked == produced + 1)

    @property
    def answered(self) -> int:
        """The backend's producer index."""
        return int(HEADER.struct.unpack_from(self.page.memory)[2])


class Bare:
    """One queue and a control ring."""

    def __init__(self, transport: Loopback, domid: int) -> None:
        self._transport, self._domid = transport, domid
        self.tx, self.rx, self.control = (BareRing(transport, domid, kind) for kind in (TX_RING, RX_RING, CTRL_RING))
        self.pages: list[Grant] = []

    def close(self) -> None:
        """Give all back, with the pages."""
        for each in (self.tx, self.rx, self.control):
            each.close()
        for page in self.pages:
            page.revoke()

    def nodes(self, *, notifies: bool = True, multicast: bool = False) -> dict[str, object]:
        """Give what it writes."""
        pages = tuple(tuple(ring.page.grefs) for ring in (self.tx, self.rx))
        shared = Shared(pages, (self.tx.channel.port, self.rx.channel.port))
        own = Control(self.control.page.grefs[0], self.control.channel.port)
        front = Front((shared,), Takes(sg=True), notifies=notifies, multicast=multicast, control=own)
        return dict(front_nodes(front))

    def publish(self, directory: str, nodes: dict[str, object]) -> None:
        """Write nodes, and say that it is connected."""
        for name, value in {**nodes, "state": 4}.items():
            if value is not None:
                self._transport.store.write(f"{directory}/{name}", str(value).encode())

    def post(self, count: int, *, tell: bool = True) -> None:
        """Post pages for what is received."""
        granted = [self._transport.grant(self._domid) for _ in range(count)]
        places = [(len(self.pages) + at, each.grefs[0]) for at, each in enumerate(granted)]
        self.pages += granted
        self.rx.put(rx_front.post(places), tell=tell)

    def asked(self, *requests: Request) -> list[Response]:
        """Ask for all at once on the control ring; give the answers."""
        self.control.put(b"".join(request.pack() for request in requests))
        found = self.control.take(len(requests))
        size = self.control.kind.response.size
        return [Response.parse(found[at : at + size]) for at in range(0, len(found), size)]

    def page(self, content: bytes) -> int:
        """Grant a page that begins so; give its gref."""
        granted = self._transport.grant(self._domid, writable=False)
        granted.memory[: len(content)] = content
        self.pages.append(granted)
        return granted.grefs[0]

    def sends(self, ident: int, content: bytes) -> None:
        """Send a packet of a page of its own, and hold that it is taken."""
        self.tx.put(sent(ident, size=len(content), gref=self.page(content)))
        assert answers(self.tx.take(1)) == [(ident, NetifRsp.OKAY)]

    def received(self, count: int, first: int = 0) -> Sequence[bytes]:
        """Wait for so many frames of a page each, in the pages posted from ``first`` on; give their bytes."""
        found = rx_front.parse(self.rx.take(count), [(first + at, 0) for at in range(count)])
        return [bytes(self.pages[each.pieces[0].id].memory[: each.pieces[0].length]) for each in found]
