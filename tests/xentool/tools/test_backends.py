"""Disks and interfaces that sysfs in dom0 does not know, from a store of our own."""

import errno
from collections.abc import Iterator

import pytest

from pvdrivers.xenstore.client import Client, Refused
from tests.pvdrivers.xenstore.served import served
from tests.xentool.tools.recorded import STATS
from xentool.tools.devices.backends import counted, listed, merged
from xentool.tools.devices.inspect import read
from xentool.tools.domains.stats import Block, Net
from xentool.tools.domains.xl_stats import parse
from xentool.tools.store.nodes import Unlisted

NODES = {
    "0/backend/vbd3/1/768/frontend": "/local/domain/1/device/vbd/768",
    "0/backend/udisk/1/51728/statistics/reads": "7",
    "0/backend/udisk/1/51728/statistics/sectors-read": "56",
    "0/backend/udisk/1/51744/statistics/writes": "x",
    "0/backend/udisk/1/51744/state": "2",
    "0/backend/udisk/1/51760/state": "4",
    "0/backend/newdisk/2/51712/frontend": "/local/domain/2/device/vbd/51712",
    "0/backend/newdisk/2/51728/frontend": "/local/domain/1/device/vbd/51728",  # not whom its path says
    "0/backend/virtio_disk/2/51760/state": "1",
    "0/backend/vkbd/2/0/state": "4",
    "0/backend/uvif/2/1/statistics/tx-packets": "3",
    "0/backend/uvif/2/1/statistics/tx-bytes": "180",
    "0/backend/uvif/2/1/statistics/rx-packets": "5",
    "0/backend/uvif/2/1/statistics/dropped": "1",
    "0/backend/uvif/2/2/state": "2",
    "0/backend/unet/2/4/state": "4",
    "1/backend/vif/2/3/state": "4",
    "1/backend/vif/9/0/state": "4",  # of a domain that is gone
    "2/backend/vif/x/y": "",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory = tmp_path_factory.mktemp("store")
    with served(directory), Client(directory / "dom0") as client:
        for path, value in NODES.items():
            client.write(f"/local/domain/{path}", value.encode())
        yield client


def test_disks_and_interfaces_of_any_kind_and_place(client: Client) -> None:
    unlisted: list[Unlisted] = []
    backends = listed(client, [0, 1, 2], unlisted)
    sample = merged(parse(STATS), backends, counted(client, backends))
    dom0, pv, pvh = sample.domains
    assert unlisted == []
    assert (dom0.blocks, dom0.nets) == ((), ())
    # What sysfs told stays as it was.
    assert {block.device: block.reads for block in pv.blocks} == {
        "xvda": 3,
        "hda": None,
        "xvdb": 7,
        "xvdc": None,
        "xvdd": 0,  # connected, and nothing done
    }
    assert Block("xvdb", 7, 56 * 512, 0, 0, 0, None) in pv.blocks
    assert [block.device for block in pvh.blocks] == ["xvda", "virtio_disk51760"]
    assert {net.device for net in pvh.nets} == {"vif0", "vif1", "vif2", "vif3", "uvif4"}
    # What a guest sent is what its backend got.
    assert Net("vif1", 0, 5, 0, None, 180, 3, 0, 1) in pvh.nets
    assert Net("uvif4", 0, 0, 0, None, 0, 0, 0, 0) in pvh.nets
    assert {Net("vif2"), Net("vif3")} < set(pvh.nets)


def test_a_directory_that_cannot_be_listed_hides_nothing_else(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Client.directory
    barred = {"/local/domain", "/local/domain/1/backend/vif", "/local/domain/0/data/vchan"}

    def some(self: Client, path: str) -> list[str]:
        if path in barred:
            raise Refused(errno.E2BIG, f"cannot list {path}")
        return directory(self, path)

    monkeypatch.setattr(Client, "directory", some)
    unlisted: list[Unlisted] = []
    found = listed(client, [0, 1, 2], unlisted)
    assert ("/local/domain/1/backend/vif/2/3", "vif") in [(each.path, each.kind) for each in found]
    assert [each.path for each in unlisted] == ["/local/domain/1/backend/vif"]
    for domid, missing in ((None, barred), (2, {"/local/domain", "/local/domain/1/backend/vif"})):
        unlisted = []
        nodes = read(client, domid, alive={0, 1, 2}, unlisted=unlisted)
        assert nodes["/local/domain/1/backend/vif/2/3/state"] == b"4"
        assert nodes["/local/domain/0/backend/vkbd/2/0/state"] == b"4"
        assert {each.path for each in unlisted} == missing - ({"/local/domain/1/backend/vif"} if domid else set())
    assert "more children than fit into one reply" in unlisted[0].why
