"""Block drivers on real Xen: Linux's frontend on our backend, ours on Linux's, and ours on ours.

One guest of each type has several disks at once, so that each is a combination of its own.
"""

import json
import os
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.xen.labs import Lab, one_xen
from tests.xen.test_channels import told
from tests.xen.test_transport import channels, mapped
from xentool.lab import api

pytestmark = pytest.mark.lab

#: In dom0: sends a script to the shell at a guest's port, and prints what that says.
SEND = """
import socket, sys
with socket.create_connection((sys.argv[1], 7000), 20) as guest:
    guest.settimeout(100)
    guest.sendall(sys.stdin.buffer.read() + b"\\nexit\\n")
    while some := guest.recv(65536):
        sys.stdout.buffer.write(some)
"""
SERVE = """
cd /tmp
setsid xentool block serve "$@" >/tmp/serve.out 2>/tmp/serve.err </dev/null &
echo $! >/tmp/serve.pid
tries=150
until grep -q "xentool: serving" /tmp/serve.err || ! kill -0 "$(cat /tmp/serve.pid)" 2>/dev/null || [ $tries = 0 ]; do
    sleep 0.2; tries=$((tries - 1))
done
cat /tmp/serve.err
"""
END = """
kill -"$1" "$(cat /tmp/serve.pid)"
tries=150
while kill -0 "$(cat /tmp/serve.pid)" 2>/dev/null && [ $tries -gt 0 ]; do sleep 0.2; tries=$((tries - 1)); done
cat /tmp/serve.out
"""
#: Writes, reads back after an unmount, leaves the file system in order.
FILES = """
for module in $(cat /more/order); do insmod /more/$module 2>/dev/null; done
mkdir -p /mnt
mount -t ext4 /dev/xvdb /mnt || echo FAILED mount
for i in 1 2 3 4; do dd if=/dev/urandom of=/mnt/f$i bs=32k count=16 2>/dev/null; done
dd if=/dev/urandom of=/mnt/small bs=512 count=37 conv=fsync 2>/dev/null
(cd /mnt; md5sum f* small >/sums)
umount /mnt || echo FAILED umount
mount -t ext4 /dev/xvdb /mnt || echo FAILED mount again
(cd /mnt; md5sum -c /sums)
rm /mnt/f1; fstrim /mnt; umount /mnt
"""
#: Direct requests as large as they get, to a disk with large sectors.
DIRECT = """
dd if=/dev/urandom of=/data bs=4k count=512 2>/dev/null
dd if=/data of=/dev/xvdc bs=1M oflag=direct 2>/dev/null
dd if=/dev/xvdc of=/back bs=1M count=2 iflag=direct 2>/dev/null
cmp /data /back && echo same
cat /sys/block/xvdc/queue/logical_block_size /sys/block/xvdc/queue/max_segments
dd if=/data of=/dev/xvdd bs=4k count=1 2>&1 | grep -c -i "read-only\\|not permitted"
"""
LOAD = """
mount -t ext4 /dev/xvdb /mnt || echo FAILED mount
(
    i=0
    while [ ! -e /stop ]; do
        i=$((i + 1))
        dd if=/dev/urandom of=/mnt/k$((i % 10)) bs=4k count=8 conv=fsync 2>/dev/null || echo FAILED write
        md5sum /mnt/k$((i % 10)) >/sum.$((i % 10))
        echo $i >/count
    done
) >/load.log 2>&1 </dev/null &
"""
LOADED = """
touch /stop; sleep 1; cat /load.log
sync; echo 3 >/proc/sys/vm/drop_caches
md5sum -c /sum.* | grep -v OK; umount /mnt || echo FAILED umount; rm -f /stop /sum.*; echo checked
dmesg | grep -iE "i/o error|(xvd|ext4|blkfront).*(error|fail)" | tail -3
"""


class Guest:
    """A guest whose shell does what it is sent."""

    def __init__(self, lab: Lab, name: str, kind: str, vcpus: int, blkfront: tuple[str, ...]) -> None:
        self.lab, self.name = lab, name
        # With persistent grants, each ring of 16 pages takes Linux's frontend 66 MiB: 512 requests of 33 pages.
        guest = api.Guest(name, kind, vcpus, 1280, workload="shell", blkfront=blkfront)
        self.domid = api.guest_start(guest, lab.name)
        number = lab.run("sh", "-c", f"grep -nxF {name} /var/lib/xentool/names | cut -d: -f1")
        self.address = f"10.77.0.{10 + int(number)}"

    def run(self, script: str) -> str:
        return self.lab.run("python3", "-c", SEND, self.address, input=textwrap.dedent(script).encode())


def serve(lab: Lab, *words: str) -> str:
    return lab.run("sh", "-c", SERVE, "serve", *words)


def end(lab: Lab, signal: str = "TERM") -> list[dict[str, object]]:
    return [json.loads(line) for line in lab.run("sh", "-c", END, "end", signal).splitlines()]


def node(lab: Lab, path: str) -> str:
    return lab.run("xenstore-read", path, check=False)


def left(lab: Lab) -> str:
    return lab.run("sh", "-c", "xenstore-ls -f / | grep -E 'udisk|uvbd|/error/'; ls /run/xentool/block", check=False)


def used(lab: Lab, name: str) -> tuple[list[str], list[str]]:
    """Name the grants and the ports of a guest that are in use."""
    grants, ports = told(lab, "grants", name)["grants"], told(lab, "evtchn", name)["ports"]
    return sorted(str(each["name"]) for each in grants), sorted(str(each["name"]) for each in ports)


@contextmanager
def undisturbed(lab: Lab, guest: str = "0") -> Iterator[None]:
    """Hold that nothing is left, and that nobody complained."""
    before = channels(lab), mapped(lab), used(lab, guest), lab.run("dmesg"), lab.run("xl", "dmesg")
    yield
    assert (channels(lab), mapped(lab), used(lab, guest)) == before[:3]
    assert left(lab) == ""
    said = lab.run("dmesg").removeprefix(before[3]) + lab.run("xl", "dmesg").removeprefix(before[4])
    assert re.findall(r"g\.e\. still in use|WARNING|BUG|Oops|deferring|d\d+v\d+ .*fault", said) == []


GUESTS = {
    # Grants for each request, rings of a page; and persistent ones, large rings, several queues.
    "pv": (1, ("feature_persistent=0",)),
    "pvh": (2, ("feature_persistent=1", "max_ring_page_order=4", "max_queues=2")),
}
#: A guest takes two minutes under emulation, so each Xen has one kind; ``XENTOOL_GUESTS=pv,pvh`` runs both on each.
KINDS = {"4.17": "pv", "4.20": "pvh"}


def test_linux_on_our_backend(lab: Lab) -> None:
    for kind in os.environ.get("XENTOOL_GUESTS", KINDS[lab.xen]).split(","):
        _on_our_backend(lab, kind)


def _on_our_backend(lab: Lab, kind: str) -> None:
    vcpus, blkfront = GUESTS[kind]
    guest = Guest(lab, f"blk{kind}", kind, vcpus, blkfront)
    try:
        lab.run("sh", "-c", "cd /tmp; rm -f a.img; truncate -s 32M a.img; mkfs.ext4 -q a.img")
        lab.run("truncate", "-s", "16M", "/tmp/c.img", "/tmp/d.img")
        disks = ["/tmp/a.img,vdev=xvdb", "/tmp/c.img,vdev=xvdc,sector-size=4096", "/tmp/d.img,vdev=xvdd,mode=r"]
        words = ["--domain", guest.name, "--json", *(word for disk in disks for word in ("--disk", disk))]
        with undisturbed(lab, guest.name):
            said = serve(lab, *words)
            assert "xvdb of domain" in said, said
            _uses(lab, guest, kind)
            _resizes(lab, guest)
            _survives(lab, guest, words)
            rows = end(lab)
            assert [row["device"] for row in rows] == ["xvdb", "xvdc", "xvdd"]
            assert guest.run("ls /sys/block") == "xvda"
        assert "clean" in lab.run("sh", "-c", "fsck.ext4 -n /tmp/a.img 2>&1")
        lab.run("fsck.ext4", "-fn", "/tmp/a.img")
    finally:
        lab.run("sh", "-c", END, "end", "TERM", check=False)
        lab.stop(guest.name)


def _uses(lab: Lab, guest: Guest, kind: str) -> None:
    said = guest.run(FILES)
    assert "FAILED" not in said
    assert said.count(": OK") == 5
    same, sector, segments, refused = guest.run(DIRECT).split("\n")
    assert (same, sector) == ("same", "4096")
    # Indirect requests were agreed on.
    assert int(segments) > 11
    assert refused != "0"
    front = f"/local/domain/{guest.domid}/device/vbd/51728"
    if kind == "pvh":
        assert node(lab, f"{front}/ring-page-order") == "4"
        assert node(lab, f"{front}/multi-queue-num-queues") == "2"
        assert node(lab, f"{front}/feature-persistent") == "1"
    else:
        assert node(lab, f"{front}/ring-ref").isdigit()
        assert node(lab, f"{front}/feature-persistent") == "0"
    statistics = f"/local/domain/0/backend/udisk/{guest.domid}/51728/statistics"
    assert int(node(lab, f"{statistics}/sectors-written")) > 4096
    assert node(lab, f"{statistics}/errors") == "0"


def _resizes(lab: Lab, guest: Guest) -> None:
    lab.run("truncate", "-s", "48M", "/tmp/a.img")
    assert "98304" in guest.run("for i in 1 2 3 4 5 6 7 8 9 10; do blockdev --getsz /dev/xvdb; sleep 0.5; done")
    lab.run("truncate", "-s", "32M", "/tmp/a.img")
    assert guest.run("sleep 3; blockdev --getsz /dev/xvdb") == "65536"


def _survives(lab: Lab, guest: Guest, words: list[str]) -> None:
    # Killed under load, then another one: the guest waits, and that is all.
    guest.run(LOAD)
    guest.run("while [ ! -e /count ] || [ $(cat /count) -lt 5 ]; do sleep 0.2; done")
    for _ in range(2):
        end(lab, "KILL")
        before = int(guest.run("cat /count"))
        assert "xvdb of domain" in serve(lab, *words)
        assert guest.run(f"while [ $(cat /count) -le {before + 2} ]; do sleep 0.2; done; echo on") == "on"
    assert guest.run(LOADED) == "checked"


@one_xen
def test_our_frontend(lab: Lab) -> None:
    lab.run("sh", "-c", "truncate -s 16M /tmp/b.img")
    with undisturbed(lab):
        bench = ("xentool", "block", "bench", "--seconds", "2", "--depth", "8", "--json")
        for op in ("randwrite", "randread"):
            result = json.loads(lab.run(*bench, "--op", op, "--blkback", "/tmp/b.img"))
            assert result["errors"] == 0
            assert result["operations"] > 10
    lab.run("rm", "/tmp/b.img")
    assert lab.run("losetup", "-a") == "" or "b.img" not in lab.run("losetup", "-a")
