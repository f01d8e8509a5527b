"""The domains' commands by way of libvirt, in a dom0 where libvirtd runs next to xl: their words against those of xl.

libvirtd knows dom0 and the guests that it has made, none of xl's.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.xen.labs import HUNG, Lab, one_xen
from tests.xen.packages import UNREAD, install
from xentool.lab import record
from xentool.lab.places import DATA_IN_DOM0

pytestmark = [pytest.mark.lab, one_xen]

URI = "xen:///system"
GUEST = "virtual"
PACKAGES = ("libvirt-daemon", "libvirt-daemon-driver-xen", "libvirt-clients", "python3-libvirt")
#: Without a user of its own, this driver ends libvirtd.
QEMU_DRIVER = "usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so"
DISK = f"/var/lib/xentool/{GUEST}.img"
#: It reads 16 KiB at a time and writes 4 (see guest.init).
XML = f"""
<domain type="xen">
  <name>{GUEST}</name>
  <memory unit="MiB">128</memory>
  <vcpu>1</vcpu>
  <os>
    <type>linux</type>
    <kernel>@KERNEL@</kernel>
    <initrd>{DATA_IN_DOM0}/guest-initrd</initrd>
    <cmdline>console=hvc0 quiet xentool.workload=disk xentool.ip=10.77.0.98</cmdline>
  </os>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type="file">
      <driver name="phy"/>
      <source file="{DISK}"/>
      <target dev="xvda"/>
    </disk>
    <interface type="bridge">
      <source bridge="xentool0"/>
      <script path="vif-xentool"/>
    </interface>
    <console type="pty"/>
  </devices>
</domain>
"""
#: All of libvirt's models of CPUs have VME, which an emulated one lacks.
START = f"""
mkdir -p /var/log/libvirt/libxl
sed -i "/'vme'/d" /usr/share/libvirt/cpu_map/x86_486.xml
truncate -s 16M {DISK}
setsid libvirtd >/tmp/libvirtd.out 2>&1 </dev/null &
echo $! >/tmp/libvirtd.pid
until [ -S /run/libvirt/libvirt-sock ]; do
    kill -0 "$(cat /tmp/libvirtd.pid)" || {{ cat /tmp/libvirtd.out >&2; exit 1; }}
    sleep 0.1
done
"""
#: Until both devices are connected; under emulation a guest's kernel now and then fails in its first seconds.
CREATE = f"""
. /etc/default/xentool-lab
sed "s,@KERNEL@,$KERNEL," >/tmp/{GUEST}.xml
for _ in 1 2 3; do
    virsh -q -c {URI} create /tmp/{GUEST}.xml || exit
    while id=$(xl domid {GUEST} 2>/dev/null); do
        device=/local/domain/$id/device
        states=$(xenstore-read $device/vbd/51712/state $device/vif/0/state | tr '\\n' ' ')
        [ "$states" = "4 4 " ] && exit
        sleep 0.5
    done
done
exit 1
"""
END = f"""
xl destroy {GUEST} 2>/dev/null
kill "$(cat /tmp/libvirtd.pid)"
while kill -0 "$(cat /tmp/libvirtd.pid)" 2>/dev/null; do sleep 0.1; done
rm -f {DISK} /tmp/{GUEST}.xml
"""

Row = dict[str, Any]


@pytest.fixture(scope="module")
def lab_with_libvirtd(lab: Lab) -> Iterator[Lab]:
    install(lab, *PACKAGES, without=(*UNREAD, QEMU_DRIVER))
    try:
        lab.run("sh", "-c", START)
        lab.run("sh", "-c", CREATE, input=XML.encode())
        yield lab
    finally:
        lab.run("sh", "-c", END)


def documents(lab: Lab, *commands: str) -> list[Row]:
    """Run commands of xentool in dom0, one after the other, and give what they print: an object a line."""
    script = "\n".join(f"xentool {command} --json" for command in commands)
    return [json.loads(line) for line in lab.run("sh", "-ec", script).splitlines()]


def virsh(lab: Lab, *words: str) -> str:
    return lab.run("virsh", "-q", "-c", URI, *words)


def by_name(document: Row) -> dict[str, Row]:
    return {domain["name"]: domain for domain in document["domains"]}


def assert_between(before: Row, found: Row, after: Row) -> None:
    """All of a device's counters are there, and libvirt's lie between xl's of before and after."""
    assert before["device"] == found["device"] == after["device"]
    for counter in before.keys() - {"device"}:
        assert before[counter] <= found[counter] <= after[counter], counter


def test_domains_are_those_of_xl(lab_with_libvirtd: Lab) -> None:
    documented = documents(lab_with_libvirtd, "list", f"list -c {URI}", "list")
    assert documented[1]["schema"] == "xentool.domains/1"
    before, found, after = map(by_name, documented)
    assert list(found) == ["Domain-0", GUEST]
    for name, domain in found.items():
        for same in ("domid", "type", "vcpus", "memory_bytes"):
            assert domain[same] == before[name][same], same
        # libvirt's word for all three.
        assert (domain["state"], before[name]["state"] in ("running", "runnable", "blocked")) == ("running", True)
        assert before[name]["cpu_seconds"] < domain["cpu_seconds"] < after[name]["cpu_seconds"]
        for earlier, vcpu, later in zip(*(each[name]["each_vcpu"] for each in (before, found, after)), strict=True):
            # xl rounds to tenths.
            assert earlier["cpu_seconds"] - 0.1 < vcpu["cpu_seconds"] < later["cpu_seconds"] + 0.1
            assert [vcpu[what] for what in ("vcpu", "state", "pcpu")] == [earlier["vcpu"], "unknown", None]
            assert (vcpu["hard_affinity"], vcpu["soft_affinity"]) == (None, None)
    dom0, guest = found["Domain-0"], found[GUEST]
    assert (dom0["blocks"], dom0["nets"]) == ([], [])
    for same in ("uuid", "max_vcpus", "max_memory_bytes"):
        assert guest[same] == before[GUEST][same], same
    for kind in ("blocks", "nets"):
        assert_between(*(only for each in (before, found, after) for only in each[GUEST][kind]))
    assert before[GUEST]["blocks"][0]["reads"] < after[GUEST]["blocks"][0]["reads"]


def test_the_machine_is_that_of_xl(lab_with_libvirtd: Lab) -> None:
    theirs, ours = documents(lab_with_libvirtd, "info", f"info -c {URI}")
    same = ("name", "hypervisor", "machine", "pcpus", "nodes", "cores_per_socket", "threads_per_core", "memory_bytes")
    assert [ours[each] for each in same] == [theirs[each] for each in same]
    assert theirs["version"].startswith(f"{ours['version']}.")
    assert ours["hz"] == pytest.approx(theirs["hz"], abs=1e6)
    # xl rounds down to MiB.
    assert 0 <= ours["free_bytes"] - theirs["free_bytes"] < 1 << 20
    assert {"xen x86_64", "xenpvh x86_64", "hvm x86_64"} <= set(ours["guests"])
    lacking = ("kernel", "scheduler", "command_line", "build", "virtualization")
    assert [ours[each] for each in lacking] == [None, None, None, None, []]


def test_from_another_machine_a_domain_is_shown_without_ends_of_devices(lab_with_libvirtd: Lab) -> None:
    reached = record.read(lab_with_libvirtd.name)
    assert reached is not None
    options = urlencode({"keyfile": reached.ssh_key, "no_verify": 1, "no_tty": 1}, quote_via=quote)
    uri = f"xen+ssh://root@127.0.0.1:{reached.ssh_port}/system?{options}"
    argv = [sys.executable, "-m", "xentool", "show", GUEST, "--json", "-c", uri]
    shown = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=HUNG).stdout)
    assert (shown["schema"], shown["devices"]) == ("xentool.domain/1", None)
    assert str(shown["domain"]["domid"]) == lab_with_libvirtd.run("xl", "domid", GUEST)
    assert [device["device"] for kind in ("blocks", "nets") for device in shown["domain"][kind]] == ["xvda", "vif0"]


def test_top_shows_a_busy_guest(lab_with_libvirtd: Lab) -> None:
    (frame,) = documents(lab_with_libvirtd, f"top -n 1 -d 3 -c {URI}")
    assert frame["schema"] == "xentool.top/1"
    domains = by_name(frame)
    assert list(domains) == ["Domain-0", GUEST]
    busy = domains[GUEST]
    assert busy["cpu_percent"] > 0
    # libvirt reads one counter after the other, while the guest goes on.
    assert busy["read_bytes_per_s"] == pytest.approx(16384 * busy["reads_per_s"], rel=0.4)
    assert busy["written_bytes_per_s"] == pytest.approx(4096 * busy["writes_per_s"], rel=0.4)
    assert busy["writes_per_s"] > 0
    assert (busy["memory_bytes"], busy["hypercalls_per_s"]) == (128 << 20, None)
    assert domains["Domain-0"]["read_bytes_per_s"] is None


def test_a_guest_is_paused_and_shut_down(lab_with_libvirtd: Lab) -> None:
    virsh(lab_with_libvirtd, "suspend", GUEST)
    (paused,) = documents(lab_with_libvirtd, f"list -c {URI}")
    assert by_name(paused)[GUEST]["state"] == "paused"
    # It may be blocked as well.
    assert lab_with_libvirtd.run("xl", "list", GUEST).splitlines()[1].split()[4][2] == "p"
    virsh(lab_with_libvirtd, "resume", GUEST)
    row = lab_with_libvirtd.run("xentool", "list", "-c", URI).splitlines()[2].split()
    assert row[1:7] == [GUEST, "pv", "running", "1", "128", "MiB"]
    virsh(lab_with_libvirtd, "shutdown", GUEST)
    gone = f"tries=100; while xl domid {GUEST} && [ $tries -gt 0 ]; do sleep 0.2; tries=$((tries - 1)); done"
    lab_with_libvirtd.run("sh", "-c", gone)
    (left,) = documents(lab_with_libvirtd, f"list -c {URI}")
    assert list(by_name(left)) == ["Domain-0"]
