"""A client's end of the protocol without the socket: its bytes in, its session's packets out."""

from pvdrivers.xenstore.requests import answer
from pvdrivers.xenstore.session import Session
from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.wire import Parser


class Connection:
    """One client's connection.

    :param session: replies and events are taken from it
    """

    def __init__(self, store: Store, session: Session) -> None:
        self.session = session
        self._store = store
        self._parser = Parser()

    def feed(self, data: bytes) -> None:
        """Take bytes that the client sent."""
        self._parser.feed(data)

    def run(self) -> bool:
        """Answer requests until all are answered, or until the client has to take replies first: True then.

        :raises BadPacket: the connection is of no use any more
        """
        while not self.session.full:
            packet = self._parser.next()
            if packet is None or self.session.closed:
                return False
            answer(self._store, self.session, packet)
        return True
