"""Vifs that look connected, or wait: what dom0's network devices and the toolstack's nodes tell of them."""

import pytest

from tests.xentool.tools.recorded import store
from xentool.tools.devices.diagnose import problems
from xentool.tools.devices.links import Link, netdev, parse
from xentool.tools.devices.paired import Device, devices

ALIVE = {0, 1, 2}
FRONT, BACK = "/local/domain/1/device/vif/0", "/local/domain/0/backend/vif/1/0"
#: As Linux prints it: `vif2.0` is down, and reading its carrier fails.
PRINTED = """\
br0/flags:0x1003
lo/flags:0x9
vif1.0/flags:0x1103
vif2.0/flags:0x1002
lo/carrier:1
vif1.0/carrier:0
vif1.0/statistics/rx_packets:12
vif1.0/statistics/tx_packets:345
vif2.0/statistics/rx_packets:1
x/carrier:1
grep: vif2.0/carrier: Invalid argument
"""


def vif(**changes: str) -> Device:
    """Give domU's vif with nodes of its backend changed; ``front_state`` is its frontend's."""
    nodes = store()
    for name, value in changes.items():
        path = f"{FRONT}/state" if name == "front_state" else f"{BACK}/{name.replace('_', '-')}"
        nodes[path] = value.encode()
    return next(device for device in devices(nodes, 1) if device.kind == "vif")


def test_what_dom0_prints_of_its_devices() -> None:
    assert parse(PRINTED) == {
        "br0": Link(up=True, carrier=None, received=0, sent=0),
        "lo": Link(up=True, carrier=True, received=0, sent=0),
        "vif1.0": Link(up=True, carrier=False, received=12, sent=345),
        "vif2.0": Link(up=False, carrier=None, received=1, sent=0),
    }


def test_a_vif_that_netback_has_given_up_is_connected_all_the_same() -> None:
    (problem,) = problems(vif(), ALIVE, parse(PRINTED))
    assert problem.startswith(
        "both ends are Connected, but vif1.0 in dom0 has no carrier after 12 packets from the guest and 345 for it: "
    )
    assert "`dmesg` says `fatal error`" in problem


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (Link(up=True, carrier=True, received=0, sent=0), []),
        (
            Link(up=False, carrier=None, received=0, sent=0),
            ["both ends are Connected, but web0 in dom0 is down: `ip link set web0 up`"],
        ),
    ],
)
def test_a_vif_of_another_name(link: Link, said: list[str]) -> None:
    device = vif(vifname="web0")
    assert netdev(device) == "web0"
    assert problems(device, ALIVE, {"web0": link, "vif1.0": Link(up=True, carrier=False, received=0, sent=0)}) == said


def test_backends_elsewhere_have_no_device_in_dom0() -> None:
    nodes = {path.replace(BACK, "/local/domain/2/backend/vif/1/0"): value for path, value in store().items()}
    nodes["/local/domain/1/device/vif/0/backend"] = b"/local/domain/2/backend/vif/1/0"
    (device,) = (each for each in devices(nodes, 1) if each.kind == "vif")
    assert netdev(device) is None
    assert problems(device, ALIVE, parse(PRINTED)) == []


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (
            {"hotplug_status": "", "script": "/etc/xen/scripts/vif-bridge"},
            "the backend waits for hotplug-status, which /etc/xen/scripts/vif-bridge sets "
            "(/var/log/xen/xen-hotplug.log); where the network was joined by hand, "
            f"`xentool store write {BACK}/hotplug-status connected`",
        ),
        (
            {"hotplug_status": "", "script": ""},
            "the backend waits for hotplug-status, and no script is named that sets it: join its network, and "
            f"`xentool store write {BACK}/hotplug-status connected`",
        ),
        (
            {"hotplug_status": "connected"},
            "the frontend is connected, its script has run, and the backend does not follow: `dmesg` may tell why",
        ),
    ],
)
def test_who_waits_for_hotplug_status_is_told_so(nodes: dict[str, str], said: str) -> None:
    assert problems(vif(state="2", **nodes), ALIVE) == [f"{said}: frontend Connected, backend InitWait"]


def test_a_port_of_ours_that_is_down() -> None:
    own = {
        "/local/domain/1/device/vif/1/backend": "/local/domain/0/backend/uvif/1/1",
        "/local/domain/1/device/vif/1/state": "4",
        "/local/domain/1/device/vif/1/tx-ring-ref": "8",
        "/local/domain/1/device/vif/1/rx-ring-ref": "9",
        "/local/domain/1/device/vif/1/event-channel": "5",
        "/local/domain/0/backend/uvif/1/1/frontend": "/local/domain/1/device/vif/1",
        "/local/domain/0/backend/uvif/1/1/state": "4",
        "/local/domain/0/backend/uvif/1/1/port": "tap:vif1.1",
        "/local/domain/0/backend/uvif/1/1/mac": "00:16:3e:00:00:01",
    }
    nodes = {path: value.encode() for path, value in own.items()}
    (device,) = devices(nodes, 1)
    assert (device.name, device.details) == ("vif1", {"mac": "00:16:3e:00:00:01", "port": "tap:vif1.1"})
    assert problems(device, ALIVE) == []
    (device,) = devices(nodes | {"/local/domain/0/backend/uvif/1/1/carrier": b"0"}, 1)
    assert problems(device, ALIVE) == [
        "both ends are Connected, but the backend says that its port (tap:vif1.1) is down"
    ]
