"""Backends as toolstacks make them: found, run, and let go of."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus import backends as module
from pvdrivers.bus import toolstack
from pvdrivers.bus.backends import Backends
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenbus import Role
from pvdrivers.xenstore.client import Transaction
from tests.pvdrivers.bus.joined import Noting, running, until

GUESTS = (5, 6)


def spot(domid: int, devid: int = 51712) -> Spot:
    return Spot("vbd", "test", 0, domid, devid)


@pytest.fixture
def dom0(tmp_path: Path) -> Iterator[Loopback]:
    with machine(tmp_path, [0, *GUESTS]), Loopback(tmp_path, 0) as transport:
        yield transport


def test_devices_of_several_domains_come_and_go(dom0: Loopback, tmp_path: Path) -> None:
    over: list[Spot] = []
    made: list[Spot] = []

    def make(where: Spot) -> Noting:
        made.append(where)
        return Noting()

    # One is there before, the others come.
    toolstack.plug(dom0.store, spot(5), {}, {})
    backends = Backends(dom0, "test", "vbd", make, over=over.append, ours=lambda where: where.devid != 7)
    backends.start()
    try:
        for other in (spot(5, 51728), spot(6), spot(6, 7)):
            toolstack.plug(dom0.store, other, {}, {})
        until(lambda: len(backends.ends) == 3)
        assert set(made) == {spot(5), spot(5, 51728), spot(6)}
        for end in backends.ends.values():
            assert end.wait([S.INIT_WAIT], 600)
        # One is used by its guest, and plugged out; the others are there still.
        toolstack.part(dom0.store, spot(5, 51728))
        until(lambda: over == [spot(5, 51728)])
        toolstack.remove(dom0.store, spot(5, 51728))
        assert set(backends.ends) == {spot(5), spot(6)}
        # It may be plugged in again.
        toolstack.plug(dom0.store, spot(5, 51728), {}, {})
        until(lambda: spot(5, 51728) in backends.ends)
        with Loopback(tmp_path, 6) as guest:
            assert guest.store.read(f"{spot(6).back}/state") == b"2"
    finally:
        backends.stop()
    assert backends.ends.keys() == {spot(5), spot(5, 51728), spot(6)}
    assert not any(end.is_alive() for end in backends.ends.values())


@pytest.mark.parametrize("last", ["online", "frontend", "frontend-id"])
def test_one_that_is_removed_while_it_is_looked_at_is_not_begun(
    dom0: Loopback, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    toolstack.plug(dom0.store, spot(5), {}, {})
    toolstack.part(dom0.store, spot(5))
    looked = threading.Event()

    class Removed(Peer):
        """Its nodes go after one of them was read."""

        def _read(self, name: str) -> bytes | None:
            value = super()._read(name)
            if name == last:
                toolstack.remove(dom0.store, spot(5))
            looked.set()
            return value

    monkeypatch.setattr(module, "Peer", Removed)
    made: list[Spot] = []

    def make(where: Spot) -> Noting:
        made.append(where)
        return Noting()

    backends = Backends(dom0, "test", "vbd", make)
    backends.start()
    assert looked.wait(600)
    backends.stop()
    assert not made


@pytest.mark.parametrize(
    "nodes",
    [
        {"x/51712/online": b"1"},
        {"5/x/frontend-id": b"5"},
        {"5/51712/online": b"1"},
        {"5/51712/frontend": b"/local/domain/5/device/vbd/51712", "5/51712/frontend-id": b"6"},
        {"5/51712/frontend": b"/local/domain/5/device/vbd/51712", "5/51712/frontend-id": b"x"},
        {"5/51712/frontend": b"/x", "5/51712/frontend-id": b"5", "5/51712/online": b"0"},
        {"99999999999/1/frontend": b"x"},
    ],
)
def test_what_is_no_device_is_none(dom0: Loopback, nodes: dict[str, bytes]) -> None:
    def write(transaction: Transaction) -> None:
        # At once, as toolstacks do: one whose "online" is not there yet is a device.
        for name, value in nodes.items():
            transaction.write(f"/local/domain/0/backend/test/{name}", value)

    backends = Backends(dom0, "test", "vbd", lambda _: Noting())
    backends.start()
    try:
        dom0.store.transact(write)
        toolstack.plug(dom0.store, spot(6), {}, {})
        until(lambda: spot(6) in backends.ends)
        assert set(backends.ends) == {spot(6)}
    finally:
        backends.stop()


def test_a_frontend_has_one_backend(dom0: Loopback) -> None:
    assert toolstack.plug(dom0.store, spot(5), {}, {})
    assert not toolstack.plug(dom0.store, Spot("vbd", "other", 0, 5, 51712), {}, {})
    assert not dom0.store.exists("/local/domain/0/backend/other")


def test_an_end_whose_nodes_are_not_there_is_over(dom0: Loopback) -> None:
    with running(dom0, Noting(), Role.BACK) as end:
        until(lambda: end.over)
