"""Grants and event channels of real guests, as Xen, XenStore and lsevtchn tell them."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.xen.labs import HUNG, Lab, usually

pytestmark = pytest.mark.lab


def told(lab: Lab, *words: str) -> Any:  # noqa: ANN401 - JSON
    argv = [sys.executable, "-m", "xentool", *words, "--json", "-H", lab.host]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=HUNG)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@usually("4.17 pv", "4.20 pvh")
@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_a_guests_rings_and_ports(lab: Lab, kind: str) -> None:
    name = f"quiet-{kind}"
    lab.outlived(name, lambda: _are_told(lab, name, kind), lambda: lab.away(name))


def _are_told(lab: Lab, name: str, kind: str) -> None:
    domid = lab.guest(name, kind, workload="idle")
    node = f"/local/domain/{domid}/device"

    grants = told(lab, "grants", name)
    assert (grants["domid"], grants["unread_lines"], grants["findings"]) == (domid, [], [])
    by_name = {grant["name"]: grant for grant in grants["grants"]}
    assert by_name["xvda ring"]["gref"] == int(lab.run("xenstore-read", f"{node}/vbd/51712/ring-ref"))
    assert by_name["vif0 tx-ring"]["gref"] == int(lab.run("xenstore-read", f"{node}/vif/0/tx-ring-ref"))
    assert by_name["console ring"]["gref"] == 0
    assert {grant["mapper"] for grant in grants["grants"]} == {0}
    assert all(grant["writable_maps"] >= 1 for grant in by_name.values() if grant["name"])

    here, dom0 = told(lab, "evtchn", name), told(lab, "evtchn", "0")
    assert here["findings"] == []
    ports = {port["name"]: port for port in here["ports"] if port["name"]}
    assert {"xenstore", "console0", "xvda", "vif0 tx", "vif0 rx"} <= ports.keys()
    assert ports["xvda"]["port"] == int(lab.run("xenstore-read", f"{node}/vbd/51712/event-channel"))
    there = {port["port"]: port for port in dom0["ports"]}
    assert there[int(lab.run("cat", "/proc/xen/xsd_port"))]["name"] == "xenstore"
    for port in ports.values():
        peer = there[port["remote_port"]]
        assert (peer["remote_domid"], peer["remote_port"], peer["name"]) == (domid, port["port"], port["name"])

    lsevtchn = lab.run("sh", "-c", f"/usr/lib/xen-{lab.xen}/bin/lsevtchn {domid}")
    expected = {int(line.split(":")[0]) for line in lsevtchn.splitlines() if re.match(r" *\d+: VCPU", line)}
    assert {port["port"] for port in here["ports"]} == expected

    edge = next(each for each in told(lab, "channels")["connections"] if each["domids"] == [0, domid])
    assert {channel["name"] for channel in edge["channels"]} >= {"xenstore", "xvda", "vif0 tx"}
    # A packet may be under way at one look and not at the other.
    after = told(lab, "grants", name)
    ((granter, mapper, pages),) = [each.values() for each in edge["grants"]]
    assert (granter, mapper) == (domid, 0)
    fewest, most = sorted(len(each["grants"]) for each in (grants, after))
    assert fewest <= pages <= most
