"""The systemd units that serve disks and networks, as a systemd in dom0 runs them: one in namespaces of its own."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xen import networks
from tests.xen.blocks import Guest
from tests.xen.labs import Lab, eventually, one_xen
from tests.xen.networks import BRIDGE, PLAIN
from tests.xen.packages import install

pytestmark = [pytest.mark.lab, one_xen]

BLOCK, NET = "xentool-block", "xentool-net"
UNITS = Path(__file__).parents[2] / "docs"
GUEST, DISK = "unit", "/srv/unit.img"
#: What would change the machine around it.
MASKED = "systemd-sysctl.service systemd-udevd.service systemd-binfmt.service ssh.socket timers.target"
#: Its /run and /tmp are its own, but for Xen's sockets.
INSIDE = """
mkdir -p /mnt/outer
mount --rbind /run /mnt/outer
mount -t tmpfs -o mode=755 tmpfs /run
for each in xen xenstored; do mkdir -p /run/$each; mount --bind /mnt/outer/$each /run/$each; done
umount -l /mnt/outer
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t xenfs xenfs /proc/xen
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i PATH=$PATH container=lab /lib/systemd/systemd --unit=basic.target --show-status=no
"""
BOOT = f"""
tar -x -C /etc/systemd/system --no-same-owner
for each in {MASKED}; do ln -sf /dev/null /etc/systemd/system/$each; done
setsid unshare --pid --fork --mount --mount-proc --cgroup sh -c "$0" >/tmp/systemd.out 2>&1 </dev/null &
until pid=$(pgrep -P $!) && nsenter -t $pid -p -m systemctl -q is-active basic.target; do
    kill -0 $! || {{ cat /tmp/systemd.out >&2; exit 1; }}
    sleep 0.5
done 2>/dev/null
echo $pid >/tmp/systemd.pid
"""
#: /dev is dom0's own.
END = f"""
kill -KILL "$(cat /tmp/systemd.pid)"
cd /etc/systemd/system && rm -f {BLOCK}.service {NET}.service {MASKED}
rm -f /dev/log {DISK} /etc/default/{BLOCK} /etc/default/{NET} /tmp/systemd.*
"""
#: Past what the guest has cached.
SUM = """
while [ ! -b /dev/xvdb ]; do sleep 0.2; done
echo 3 >/proc/sys/vm/drop_caches
sha256sum </dev/xvdb
"""
#: Until it is answered: a link is looked after some time after it has come up.
PING = f"""
tries=300
until ping -q -c 1 -W 1 -s 1000 {PLAIN.dom0} >/dev/null || [ $tries = 0 ]; do tries=$((tries - 1)); done
[ $tries = 0 ] || echo answered
"""

PINGS = f"ping -q -c 1000 -i 0.2 -s 1000 {PLAIN.dom0} >/dev/null 2>&1 </dev/null &"
#: In dom0: a vif of the kernel's, as a toolstack makes it that has its script run.
SILENT = """
import sys
from pvdrivers.bus import toolstack
from pvdrivers.bus.toolstack import Spot
from pvdrivers.transport.xen import Xen
with Xen() as xen:
    spot = Spot("vif", "vif", 0, int(sys.argv[2]), 5)
    if sys.argv[1] == "plug":
        both = {"handle": 5, "mac": "00:16:3e:00:00:05"}
        assert toolstack.plug(xen.store, spot, {**both, "script": "/bin/true", "hotplug-status": ""}, both)
    else:
        toolstack.part(xen.store, spot)
        assert toolstack.parted(xen.store, spot, 60)
        toolstack.remove(xen.store, spot)
"""


@pytest.fixture(scope="module")
def systemd(lab: Lab) -> Iterator[Lab]:
    install(lab, "systemd")
    names = [f"{name}.service" for name in (BLOCK, NET)]
    units = subprocess.run(["tar", "-c", *names], cwd=UNITS, stdout=subprocess.PIPE, check=True).stdout
    try:
        lab.run("sh", "-c", BOOT, INSIDE, input=units)
        yield lab
    finally:
        lab.run("sh", "-c", END)


@pytest.fixture(scope="module")
def guest(systemd: Lab) -> Iterator[Guest]:
    made = Guest(systemd, GUEST, "pv", 1, ("feature_persistent=0",))
    yield made
    systemd.stop(GUEST)
    # Whoever would have come next has not.
    for backend in ("udisk", "uvif"):
        systemd.run("xenstore-rm", f"/local/domain/0/backend/{backend}/{made.domid}", check=False)


ENTER = 'exec nsenter -t "$(cat /tmp/systemd.pid)" -p -m'


def inside(lab: Lab, *words: str) -> str:
    return lab.run("sh", "-c", f'{ENTER} "$@"', "sh", *words)


def configured(lab: Lab, name: str, line: str) -> None:
    lab.run("sh", "-c", f"cat >/etc/default/{name}", input=line.encode())


def said(lab: Lab, name: str, device: str, times: int) -> str:
    """Wait until the journal says so often that a device is served, and give what it says."""
    script = f"""
    for _ in $(seq 150); do
        said=$(journalctl --no-pager -o cat -u {name})
        [ "$(echo "$said" | grep -c "serving {device} of domain")" -ge {times} ] && break
        sleep 0.5
    done
    echo "$said"
    """
    return inside(lab, "sh", "-c", script)


def starts_anew(lab: Lab, name: str, device: str) -> None:
    inside(lab, "systemctl", "kill", "--signal=KILL", name)
    assert "Main process exited, code=killed, status=9/KILL" in said(lab, name, device, 2)


def stops(lab: Lab, name: str, backend: str) -> None:
    inside(lab, "systemctl", "stop", name)
    assert inside(lab, "systemctl", "show", "--property=Result,ActiveState", name).split() == [
        "Result=success",
        "ActiveState=inactive",
    ]
    # It is left for the next one, who plugs it out.
    assert lab.run("xenstore-read", f"{backend}/state") == "4"


def test_a_guest_reads_on_when_the_unit_starts_anew(systemd: Lab, guest: Guest) -> None:
    systemd.run("sh", "-c", f"mkdir -p /srv; head -c 4M /dev/urandom >{DISK}")
    configured(systemd, BLOCK, f"DISKS=--disk {DISK},domain={GUEST},vdev=xvdb")
    held = systemd.run("sh", "-c", f"sha256sum <{DISK}")
    inside(systemd, "systemctl", "start", BLOCK)
    assert f"serving xvdb of domain {guest.domid}" in said(systemd, BLOCK, "xvdb", 1)
    assert guest.run(SUM) == held
    starts_anew(systemd, BLOCK, "xvdb")
    assert guest.run(SUM) == held
    stops(systemd, BLOCK, f"/local/domain/0/backend/udisk/{guest.domid}/51728")


def test_a_guest_is_answered_when_the_unit_starts_anew(systemd: Lab, guest: Guest, tmp_path: Path) -> None:
    networks.begin(systemd)
    try:
        configured(systemd, NET, f"VIFS=--vif domain={GUEST},port=tap,bridge={BRIDGE},handle=1")
        inside(systemd, "systemctl", "start", NET)
        assert f"serving vif1 of domain {guest.domid}" in said(systemd, NET, "vif1", 1)
        networks.bring_up(guest, PLAIN)
        assert guest.run(PING) == "answered"
        _is_seen(systemd, guest, tmp_path)
        starts_anew(systemd, NET, "vif1")
        assert guest.run(PING) == "answered"
        stops(systemd, NET, f"/local/domain/0/backend/uvif/{guest.domid}/1")
    finally:
        networks.finish(systemd)


def _is_seen(lab: Lab, guest: Guest, folder: Path) -> None:
    # By those who ask XenStore, and by who watches its packets.
    guest.run(PINGS)
    shown = json.loads(lab.run("xentool", "show", GUEST, "--json"))
    (device,) = [each for each in shown["devices"] if each["name"] == "vif1"]
    assert (device["front"]["state"], device["back"]["state"], device["problems"]) == ("Connected", "Connected", [])
    listed = lab.run("xentool", "device", "list", GUEST).splitlines()
    assert [line.split()[2:4] for line in listed if " vif1 " in line] == [["Connected", "Connected"]]
    *_, last = lab.run("xentool", "top", "--json", "-n", "2", "-d", "2").splitlines()
    (used,) = [each for each in json.loads(last)["domains"] if each["name"] == GUEST]
    assert used["received_packets_per_s"] > 0
    capture = folder / "unit.pcapng"
    capture.write_bytes(lab.bytes_of(f"{ENTER} xentool net dump {GUEST} --vif 1 -n 6 -o -"))
    argv = ["tshark", "-r", str(capture), "-Y", "icmp", "-T", "fields", "-e", "ip.src", "-e", "frame.comment"]
    rows = [
        line.split("\t")
        for line in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    assert {source for source, _ in rows} == {PLAIN.guest, PLAIN.dom0}
    assert all(re.match(r"\d+ slots?; id \d+ gref \d+ \d+\+\d+", comment) for _, comment in rows), rows
    guest.run("killall ping")
    # A vif of the kernel's whose script has told nobody that it ran.
    lab.run("python3", "-c", SILENT, "plug", str(guest.domid))
    said = eventually(lambda: "waits for hotplug-status" in lab.run("xentool", "show", GUEST))
    lab.run("python3", "-c", SILENT, "unplug", str(guest.domid))
    assert said
