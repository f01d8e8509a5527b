"""Two ends on a loopback, with drivers that note down what they are asked to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pvdrivers.bus.device import NOTHING, Nodes, Plain
from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.errors import DriverError
from pvdrivers.transport.loopback import Loopback
from pvdrivers.xenbus import FRONT, Role

BACK, GUEST = 0, 5
SPOT = Spot("vbd", "test", BACK, GUEST, 51712)


def until(condition: Callable[[], object], seconds: float = 600) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not become so"
        time.sleep(0.005)


class Noting(Plain):
    """Notes each action; writes a node for some."""

    def __init__(self, actions: list[str] | None = None) -> None:
        self.actions: list[str] = [] if actions is None else actions
        #: By action: raised once.
        self.failing: dict[str, DriverError] = {}
        self.told = False

    def _do(self, action: str, nodes: Nodes = NOTHING) -> Nodes:
        self.actions.append(action)
        if error := self.failing.pop(action, None):
            raise error
        return nodes

    def offer(self) -> Nodes:
        return self._do("offer", {"max-ring-page-order": 4})

    def publish(self) -> Nodes:
        return self._do("publish", {"ring-ref": 8, "queue-0": None})

    def connect(self) -> Nodes:
        return self._do("connect")

    def reread(self) -> Nodes:
        return self._do("reread")

    def close(self) -> Nodes:
        return self._do("close")

    def restart(self) -> Nodes:
        return self._do("restart")

    def tick(self) -> tuple[Nodes, bool]:
        told, self.told = self.told, False
        return ({"sectors": 7} if told else NOTHING), told


class Frontish(Peer):
    """A frontend without a driver: what a test writes there is all that it does."""

    def __init__(self, transport: Loopback, spot: Spot = SPOT) -> None:
        super().__init__(transport.store, spot.front)
        self.store = transport.store

    def write(self, name: str, value: object) -> None:
        self.store.write(f"{self.path}/{name}", value if isinstance(value, bytes) else str(value).encode())


@contextmanager
def running(transport: Loopback, device: Noting, role: Role, lines: list[str] | None = None) -> Iterator[End]:
    """Run one end as long as the context lasts."""
    here, there = (SPOT.front, SPOT.back) if role is Role.FRONT else (SPOT.back, SPOT.front)
    log = (lambda _: None) if lines is None else lines.append
    table = {"table": FRONT} if role is Role.FRONT else {}
    end = End(transport.store, here, there, device, role=role, log=log, **table)
    end.start()
    try:
        yield end
    finally:
        end.stop()
        end.join()


def plugged(transport: Loopback, directory: Path) -> None:
    """Make the nodes, as domain 0."""
    assert directory.exists()
    assert plug(transport.store, SPOT, {}, {})
