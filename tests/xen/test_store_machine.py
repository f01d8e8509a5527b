"""The store as clients of a lab meet it: C xenstored, dom0's programs on its socket, and guests by their kernels.

The machine of ``tests/pvdrivers/xenstore/machine.py`` with the model that ours is held to, on the lab's own store: it
finds there what dom0 and the guests live on, which goes into the model, and leaves that as it was.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from pvdrivers.xenstore.wire import Op, Packet
from tests.pvdrivers.xenstore.machine import Machine
from tests.pvdrivers.xenstore.model import Conn, Model, Node
from tests.pvdrivers.xenstore.served import Raw
from tests.pvdrivers.xenstore.xenstored import QUOTAS, Client, newer
from tests.xen.labs import Lab
from xentool.hosts import resolve
from xentool.lab import api

pytestmark = pytest.mark.lab

STEPS = int(os.environ.get("XENTOOL_FUZZ", "1000"))
STEPS_A_RUN = 100

XEN = "4.20"

SOCKET = "/run/xenstored/socket"
#: In a guest: one connection of its kernel's, led to whoever is at its port.
RELAY = b"exec 3<>/dev/xen/xenbus && echo && { cat <&3 & exec cat >&3; }\n"
#: Is written after each request: where the event of that has come, those of the request have come.
BARRIER = "/barrier"
#: What the machine may leave behind.
LEFT = ("/a", "/e", "/local/domain/0/a", "/local/domain/5/a", "/local/domain/6/a")
#: What lives on without it: removed by nobody, and put back as it was.
KEPT = ("/", "/local/domain", "/local/domain/5", "/local/domain/6")


class Barrier:
    """Who writes the barrier."""

    def __init__(self, raw: Raw) -> None:
        self.written = 0
        self._raw = raw
        raw.ask(Op.WRITE, f"{BARRIER}\0".encode())
        raw.send(Op.SET_PERMS, f"{BARRIER}\0b0\0".encode())

    def write(self) -> None:
        assert self._raw.receive().payload == b"OK\0"  # to the last one, which nobody waited for
        self.written += 1
        self._raw.send(Op.WRITE, f"{BARRIER}\0{self.written}".encode())


class Watcher(Client):
    """A client that knows by the barrier when all events of a request are there."""

    def __init__(self, raw: Raw, barrier: Barrier) -> None:
        super().__init__(raw)
        self._barrier = barrier
        # The first event is that of watching.
        self._passed = barrier.written - 1
        super().raw(Op.WATCH, f"{BARRIER}\0barrier\0".encode())

    def raw(self, op: int, payload: bytes, *, tx: int = 0) -> str:
        try:
            return super().raw(op, payload, tx=tx)
        finally:
            self._barrier.write()

    def begin(self) -> int:
        return int(super().raw(Op.TRANSACTION_START, b"\0").removesuffix("\0"))

    def told(self) -> list[tuple[str, str]]:
        while self._passed < self._barrier.written:
            self._note(self._raw.receive())
        events, self.events = self.events, []
        return [event for event in events if event[0] != BARRIER]

    def _note(self, event: Packet) -> None:
        super()._note(event)
        self._passed += self.events[-1] == (BARRIER, "barrier")

    def asks(self, op: Op, path: str, token: str) -> bool:
        """Tell whether the store will see this, and answer."""
        del op, path, token
        return True


class Guest(Watcher):
    """A guest's. Its kernel watches in its stead: each watch anew, and so it answers itself what is one too many.

    Where the store refuses, it fails the write, which ends the relay.
    """

    def __init__(self, raw: Raw, barrier: Barrier, domid: int) -> None:
        raw.socket.sendall(RELAY)
        assert raw.socket.recv(1) == b"\n"
        super().__init__(raw, barrier)
        self._home = f"/local/domain/{domid}"
        self._watches: set[tuple[str, str]] = set()

    def asks(self, op: Op, path: str, token: str) -> bool:
        watch = (path, token)
        if op == Op.UNWATCH and (known := watch in self._watches):
            self._watches.remove(watch)
            return known
        if op != Op.WATCH or not re.fullmatch(r"/|[/@]?\w+(/\w+)*", path) or self._is_there(path, token):
            return op not in (Op.WATCH, Op.UNWATCH)
        self._watches.add(watch)
        return True

    def _is_there(self, path: str, token: str) -> bool:
        return any(self._absolute(path) == self._absolute(at) and token == known for at, known in self._watches)

    def _absolute(self, path: str) -> str:
        return path if path[0] in "/@" else f"{self._home}/{path}"


class World:
    """A lab with two guests, and clients in it.

    :ivar domids: what ``DOMIDS`` are called there
    :ivar nodes: all of the store, as it was before
    :ivar steps: how many requests it has answered as the model did
    """

    def __init__(self, connect: Callable[[str], Path], guests: list[tuple[int, str]]) -> None:
        self.domids = [0, 0, *(domid for domid, _ in guests)]
        self.dom0 = Raw(connect(SOCKET))
        barrier = Barrier(Raw(connect(SOCKET)))
        self.clients: list[Watcher] = [Watcher(Raw(connect(SOCKET)), barrier) for _ in range(2)]
        self.clients += [Guest(Raw(connect(address)), barrier, domid) for domid, address in guests]
        self.nodes = {**Model([], {}).nodes, **dict(self.walk("/"))}
        self.steps = 0

    def node(self, path: str) -> Node:
        """Give a node; what version it has, only the store knows."""
        operations = (Op.GET_PERMS, Op.READ, Op.DIRECTORY)
        for op in operations:
            self.dom0.send(op, f"{path}\0".encode())
        replies = [self.dom0.receive() for _ in operations]
        assert [reply.op for reply in replies] == list(operations)
        entries, value, children = (reply.payload.decode() for reply in replies)
        return Node(0, entries.split("\0")[:-1], value, children.split("\0")[:-1])

    def walk(self, path: str) -> Iterator[tuple[str, Node]]:
        node = self.node(path)
        yield path, node
        for name in node.children:
            yield from self.walk(f"{path.removesuffix('/')}/{name}")

    def restore(self, named: Callable[[str], str]) -> None:
        """Remove what was left, and put back what was changed."""
        for path in map(named, LEFT):
            self.dom0.send(Op.RM, f"{path}\0".encode())
            assert self.dom0.receive().payload in (b"OK\0", b"ENOENT\0")
        for path in map(named, KEPT):
            node = self.nodes[path]
            self.dom0.ask(Op.WRITE, f"{path}\0{node.value}".encode())
            self.dom0.ask(Op.SET_PERMS, "\0".join((path, *node.perms, "")).encode())


class WorldMachine(Machine):
    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(world.clients, QUOTAS, world.domids, world.nodes)

    def both(self, who: int, which: int, op: Op, path: str, rest: str, expect: Callable[[Conn, str], str]) -> None:
        client = self.world.clients[who]
        spoilt = op != Op.TRANSACTION_END and self.transaction(who, which) in client.spoilt
        kept = op == Op.RM and path in KEPT
        if not (spoilt or kept or newer(op, path, rest)) and client.asks(op, self.named(path), rest.split("\0")[1]):
            super().both(who, which, op, path, rest, expect)
            self.world.steps += 1

    def teardown(self) -> None:
        for client, conn in zip(self.world.clients, self.model.conns, strict=True):
            for number in conn.transactions:
                assert client.raw(Op.TRANSACTION_END, b"F\0", tx=number) == "OK\0"
            for at, token, _, skip in conn.watches:
                assert client.asks(Op.UNWATCH, at[skip:], token)
                assert client.raw(Op.UNWATCH, f"{at[skip:]}\0{token}\0".encode()) == "OK\0"
        for client in self.world.clients:
            client.told()
        for path, node in self.model.nodes.items():
            if path[0] == "/" and node != self.world.nodes.get(path) and path != BARRIER:
                found = self.world.node(path)
                assert (found.perms, found.value, found.children) == (node.perms, node.value, node.children)
        self.world.restore(self.named)


def guest(lab: Lab, name: str) -> tuple[int, str]:
    """Start a guest, and give its domid, and where its shell is as seen from dom0."""
    domid = api.guest_start(api.Guest(name, workload="shell"), lab.name)
    return domid, f"{lab.address(name)}:7000"


def test_the_model_holds_for_the_store_of_a_lab_with_guests_among_its_clients(
    own_lab: Callable[..., api.Lab],
) -> None:
    started = own_lab(xen=XEN, store="xenstored", anew=True)
    with closing(Lab(started.name, XEN)) as lab, closing(resolve(lab.host)) as host:
        assert re.search(r"/xenstored\b", lab.run("ps", "ax"))
        world = World(host.forward, [guest(lab, "five"), guest(lab, "six")])
        run_state_machine_as_test(
            partial(WorldMachine, world),  # type: ignore[arg-type] # it takes whatever makes one
            settings=settings(
                max_examples=STEPS * 3 // 2 // STEPS_A_RUN,  # what the guests' kernels answer is none
                stateful_step_count=STEPS_A_RUN,
                phases=[Phase.generate],  # each step takes milliseconds here: what fails is shown as it is
                derandomize="XENTOOL_FUZZ" not in os.environ,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        world.dom0.ask(Op.RM, f"{BARRIER}\0".encode())
        del world.nodes[BARRIER]
        # All that was there is there again.
        after = dict(world.walk("/"))
        world.nodes["/"].children.remove(BARRIER[1:])
        assert after == {path: node for path, node in world.nodes.items() if path[0] == "/"}
        assert world.steps >= STEPS
