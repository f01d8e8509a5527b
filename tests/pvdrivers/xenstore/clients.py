"""A client of a store in the same process: strings in, strings or an error's name out."""

from collections.abc import Callable
from pathlib import Path

from pvdrivers.xenstore.connection import Connection
from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.wire import Op, Packet, Parser, encode

DATA = Path(__file__).parent / "data"


class Refused(Exception):
    """The store answered with an error, whose name this holds."""


class Client:
    """One client; ``events`` collects what its watches tell, as ``(path, token)``."""

    def __init__(self, store: Store, domid: int = 0) -> None:
        self.session = store.connect(domid, lambda: None)
        self.connection = Connection(store, self.session)
        self.parser = Parser()
        self.events: list[tuple[str, str]] = []
        #: Kinds of all packets that came, in order.
        self.order: list[Op] = []

    def __call__(self, op: Op, *strings: str, tx: int = 0) -> str:
        """Send strings, each with a NUL behind, and give the reply's payload."""
        return self.raw(op, "".join(f"{string}\0" for string in strings).encode("latin-1"), tx=tx)

    def raw(self, op: int, payload: bytes, *, tx: int = 0, request: int = 7) -> str:
        """Send a payload as it is, and give the reply's."""
        self.connection.feed(encode(op, request, tx, payload))
        assert not self.connection.run()
        (reply,) = self.take()
        assert (reply.request, reply.transaction) == (request, tx)
        text = reply.payload.decode("latin-1")
        if reply.op == Op.ERROR:
            raise Refused(text.removesuffix("\0"))
        assert reply.op == op
        return text

    def write(self, path: str, value: str, tx: int = 0) -> None:
        assert self.raw(Op.WRITE, f"{path}\0{value}".encode("latin-1"), tx=tx) == "OK\0"

    def read(self, path: str, tx: int = 0) -> str:
        return self(Op.READ, path, tx=tx)

    def begin(self) -> int:
        return int(self(Op.TRANSACTION_START, "").removesuffix("\0"))

    def end(self, tx: int, verdict: str = "T") -> None:
        assert self(Op.TRANSACTION_END, verdict, tx=tx) == "OK\0"

    def ls(self, path: str, tx: int = 0) -> list[str]:
        return self(Op.DIRECTORY, path, tx=tx).split("\0")[:-1]

    def take(self) -> list[Packet]:
        """Take what waits: replies are given, events are put aside."""
        self.parser.feed(self.session.take(1 << 30))
        replies = []
        while packet := self.parser.next():
            self.order.append(Op(packet.op))
            if packet.op == Op.WATCH_EVENT:
                path, token = packet.payload.decode("latin-1").split("\0")[:-1]
                self.events.append((path, token))
            else:
                replies.append(packet)
        return replies

    def told(self) -> list[tuple[str, str]]:
        """Give the events since the last time."""
        assert self.take() == []
        events, self.events = self.events, []
        return events


def outcome(action: Callable[[], object]) -> object:
    """Do something, and give what it gave, or the name of the error."""
    try:
        return action()
    except Refused as error:
        return str(error)
