"""PV devices from XenStore: recorded on real Xen, and as a hostile guest would have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.abi.xenbus import XenbusState
from tests.xentool.tools.recorded import store
from traces.foreign import printable
from xentool.tools.devices import vdev
from xentool.tools.devices.diagnose import problems, stale
from xentool.tools.devices.paired import Device, Queue, devices, negotiation, state_name

ALIVE = {0, 1, 2}
PV_DISK = "/local/domain/1/device/vbd/51712"
BACKEND = "/local/domain/0/backend/vbd/1/51712"


def disk(**changes: bytes | None) -> Device:
    """Give domU's disk with nodes changed, or removed: front__state=b"1"; ``front=None`` removes an end."""
    nodes = store()
    for name, value in changes.items():
        side, _, node = name.partition("__")
        end = PV_DISK if side == "front" else BACKEND
        path = f"{end}/{node.replace('_', '-')}" if node else end
        if value is None:
            nodes = {each: held for each, held in nodes.items() if each != path and not each.startswith(f"{path}/")}
        else:
            nodes[path] = value
    return next(device for device in devices(nodes) if (device.domid, device.devid) == (1, 51712))


def wrong(**changes: bytes | None) -> list[str]:
    return problems(disk(**changes), ALIVE)


def test_all_devices_of_two_guests_work() -> None:
    found = devices(store())
    assert [(device.domid, device.kind, device.name) for device in found] == [
        (domid, kind, name)
        for domid in (1, 2)
        for kind, name in (("console", "console0"), ("vbd", "xvda"), ("vif", "vif0"))
    ]
    assert not [problem for device in found for problem in problems(device, ALIVE)]
    assert stale(store(), ALIVE) == []


def test_both_ends_and_the_rings_between_them() -> None:
    _, block, net = devices(store(), 1)
    assert block.front
    assert block.back
    assert (block.front.path, block.back.path, block.back.domid) == (PV_DISK, BACKEND, 0)
    assert block.front.state == block.back.state == XenbusState.CONNECTED
    assert block.queues == (
        Queue(0, {"ring-ref": (8,)}, {"event-channel": 15}),
        Queue(1, {"ring-ref": (9,)}, {"event-channel": 16}),
    )
    assert net.queues[1] == Queue(
        1, {"rx-ring-ref": (1037,), "tx-ring-ref": (1036,)}, {"event-channel-rx": 20, "event-channel-tx": 19}
    )
    assert net.details["bridge"] == "xenbr0"
    assert block.details["params"] == "/var/lib/xentool/domU.img"


def test_one_queue_is_not_numbered_and_pages_of_a_ring_are_in_order() -> None:
    _, block, net = devices(store(), 2)
    assert block.queues == (Queue(None, {"ring-ref": (8,)}, {"event-channel": 7}),)
    assert [queue.queue for queue in net.queues] == [None]
    nodes = store()
    front = "/local/domain/2/device/vbd/51712"
    del nodes[f"{front}/ring-ref"]
    nodes |= {f"{front}/ring-ref{page}": b"%d" % (100 + page) for page in (10, 1, 0, 2)}
    assert devices(nodes, 2)[1].queues[0].rings == {"ring-ref": (100, 101, 102, 110)}


def test_features() -> None:
    _, block, net = devices(store(), 1)
    # The guest has feature-persistent=0: off is not negotiated.
    assert negotiation(block)["both ends"] == ["multi-queue-num-queues=2"]
    assert "persistent" in negotiation(block)["backend only"]
    assert "max-indirect-segments=256" in negotiation(block)["backend only"]
    assert {"sg", "gso-tcpv4", "rx-copy"} <= set(negotiation(net)["both ends"])
    assert negotiation(net)["frontend only"] == ["rx-notify"]


def test_a_domain_that_serves_has_the_devices_of_its_guests() -> None:
    assert devices(store(), 0) == devices(store())


def test_states_have_the_headers_names() -> None:
    assert [state_name(state) for state in XenbusState] == [
        "Unknown",
        "Initialising",
        "InitWait",
        "Initialised",
        "Connected",
        "Closing",
        "Closed",
        "Reconfiguring",
        "Reconfigured",
    ]


def test_ends_that_wait_for_each_other() -> None:
    assert wrong(front__state=b"1", back__state=b"2") == [
        "the backend waits for the frontend: no driver in the guest has taken the device: "
        "frontend Initialising, backend InitWait"
    ]
    assert wrong(front__state=b"3", back__state=b"2") == [
        "the frontend waits for the backend to map its rings: frontend Initialised, backend InitWait"
    ]
    assert wrong(front__state=b"4", back__state=b"2")[0].startswith("the frontend is connected, and the backend waits")
    assert wrong(front__state=b"2", back__state=b"8") == [
        "the ends' states do not go together: frontend InitWait, backend Reconfigured"
    ]
    assert wrong(front__state=b"6", back__state=b"5") == [
        "the device is closed or closing; it is still plugged in: frontend Closed, backend Closing"
    ]
    assert wrong(front__state=b"6", back__state=b"5", back__online=b"0") == [
        "the device is closed or closing: frontend Closed, backend Closing"
    ]


def test_halves() -> None:
    assert wrong(back=None) == ["the frontend (Connected) has no backend"]
    assert wrong(front=None) == ["the backend has no frontend"]
    assert wrong(front__state=None) == ["the frontend has no state"]
    assert wrong(back__frontend=None) == [f"the backend names no frontend; it is {PV_DISK}"]


def test_a_frontend_that_names_another_backend() -> None:
    assert wrong(front__backend=b"/local/domain/0/backend/vbd/2/51712") == [
        f"the frontend names '/local/domain/0/backend/vbd/2/51712' as its backend; it is {BACKEND}"
    ]
    assert wrong(front__backend=PV_DISK.encode()) == [f"the frontend names '{PV_DISK}' as its backend; it is {BACKEND}"]


def test_a_frontend_of_two_backends_belongs_to_the_one_that_it_names() -> None:
    nodes = store()
    other = BACKEND.replace("/domain/0/", "/domain/2/")
    nodes |= {path.replace(BACKEND, other): value for path, value in nodes.items() if path.startswith(BACKEND)}
    nodes[f"{PV_DISK}/backend"] = other.encode()
    served, left = (device for device in devices(nodes, 1) if device.kind == "vbd")
    assert served.back
    assert left.back
    assert (served.back.domid, left.front, left.back.domid) == (2, None, 0)
    assert problems(left, ALIVE) == ["the backend has no frontend"]


def pair(front: str, back: str, **more: str) -> dict[str, bytes]:
    """Give both ends of a device that works, as a toolstack and two drivers write them."""
    nodes = {f"{front}/backend": back, f"{front}/state": "4", f"{back}/frontend": front, f"{back}/state": "4"}
    return {path: value.encode() for path, value in (nodes | more).items()}


@pytest.mark.parametrize(
    ("front", "back", "name"),
    [
        ("device/vbd/768", "backend/vbd3/5/768", "hda"),
        ("device/vbd/51712", "backend/qdisk/5/51712", "xvda"),
        ("device/vbd/51712", "backend/tap/5/51712", "xvda"),
        ("device/vbd/51728", "backend/whatever-comes-next/5/51728", "xvdb"),
        ("device/9pfs/0", "backend/xen_9pfs/5/0", "9pfs0"),
        ("device/vkbd/0", "backend/vinput/5/0", "vkbd0"),
        ("device/vusb/0", "backend/qusb/5/0", "vusb0"),
        ("device/vsnd/0", "backend/vsnd/5/0", "vsnd0"),
        ("device/virtio_disk/51728", "backend/virtio_disk/5/51728", "virtio_disk51728"),
        ("vuart/0", "backend/vuart/5/0", "vuart0"),
        ("xenserver/device/net-sriov-vf/1", "xenserver/backend/net-sriov-vf/5/1", "net-sriov-vf1"),
        # Links, and nothing else, tell that these two belong together.
        ("device/vif/1", "backend/vif/5/7", "vif1"),
    ],
)
@pytest.mark.parametrize("home", [0, 2])
def test_ends_belong_together_by_their_links(front: str, back: str, name: str, home: int) -> None:
    paths = f"/local/domain/5/{front}", f"/local/domain/{home}/{back}"
    nodes = pair(*paths)
    if "/v" in front and "virtio" not in front and "uart" not in front:
        nodes |= {f"{paths[0]}/ring-ref": b"8", f"{paths[0]}/event-channel": b"15"}
    (device,) = devices(nodes)
    assert device.front
    assert device.back
    assert (device.domid, device.name, device.front.path, device.back.path) == (5, name, *paths)
    assert problems(device, {0, 2, 5}) == []


def test_a_link_into_another_domain_is_not_believed() -> None:
    own, others = "/local/domain/5/device/vbd/51712", "/local/domain/6/device/vbd/51712"
    back = "/local/domain/0/backend/vbd/6/51712"
    theirs = "/local/domain/2/backend/vbd/5/51712"
    nodes = pair(others, back) | pair(own, theirs)
    # A guest names another's backend as its own; a driver domain names a frontend that it does not serve.
    nodes |= {f"{own}/backend": back.encode(), f"{theirs}/frontend": others.encode()}
    five, six = devices(nodes)
    assert six.back
    assert (six.domid, six.back.path) == (6, back)
    assert five.back
    assert (five.domid, five.back.path) == (5, theirs)
    assert problems(six, {0, 2, 5, 6})[0].startswith("both ends are Connected")
    assert [problem.split(";")[0] for problem in problems(five, {0, 2, 5, 6})][:2] == [
        f"the frontend names '{back}' as its backend",
        f"the backend names '{others}' as its frontend",
    ]


def test_leftovers_of_vchans() -> None:
    nodes = {f"/local/domain/{path}": b"" for path in ("0/data/vchan/7", "0/data/vchan/2", "1/data/vchan/1234", "1/vm")}
    nodes["/local/domain/1/data/vchan/1234/ring-ref"] = b"9"  # a port's, not a domain's
    assert stale(nodes, ALIVE) == ["/local/domain/0/data/vchan/7"]


def test_errors_that_drivers_report() -> None:
    nodes = store()
    nodes["/local/domain/1/error/device/vbd/51712/error"] = b"22 bad \x1b[31m"
    nodes["/local/domain/0/error/backend/vbd/1/51712/error"] = b"2 reading dev"
    nodes[f"{BACKEND}/hotplug-error"] = b"no such file"
    assert problems(devices(nodes, 1)[1], ALIVE) == [
        "the frontend reports: 22 bad \x1b[31m",
        "the backend reports: 2 reading dev",
        "the backend's hotplug script failed: no such file",
    ]


def test_queues_that_are_not_there() -> None:
    assert wrong(front__multi_queue_num_queues=b"3") == ["the frontend says that it has '3' queues, and has 2"]
    nodes = store()
    del nodes[f"{PV_DISK}/queue-1/event-channel"]
    assert problems(devices(nodes, 1)[1], ALIVE) == ["queue 1 lacks its event channel"]
    nodes = {path: value for path, value in store().items() if not path.startswith(f"{PV_DISK}/queue-")}
    assert "both ends are Connected, but the frontend names no ring" in problems(devices(nodes, 1)[1], ALIVE)


def test_domains_that_are_gone_leave_stale_nodes() -> None:
    assert {problem for device in devices(store(), 2) for problem in problems(device, {0, 1})} == {
        "stale: domain 2 is gone, and its nodes are left"
    }
    assert stale(store(), {0, 1}) == [
        "/libxl/2",
        "/local/domain/0/backend/console/2",
        "/local/domain/0/backend/vbd/2",
        "/local/domain/0/backend/vif/2",
        "/local/domain/2",
    ]
    nodes = {path: value for path, value in store().items() if not path.startswith("/local/domain/2")}
    assert [path for path in stale(nodes, ALIVE) if path.startswith("/vm/")] == [
        "/vm/a2cf9ee4-9c6b-492a-8276-984d4449078d"
    ]
    assert problems(disk(), {1, 2}) == ["the backend's domain 0 is gone"]


def test_rubbish_in_place_of_numbers_and_states() -> None:
    device = disk(front__state=b"\x00\xff\n", front__event_channel=b"0x10", front__ring_ref=b"9" * 2000)
    assert device.unreadable == {"event-channel": "0x10", "ring-ref": "9" * 2000}
    found = problems(device, ALIVE)
    assert "the frontend's state node holds '\\x00\\\\xff\\n', which is no state" in found
    assert "the frontend's event-channel holds '0x10', which is no number" in found
    assert all(len(problem) < 200 for problem in found)


def test_paths_that_name_no_device_are_none() -> None:
    nodes = store()
    before = devices(nodes)
    nodes |= {
        "/local/domain/1/device/suspend/event-channel": b"3",
        "/local/domain/1/device/vbd/99999999999/state": b"4",
        "/local/domain/1/device/vbd/x/state": b"4",
        "/local/domain/1/device/vbd/\N{ARABIC-INDIC DIGIT ONE}/state": b"4",
        "/local/domain/1/data/device/vbd/1/state": b"4",
        "/local/domain/123456/device/vbd/1/state": b"4",
        "/local/domain/0/backend/vbd/1/x/state": b"4",
        "/local/domain/0/console": b"",
    }
    assert devices(nodes) == before


@given(
    st.dictionaries(
        st.sampled_from(sorted(path for path in store() if path.startswith(PV_DISK)))
        | st.from_regex(
            r"/local/domain/1/device/v(bd|if)/[0-9]{1,12}/(queue-[0-9]{1,5}/)?[a-z-]{1,20}[0-9]{0,3}", fullmatch=True
        ),
        st.binary(max_size=50),
        max_size=20,
    )
)
def test_nothing_that_a_guest_writes_stops_the_tool(written: dict[str, bytes]) -> None:
    for device in devices(store() | written):
        for problem in problems(device, ALIVE):
            assert printable(problem).isprintable()
        negotiation(device)


def test_many_nodes_of_one_guest() -> None:
    nodes = store() | {f"{PV_DISK}/queue-{n}/ring-ref": b"%d" % n for n in range(1000)}
    device = devices(nodes, 1)[1]
    assert len(device.queues) == 1000
    assert problems(device, ALIVE) == [
        "998 queues lack a ring or an event channel",
        "the frontend says that it has '2' queues, and has 1000",
    ]


def test_names_of_disks() -> None:
    # xen-vbd-interface(7); xvdz and beyond need the extended numbers.
    names = {51712: "xvda", 51713: "xvda1", 51728: "xvdb", 51952: "xvdp", 268439552: "xvdq", 268441856: "xvdz"}
    names |= {
        268442112: "xvdaa",
        268439553: "xvdq1",
        768: "hda",
        832: "hdb",
        5632: "hdc",
        2048: "sda",
        2064: "sdb",
        7: "7",
    }
    assert {number: vdev.name(number) for number in names} == names
