"""More disks like one that is there: its toolstack's nodes, on other files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.conformance.block.subject import Disk
from pvdrivers.errors import MachineError
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenstore.client import Client
from xentool.errors import Unavailable
from xentool.tools.conformance.subjects import subject
from xentool.tools.conformance.xen.devices import Devices, Kind
from xentool.tools.conformance.xen.like import LikeBench, Model, model

TAPDISK = {
    "params": "aio:/srv/disk.img",
    "type": "tapdisk",
    "mode": "w",
    "dev": "xvda",
    "discard-enable": "1",
    "hotplug-status": "connected",
    "feature-flush-cache": "1",
    "max-ring-page-order": "4",
    "multi-queue-max-queues": "2",
    "sectors": "2048",
    "sector-size": "512",
    "info": "0",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Client]:
    with machine(tmp_path, [0, 5]), Loopback(tmp_path, 0) as dom0:
        yield dom0.store


def test_a_model_is_what_its_toolstack_wrote_and_more_of_it_lie_elsewhere(store: Client, tmp_path: Path) -> None:
    spot = Spot("vbd", "tap", 0, 5, 51712)
    plug(store, spot, TAPDISK, {})
    found = model(store, spot.back)
    assert found == Model("tap", "vbd", {"type": "tapdisk", "discard-enable": "1"}, "aio:")
    bench = LikeBench(Devices(store, Kind("vbd", "tap", lambda n: n), 0), tmp_path)
    bench.model = found
    back, front = bench.nodes(Spot("vbd", "tap", 0, 0, 51728), Disk(readonly=True), Path("/tmp/kit/disk"))
    assert back == {**found.nodes, "params": "aio:/tmp/kit/disk", "mode": "r", "dev": "xvdb"}
    assert front == {"virtual-device": 51728, "device-type": "disk"}


def test_what_the_kernel_serves_needs_no_file(store: Client) -> None:
    spot = Spot("vif", "vif", 0, 5, 0)
    plug(store, spot, {"mac": "00:16:3e:00:00:01"}, {})
    assert model(store, spot.back).backend == "vif"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/local/domain/3/backend/tap/0/1", "give a backend's directory"),
        ("/local/domain/0/device/vbd/51712", "give a backend's directory"),
        ("/local/domain/0/backend/tap/5/51712", "its nodes name no file"),
    ],
)
def test_what_more_cannot_be_made_of(store: Client, path: str, why: str) -> None:
    plug(store, Spot("vbd", "tap", 0, 5, 51712), {"params": "nbd:unix"}, {})
    with pytest.raises(MachineError, match=why):
        model(store, path)


def test_without_xen() -> None:
    with pytest.raises(Unavailable, match="no /local/domain/0/backend/tap/5/51712: cannot open /dev/xen/gntdev"):
        subject("/local/domain/0/backend/tap/5/51712")
