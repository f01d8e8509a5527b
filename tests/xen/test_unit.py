"""The systemd unit that serves disks, as a systemd in dom0 runs it: one in namespaces of its own, as a container's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xen.blocks import Guest
from tests.xen.labs import Lab, one_xen
from tests.xen.packages import install

pytestmark = [pytest.mark.lab, one_xen]

NAME = "xentool-block"
UNIT = Path(__file__).parents[2] / f"docs/{NAME}.service"
DISK = "/srv/unit.img"
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
cat >/etc/systemd/system/{NAME}.service
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
cd /etc/systemd/system && rm -f {NAME}.service {MASKED}
rm -f /dev/log {DISK} /etc/default/{NAME} /tmp/systemd.*
"""
#: Past what the guest has cached.
SUM = """
while [ ! -b /dev/xvdb ]; do sleep 0.2; done
echo 3 >/proc/sys/vm/drop_caches
sha256sum </dev/xvdb
"""


@pytest.fixture
def systemd(lab: Lab) -> Iterator[Lab]:
    install(lab, "systemd")
    try:
        lab.run("sh", "-c", BOOT, INSIDE, input=UNIT.read_bytes())
        yield lab
    finally:
        lab.run("sh", "-c", END)


def inside(lab: Lab, *words: str) -> str:
    return lab.run("sh", "-c", 'exec nsenter -t "$(cat /tmp/systemd.pid)" -p -m "$@"', "sh", *words)


def served(lab: Lab, times: int) -> str:
    """Wait until the journal says so often that disks are served, and give what it says."""
    script = f"""
    for _ in $(seq 150); do
        said=$(journalctl --no-pager -o cat -u {NAME})
        [ "$(echo "$said" | grep -c "serving xvdb of domain")" -ge {times} ] && break
        sleep 0.5
    done
    echo "$said"
    """
    return inside(lab, "sh", "-c", script)


def test_a_guest_reads_on_when_the_unit_starts_anew(systemd: Lab) -> None:
    guest = Guest(systemd, "unit", "pv", 1, ("feature_persistent=0",))
    try:
        systemd.run("sh", "-c", f"mkdir -p /srv; head -c 4M /dev/urandom >{DISK}")
        systemd.run("sh", "-c", f"echo 'DISKS=--disk {DISK},domain=unit,vdev=xvdb' >/etc/default/{NAME}")
        held = systemd.run("sh", "-c", f"sha256sum <{DISK}")
        inside(systemd, "systemctl", "start", NAME)
        assert f"serving xvdb of domain {guest.domid}" in served(systemd, 1)
        assert guest.run(SUM) == held
        inside(systemd, "systemctl", "kill", "--signal=KILL", NAME)
        assert "Main process exited, code=killed, status=9/KILL" in served(systemd, 2)
        assert guest.run(SUM) == held
        inside(systemd, "systemctl", "stop", NAME)
        assert inside(systemd, "systemctl", "show", "--property=Result,ActiveState", NAME).split() == [
            "Result=success",
            "ActiveState=inactive",
        ]
        # It is left for the next one, who plugs it out.
        backend = f"/local/domain/0/backend/udisk/{guest.domid}/51728/state"
        assert systemd.run("xenstore-read", backend) == "4"
    finally:
        systemd.stop(guest.name)
