"""Devices of a run go with it, and those of a killed one with the next; nobody else's do."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenstore.client import Client
from xentool.tools.conformance.xen.devices import MARK, Devices, Kind, mark, sweep

KIND = Kind("ukit", "kit", lambda number: 10 + number)
DOMID = 5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Client]:
    with machine(tmp_path, [0, DOMID]), Loopback(tmp_path, 0) as dom0:
        yield dom0.store


def closed(store: Client, devid: int, found: str | None) -> Spot:
    """Plug a device in that is closed already."""
    spot = Spot(KIND.front, KIND.back, 0, DOMID, devid)
    nodes = {MARK: found} if found else {}
    plug(store, spot, {**nodes, "state": 6}, nodes)
    return spot


def mark_of_the_dead() -> str:
    with subprocess.Popen(["sleep", "60"]) as process:
        found = mark(process.pid)
        process.kill()
    assert found
    return found


def test_a_device_is_marked_at_both_ends_and_gone_afterwards(store: Client) -> None:
    own = (mark(os.getpid()) or "").encode()
    with Devices(store, KIND, DOMID).plugged(lambda spot: ({"state": 6, "n": spot.devid}, {"m": 1})) as spot:
        assert spot == Spot("ukit", "kit", 0, DOMID, 10)
        assert store.read(f"{spot.back}/{MARK}") == store.read(f"{spot.front}/{MARK}") == own
        assert (store.read(f"{spot.back}/n"), store.read(f"{spot.front}/m")) == (b"10", b"1")
    assert not store.exists(f"/local/domain/{DOMID}/device/ukit")
    assert not store.exists("/local/domain/0/backend/kit")


def test_others_numbers_are_theirs(store: Client) -> None:
    other = closed(store, 10, None)
    devices = Devices(store, KIND, DOMID)
    with devices.plugged(lambda _: ({"state": 6}, {})) as spot:
        assert spot.devid == 11
    with devices.plugged(lambda _: ({"state": 6}, {})) as spot:
        assert spot.devid == 12
    assert store.read(f"{other.back}/state") == b"6"


def test_what_a_killed_run_has_left_is_swept_and_nothing_else(store: Client) -> None:
    own = closed(store, 1, mark(os.getpid()))
    dead = closed(store, 2, mark_of_the_dead())
    anothers = closed(store, 3, mark(os.getppid()))
    nobodys = closed(store, 4, None)
    odd = closed(store, 5, "an odd mark")
    sweep(store)
    there = [spot.devid for spot in (own, dead, anothers, nobodys, odd) if store.exists(spot.front)]
    assert there == [spot.devid for spot in (anothers, nobodys, odd) if store.exists(spot.back)] == [3, 4, 5]


def test_a_number_that_is_another_process_by_now_is_no_mark_of_it(store: Client) -> None:
    spot = closed(store, 1, f"{os.getppid()}-1")
    sweep(store)
    assert not store.exists(spot.back)
