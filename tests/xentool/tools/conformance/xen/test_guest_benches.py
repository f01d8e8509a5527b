"""What is counted of guests, and how one that is gone is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.errors import MachineError
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenstore.client import Client
from tests.xentool.tools.conformance.xen.told import Told
from xentool.tools.conformance.xen import guests
from xentool.tools.conformance.xen.guest_disks import GuestDisks
from xentool.tools.conformance.xen.guest_vifs import GuestUser, GuestVifs
from xentool.tools.conformance.xen.guests import GuestBench
from xentool.tools.conformance.xen.shell import Said

DOMID = 5


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(guests, "held", lambda *_: {"mappings": 9, "ports": 4})
    with machine(tmp_path, [0, DOMID]), Loopback(tmp_path, 0) as dom0:
        yield dom0.store


@pytest.mark.parametrize(
    ("make", "counted"),
    [(GuestDisks, {"interrupts": 3, "disks": 2}), (GuestVifs, {"interrupts": 3, "interfaces": 2})],
)
def test_what_is_counted(store: Client, make: type[GuestBench], counted: dict[str, int]) -> None:
    shell = Told(Said(b"3\n2\n", 0), Said(b"grep: no such file\n", 1), MachineError("the guest's shell ended"))
    bench = make(store, DOMID, shell)
    assert bench.resources() == {"ports": 4, **counted}
    # What cannot be counted is not.
    assert bench.resources() == {"ports": 4}
    assert bench.resources() == {"ports": 4}


def test_what_ends_a_guest_is_told(store: Client) -> None:
    said = Said(b"[ 1.0] eth1: renamed\n[ 2.0] BUG: kernel NULL pointer dereference\n", 0)
    bench = GuestVifs(store, DOMID, Told(Said(b"", 0), said, MachineError("the guest's shell ended")))
    assert bench.ended() is None
    assert bench.ended() == "[ 2.0] BUG: kernel NULL pointer dereference"
    assert bench.ended() == "the guest's shell ended"
    gone = GuestVifs(store, DOMID + 1, Told())
    assert "the guest is gone" in (gone.ended() or "")


def test_a_guest_without_its_relay_takes_and_gives_nothing() -> None:
    user = GuestUser(Told(), "/sys/bus/xen/devices/vif-64/net")
    assert user.receive(0) is None
    user.close()
