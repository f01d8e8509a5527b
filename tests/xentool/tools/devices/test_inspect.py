"""Devices' nodes as they are read from a store of our own."""

from collections.abc import Iterator

import pytest

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from xentool.tools.devices.inspect import read
from xentool.tools.devices.paired import devices, end_name

NODES = {
    "1/device/vif/0/backend": "/local/domain/0/backend/vif/1/0",
    "1/device/vif/0/state": "4",
    "0/backend/vif/1/0/frontend": "/local/domain/1/device/vif/0",
    "0/backend/vif/1/0/state": "4",
    "1/device/vif/1/state": "2",
    "0/backend/uvif/1/1/frontend": "/local/domain/1/device/vif/1",
    "0/backend/uvif/1/1/state": "5",
    "0/error/backend/uvif/1/1/error": "22 gone",
    # Of a toolstack that nobody knows.
    "0/backend/newnic/1/2/frontend": "/local/domain/1/device/vif/2",
    "0/backend/newnic/1/2/state": "2",
    "0/backend/vif/2/0/state": "4",
    "1/device/vbd/768/state": "4",
    "0/backend/vbd3/1/768/state": "4",
    "1/console/state": "1",
    "0/backend/console/1/0/state": "1",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory = tmp_path_factory.mktemp("store")
    with served(directory), Client(directory / "dom0") as client:
        for path, value in NODES.items():
            client.write(f"/local/domain/{path}", value.encode())
        yield client


def test_of_one_kind_all_that_is_known_of_it_is_read_and_nothing_of_others(client: Client) -> None:
    nodes = read(client, 1, kind="vif")
    found = devices(nodes, 1)
    assert [(each.name, end_name(each.front), end_name(each.back)) for each in found] == [
        ("vif0", "Connected", "Connected"),
        ("vif1", "InitWait", "Closing"),
        ("vif2", "missing", "InitWait"),
    ]
    assert found[1].back is not None
    assert found[1].back.error == "22 gone"
    assert found == [each for each in devices(read(client, 1), 1) if each.kind == "vif"]
    assert [path for path in nodes if "vbd" in path or "console" in path or "/vif/2/" in path] == []
