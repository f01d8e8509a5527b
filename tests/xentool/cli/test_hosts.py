"""Hosts of others, through whole commands: XCP-ng, Qubes, Xen 4.4, and consoles that cannot be read."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pvdrivers.xenstore.client import Client
from tests.xentool.dom0 import hosted, pair
from tests.xentool.tools.channels.consoles import console
from xentool.cli.root import group
from xentool.errors import PeerError, XentoolError

RING = {"ring_ref": "8", "event_channel": "15"}
XCP_NG = [
    *pair("3/device/vbd/768", "0/backend/vbd3/3/768", **RING),
    *pair("3/device/vif/0", "0/backend/vif/3/0", tx_ring_ref="9", rx_ring_ref="10", event_channel="4"),
]
QUBES = [
    *pair("5/device/vbd/51712", "0/backend/vbd/5/51712", **RING),
    *pair("5/device/vif/0", "6/backend/vif/5/0", tx_ring_ref="9", rx_ring_ref="10", event_channel="4"),
    ("5/data/vchan/6/512/ring-ref", "1024"),
    ("5/data/vchan/6/512/event-channel", "16"),
    *((f"0/data/vchan/{domid}", "") for domid in range(4, 30)),
]
OLD_VCPUS = """\
Name                                ID  VCPU   CPU State   Time(s) CPU Affinity
Domain-0                             0     0    0   r--      94.4  any cpu
Domain-0                             0     1    -   --p       1.0  0-3,8
"""


def xentool(*words: str) -> Result:
    return CliRunner().invoke(group, words)


def test_disks_of_xcp_ng(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted(tmp_path, monkeypatch, {0: "Domain-0", 3: "web 1"}, XCP_NG):
        told = json.loads(xentool("device", "list", "--json").stdout)
        assert [(each["name"], each["back"]["path"], each["problems"]) for each in told["devices"]] == [
            ("hda", "/local/domain/0/backend/vbd3/3/768", []),
            ("vif0", "/local/domain/0/backend/vif/3/0", []),
        ]
        (_, web) = json.loads(xentool("list", "--json").stdout)["domains"]
        assert ([disk["device"] for disk in web["blocks"]], [net["device"] for net in web["nets"]]) == (
            ["hda"],
            ["vif0"],
        )
        shown = xentool("show", "web 1")
        assert shown.exit_code == 0
        assert "Nothing looks wrong." in shown.stdout
        assert "hda  vbd 768: Connected ↔ Connected, backend in domain 0" in shown.stdout


def test_qubes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = {0: "Domain-0", 5: "work", 6: "sys-net"}
    with hosted(tmp_path, monkeypatch, domains, QUBES, console=console(17, "[  812.123456] ")):
        devices = xentool("device", "list")
        assert devices.exit_code == 0
        assert "! /local/domain/0/data/vchan: has 24 nodes of domains that are gone, such as 4\n" in devices.stdout
        # The interface's backend is in a driver domain.
        work = next(line for line in xentool("list").stdout.splitlines() if "work" in line)
        assert work.split() == ["5", "work", "-", "blocked", "1", "512", "MiB", "1.5", "1", "1"]
        grants = xentool("grants", "work")
        assert grants.exit_code == 0
        assert "d5 work: 3 grants in use" in grants.stdout
        assert "1024  vchan 512 to d6 ring  d6 sys-net" in grants.stdout
        assert "serves no device" not in xentool("channels").stdout


def test_xen_4_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = {0: "Domain-0", 5: "work", 6: "vault"}
    with hosted(tmp_path, monkeypatch, domains, [], vcpus=OLD_VCPUS, console=console(4)):
        (dom0, *_) = json.loads(xentool("list", "--json").stdout)["domains"]
        assert [each["hard_affinity"] for each in dom0["each_vcpu"]] == ["all", "0-3,8"]
        told = json.loads(xentool("grants", "5", "--json").stdout)
        assert [(each["gref"], each["mapper"]) for each in told["grants"]] == [(8, 0), (9, 0), (1024, 6)]
        assert "2 ports" in xentool("evtchn", "5").stdout


@pytest.mark.parametrize("command", ["grants", "evtchn"])
def test_what_cannot_be_read_is_told_and_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    domains = {0: "Domain-0", 5: "work", 7: "new"}
    torn = console(17).replace("[0x400] ", "[0x400}").replace("  16 [0/1", "  16 [0:1")
    with hosted(tmp_path, monkeypatch, domains, [], console=torn):
        done = xentool(command, "5")
        assert isinstance(done.exception, PeerError)
        assert "at least" in done.stdout
        nothing = xentool(command, "7")
        assert isinstance(nothing.exception, PeerError)
        assert (nothing.exception.exit_code, nothing.stdout) == (4, "")


OURS = [
    *pair("3/device/vbd/51728", "0/backend/udisk/3/51728", **RING),
    *pair("3/device/vif/1", "0/backend/uvif/3/1", tx_ring_ref="9", rx_ring_ref="10", event_channel="4"),
    ("0/backend/uvif/3/1/port", "tap:vif3.1"),
    ("0/backend/uvif/3/1/carrier", "0"),
    ("0/backend/uvif/3/1/statistics/tx-packets", "3"),
    ("0/backend/uvif/3/1/statistics/tx-bytes", "180"),
]


def test_what_a_process_of_ours_serves_is_known_and_plugged_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hosted(tmp_path, monkeypatch, {0: "Domain-0", 3: "web"}, OURS):
        disk, vif = json.loads(xentool("device", "list", "web", "--json").stdout)["devices"]
        assert (disk["name"], disk["problems"]) == ("xvdb", [])
        assert vif["details"] == {"port": "tap:vif3.1"}
        assert vif["problems"] == ["both ends are Connected, but the backend says that its port (tap:vif3.1) is down"]
        (net,) = json.loads(xentool("list", "--json").stdout)["domains"][1]["nets"]
        assert (net["device"], net["sent_packets"], net["sent_bytes"], net["received_packets"]) == ("vif1", 3, 180, 0)
        back = "/local/domain/0/backend/uvif/3/1"
        told = xentool("device", "detach", "web", "net", "vif1", "--dry-run")
        assert told.stdout == f"xenstore-write {back}/online 0 {back}/state 5\n"
        # Whoever serves it would remove its nodes.
        told = xentool("device", "detach", "web", "net", "vif1", "--timeout", "0")
        assert isinstance(told.exception, XentoolError)
        assert str(told.exception) == ("vif1 is not gone within 0 s: its frontend is Connected, its backend Closing")
        with Client(tmp_path / "dom0") as client:
            assert (client.read(f"{back}/online"), client.read(f"{back}/state")) == (b"0", b"5")
            assert client.read("/local/domain/0/backend/udisk/3/51728/state") == b"4"


def test_a_port_is_attached_by_who_serves_it() -> None:
    told = xentool("device", "attach", "web", "net", "bridge=br0,port=tap")
    assert told.exit_code == 2
    assert told.output.endswith(
        "xl knows no ports; a process serves them: xentool net serve --vif domain=web,bridge=br0,port=tap\n"
    )
