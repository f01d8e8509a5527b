"""Block drivers on real Xen: Linux's frontend on our backend, ours on Linux's, and ours on ours.

One guest of each type has several disks at once, so that each is a combination of its own.
"""

import base64
import json
import subprocess
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.xen.blocks import Guest, end, serve, start
from tests.xen.labs import Lab, eventually, one_xen, usually
from tests.xen.undisturbed import node, undisturbed, watches
from tests.xen.userland import userland

pytestmark = pytest.mark.lab

VERIFY = Path(__file__).with_name("verify.c")

#: Writes, reads back after an unmount, leaves the file system in order.
FILES = """
for module in $(cat /more/order); do insmod /more/$module 2>/dev/null; done
mkdir -p /mnt
mount -t ext4 /dev/xvdb /mnt || echo FAILED mount
for i in 1 2 3 4; do dd if=/dev/urandom of=/mnt/f$i bs=32k count=8 2>/dev/null; done
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
#: Of the disk with large sectors: what is discarded is zeros, what is around stays, nothing is promised to be erased.
DISCARDED = """
blkdiscard -o 65536 -l 131072 /dev/xvdc && echo discarded
dd if=/dev/zero of=/data bs=64k seek=1 count=2 conv=notrunc 2>/dev/null
dd if=/dev/xvdc of=/back bs=1M count=2 iflag=direct 2>/dev/null
cmp /data /back && echo same
blkdiscard -s -o 0 -l 4096 /dev/xvdc 2>/dev/null || echo refused
"""
#: Random writes to a disk by several at once, and reads that verify them.
VERIFIED = """
base64 -d >/verify <<END
{}
END
chmod +x /verify
/verify /dev/xvdc 6 6; echo ended $?
"""
#: Linux looks at a disk's size, and takes a disk away, some time after it was told.
RESIZED = """
tries=240
until [ $(blockdev --getsz /dev/xvdb) = {} ] || [ $tries = 0 ]; do sleep 0.5; tries=$((tries - 1)); done
blockdev --getsz /dev/xvdb
"""
ALONE = """
tries=240
until [ "$(ls /sys/block)" = xvda ] || [ $tries = 0 ]; do sleep 0.5; tries=$((tries - 1)); done
ls /sys/block
"""
#: In dom0: writes and reads by our own frontend, and tells the sums of what it wrote and read.
OURS = """
import hashlib, os, sys
from pvdrivers.block.front import frontend
from pvdrivers.transport.xen import Xen
with Xen() as xen:
    here = f"{xen.store.domain_path(xen.domid)}/device/uvbd/{sys.argv[1]}"
    with frontend.disk(xen, here, frontend.Options(max_queues=2)) as disk:
        data = os.urandom(1 << 20)
        disk.write(1536, data)
        disk.flush()
        print(hashlib.sha256(data).hexdigest(), hashlib.sha256(disk.read(1536, len(data))).hexdigest())
"""
#: In dom0: gives a file to a program in a guest by the kernel's backend, until it is told to end.
KERNEL = """
import signal, sys
from pvdrivers.transport.xen import Xen
from xentool.tools.block import kernel
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
with Xen() as xen, kernel.served(xen, sys.argv[1], int(sys.argv[2])) as spot:
    print("xentool: serving", spot.devid, file=sys.stderr, flush=True)
    signal.sigwait([signal.SIGTERM])
"""
LOAD = """
mount -t ext4 /dev/xvdb /mnt || echo FAILED mount
(
    i=0
    while [ ! -e /stop ]; do
        i=$((i + 1))
        dd if=/dev/urandom of=/mnt/k$((i % 10)) bs=4k count=8 conv=fsync 2>/dev/null || echo FAILED write
        md5sum /mnt/k$((i % 10)) >/sum.$((i % 10))
        echo $i >/counted; mv /counted /count
    done
    touch /stopped
) >/load.log 2>&1 </dev/null &
"""
LOADED = """
touch /stop; while [ ! -e /stopped ]; do sleep 0.2; done; cat /load.log
sync; echo 3 >/proc/sys/vm/drop_caches
md5sum -c /sum.* | grep -v OK; umount /mnt || echo FAILED umount; rm -f /stop /stopped /sum.*; echo checked
dmesg | grep -iE "i/o error|(xvd|ext4|blkfront).*(error|fail)" | tail -3
"""


def descriptors(lab: Lab) -> int:
    """Count the files that our backend's process has open."""
    return int(lab.run("sh", "-c", "ls /proc/$(cat /tmp/serve.pid)/fd | wc -l"))


GUESTS = {
    # Persistent grants, large rings, several queues; and grants for each request, rings of a page. Emulated PVH guests
    # have one CPU of the machine's, on which two of theirs wait for each other.
    "pv": (2, ("feature_persistent=1", "max_ring_page_order=2", "max_queues=2")),
    "pvh": (1, ("feature_persistent=0",)),
}


@usually("4.17 pvh", "4.20 pv")
@pytest.mark.parametrize("kind", GUESTS)
def test_linux_on_our_backend(lab: Lab, kind: str) -> None:
    name = f"blk{kind}"
    lab.outlived(name, partial(_on_our_backend, lab, name, kind), partial(_away, lab, name))


def _away(lab: Lab, name: str) -> None:
    end(lab, check=False)
    lab.run("sh", "-c", "losetup -d $(losetup -n -O NAME -j /var/tmp/c.img); rm -f /var/tmp/c.img", check=False)
    lab.away(name)


def _on_our_backend(lab: Lab, name: str, kind: str) -> None:
    vcpus, blkfront = GUESTS[kind]
    guest = Guest(lab, name, kind, vcpus, blkfront)
    lab.run("sh", "-c", "cd /tmp; rm -f a.img; truncate -s 32M a.img; mkfs.ext4 -q a.img")
    lab.run("truncate", "-s", "16M", "/tmp/d.img")
    lab.run("truncate", "-s", "16M", "/var/tmp/c.img")
    # A block device, with sectors of its own.
    device = lab.run("losetup", "--find", "--show", "--sector-size", "4096", "/var/tmp/c.img")
    disks = ["/tmp/a.img,vdev=xvdb", f"{device},vdev=xvdc", "/tmp/d.img,vdev=xvdd,mode=r"]
    words = ["--domain", guest.name, *(word for disk in disks for word in ("--disk", disk))]
    with undisturbed(lab, guest.domid):
        told = serve(lab, *words)
        assert "xvdb of domain" in told, told
        guest.sees("xvdb", "xvdc", "xvdd")
        _uses(lab, guest, kind)
        _verifies(guest)
        _resizes(lab, guest)
        _survives(lab, guest, words)
        _from_a_guest(lab, guest)
        rows = end(lab)
        assert [row["device"] for row in rows] == ["xvdb", "xvdc", "xvdd"]
        assert guest.run(ALONE) == "xvda"
    assert "clean" in lab.run("sh", "-c", "fsck.ext4 -n /tmp/a.img 2>&1")
    lab.run("fsck.ext4", "-fn", "/tmp/a.img")


def _uses(lab: Lab, guest: Guest, kind: str) -> None:
    said = guest.run(FILES)
    assert "FAILED" not in said
    assert said.count(": OK") == 5
    same, sector, segments, refused = guest.run(DIRECT).split("\n")
    assert (same, sector) == ("same", "4096")
    # Indirect requests were agreed on.
    assert int(segments) > 11
    assert refused != "0"
    assert guest.run(DISCARDED).split() == ["discarded", "same", "refused"]
    front = f"/local/domain/{guest.domid}/device/vbd/51728"
    if kind == "pv":
        assert node(lab, f"{front}/ring-page-order") == "2"
        assert node(lab, f"{front}/multi-queue-num-queues") == "2"
        assert node(lab, f"{front}/feature-persistent") == "1"
    else:
        assert node(lab, f"{front}/ring-ref").isdigit()
        assert node(lab, f"{front}/feature-persistent") == "0"
    statistics = f"/local/domain/0/backend/udisk/{guest.domid}/51728/statistics"
    # They are told once a second at most.
    assert eventually(lambda: int(node(lab, f"{statistics}/sectors-written")) > 2048)
    assert node(lab, f"{statistics}/errors") == "0"


def _verifies(guest: Guest) -> None:
    with TemporaryDirectory() as folder:
        program = Path(folder, "verify")
        argv = ["gcc", "-nostdlib", "-static", "-fno-stack-protector", "-O1", "-o", str(program), str(VERIFY)]
        subprocess.run(argv, check=True)
        said = guest.run(VERIFIED.format(base64.encodebytes(program.read_bytes()).decode())).splitlines()
    verified = (f"verified {number} writes" for number in (1, 24, 42, 96, 192, 384))
    assert sorted(said) == sorted(["ended 0", *verified])


def _resizes(lab: Lab, guest: Guest) -> None:
    lab.run("truncate", "-s", "48M", "/tmp/a.img")
    assert guest.run(RESIZED.format(98304)) == "98304"
    lab.run("truncate", "-s", "32M", "/tmp/a.img")
    assert guest.run(RESIZED.format(65536)) == "65536"


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


def _from_a_guest(lab: Lab, guest: Guest) -> None:
    # Our frontend in the guest, on Linux's backend.
    lab.run("truncate", "-s", "8M", "/tmp/k.img")
    with userland(guest) as inside:
        devid = start(lab, "kernel", "python3", "-c", KERNEL, "/tmp/k.img", str(guest.domid)).split()[-1]
        written, back = inside.python(OURS, devid).split()
        assert (written, back) == (_sum(lab, "/tmp/k.img"),) * 2
        end(lab, name="kernel")


def _sum(lab: Lab, path: str) -> str:
    # Of what `OURS` has written there.
    return lab.run("sh", "-c", f"tail -c +1537 {path} | head -c 1048576 | sha256sum").split()[0]


BENCH = ("xentool", "block", "bench", "--seconds", "1", "--depth", "8", "--json")


def _worked(lab: Lab, op: str, *words: str) -> None:
    result = json.loads(lab.run(*BENCH, "--op", op, *words))
    assert result["errors"] == 0
    assert result["operations"] > 10


@one_xen
def test_our_frontend(lab: Lab) -> None:
    lab.run("sh", "-c", "truncate -s 16M /tmp/b.img")
    with undisturbed(lab):
        for op in ("randwrite", "randread"):
            _worked(lab, op, "--blkback", "/tmp/b.img")
    lab.run("rm", "/tmp/b.img")
    # A loop device that the kernel's backend still holds goes when that lets go.
    assert eventually(lambda: "b.img" not in lab.run("losetup", "-a"))


def _idle(lab: Lab) -> tuple[int, int]:
    """Count what our backend's process has open, and all watches, once it has noticed that its frontend has left."""
    assert eventually(lambda: node(lab, "/local/domain/0/backend/uvbd/0/51840/state") == "6")
    return descriptors(lab), len(watches(lab))


@one_xen
def test_our_pair(lab: Lab) -> None:
    lab.run("truncate", "-s", "8M", "/tmp/o.img")
    try:
        with undisturbed(lab):
            said = serve(lab, "--domain", "0", "--disk", "/tmp/o.img,vdev=xvdi,front=user")
            assert said == "xentool: serving xvdi of domain 0"
            written, back = lab.run("python3", "-c", OURS, "51840").split()
            assert (written, back) == (_sum(lab, "/tmp/o.img"),) * 2
            _worked(lab, "randwrite", "--front", "xvdi")
            # What each frontend that joins takes is given back when it leaves.
            counted = _idle(lab)
            _worked(lab, "randread", "--front", "xvdi")
            assert eventually(lambda: _idle(lab) == counted)
            ((device, errors),) = [(row["device"], row["errors"]) for row in end(lab)]
            assert (device, errors) == ("xvdi", 0)
    finally:
        end(lab, check=False)
    lab.run("rm", "/tmp/o.img")
