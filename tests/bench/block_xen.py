"""One guest's disks in the lab, by Linux's backend, by QEMU's and by ours: the same load on each; prints ratios.

``python -m tests.bench.block_xen [ROUNDS]``; the disks take turns, so that a slower minute of the machine hits all. All
of it is under emulation: what a call into the hypervisor costs there is not what it costs on a machine.

QEMU for Xen is no part of the lab's image: Debian's packages are fetched and unpacked into the dom0 of this lab alone.
"""

import os
import statistics
import sys
import time

from tests.xen.blocks import Guest, serve
from tests.xen.labs import Lab
from tests.xen.packages import install
from xentool.errors import XentoolError
from xentool.lab import api
from xentool.tools.devices import vdev

NAME = "bench-block"
GUEST = "loaded"
SIZE_MIB = 32
QEMU = "/usr/libexec/xen-qemu-system-i386"
#: Disks, as the guest calls them; the guest's frontend keeps its grants if the backend does.
DISKS = {"blkback": "xvdb", "qdisk": "xvdc", "ours": "xvdd", "ours, copy": "xvde", "ours, map": "xvdf"}
#: What our backends are told.
WAYS = {"ours": (), "ours, copy": ("--no-persistent",), "ours, map": ("--no-persistent", "--grants", "map")}
#: Loads: operation, size of each, how many by each of how many processes.
LOADS = {
    "4 KiB reads": ("read", 4096, 256, 4),
    "4 KiB writes": ("write", 4096, 256, 4),
    "1 MiB reads": ("read", 1 << 20, 8, 4),
    "1 MiB writes": ("write", 1 << 20, 8, 4),
}
#: In the guest: direct reads or writes by several processes at once; when they began, and when all were done.
LOAD = """
began=$(cut -d" " -f1 /proc/uptime)
job=0
while [ $job -lt {jobs} ]; do
    case {op} in
    read) dd if=/dev/{disk} of=/dev/null bs={bs} count={count} skip=$((job * {count})) iflag=direct 2>/dev/null & ;;
    write) dd if=/dev/zero of=/dev/{disk} bs={bs} count={count} seek=$((job * {count})) oflag=direct 2>/dev/null & ;;
    esac
    job=$((job + 1))
done
wait
echo $began $(cut -d" " -f1 /proc/uptime)
"""
#: In dom0: writes down a backend's system calls, and tells them: how many of each by the threads that move data, and
#: all that its others make meanwhile, for XenStore and in waiting for Python.
TRACE = """
setsid strace -f -o /tmp/strace.out -p $(cat /tmp/$0.pid) >/dev/null 2>&1 </dev/null &
until grep -q "TracerPid:.*[1-9]" /proc/$(cat /tmp/$0.pid)/status; do sleep 0.1; done
"""
TRACED = """
tracer=$(sed -n "s/TracerPid:[^0-9]*//p" /proc/$(cat /tmp/$0.pid)/status)
kill -TERM $tracer
while kill -0 $tracer 2>/dev/null; do sleep 0.1; done
awk '
    /resumed>/ || !/\\(/ { next }
    { call = $2; sub(/\\(.*/, "", call); made[$1 " " call]++; all[$1]++ }
    call ~ /^(preadv2|pwritev2)$/ { moves[$1] = 1 }
    END {
        for (each in made) { split(each, word, " "); if (word[1] in moves) queue[word[2]] += made[each] }
        for (call in queue) print call, queue[call]
        for (thread in all) if (!(thread in moves)) others += all[thread]
        print "others", others + 0
    }
' /tmp/strace.out
"""
#: In dom0: the QEMU that serves a PV guest's disks, each guest its own; xl attaches some only where it knows of one.
START = f"""
id=$(xl domid {GUEST})
{QEMU} -xen-domid $id -xen-attach -name {GUEST} -nographic -M xenpv -daemonize -monitor /dev/null -serial /dev/null \\
    -parallel /dev/null -nodefaults -no-user-config -pidfile /run/qemu.pid &&
xenstore-write /local/domain/$id/image/device-model-pid "$(cat /run/qemu.pid)"
"""


def attach(lab: Lab) -> None:
    """Give the guest its disks."""
    for disk in DISKS.values():
        lab.run("dd", "if=/dev/zero", f"of=/var/tmp/{disk}.img", "bs=1M", f"count={SIZE_MIB}", "status=none")

    def xl(how: str, disk: str) -> None:
        lab.run("xl", "block-attach", GUEST, f"format=raw,vdev={disk},access=rw,{how},target=/var/tmp/{disk}.img")

    xl("script=block-xentool", DISKS["blkback"])
    lab.run("sh", "-c", START)
    xl("backendtype=qdisk", DISKS["qdisk"])
    for name, words in WAYS.items():
        disk = DISKS[name]
        serve(lab, *words, "--domain", GUEST, "--disk", f"/var/tmp/{disk}.img,vdev={disk}", name=disk)


def seconds(guest: Guest, disk: str, load: str, share: int = 1) -> float:
    """Give how long a load takes on a disk, or a part of it."""
    op, bs, count, jobs = LOADS[load]
    began, ended = guest.run(LOAD.format(op=op, bs=bs, count=count // share, jobs=jobs, disk=disk)).split()
    return float(ended) - float(began)


def tell(load: str, taken: dict[str, float]) -> None:
    """Print a load's figures, and how they compare."""
    _, bs, count, jobs = LOADS[load]
    print(f"{load}, {jobs} at once")
    qdisk, blkback = taken["qdisk"], taken["blkback"]
    for name, each in taken.items():
        rate = f"{count * jobs / each:8.0f}/s" if bs < 1 << 20 else f"{bs * count * jobs / each / 1e6:8.1f} MB/s"
        print(f"  {name:<12} {rate}  {qdisk / each:5.2f} of qdisk's, {blkback / each:.2f} of blkback's")


def measure(lab: Lab, rounds: int) -> None:
    """Run all loads on all disks, and print."""
    guest = Guest(lab, GUEST, "pv", 1, ())
    # No firmware is booted, nothing read.
    install(lab, "qemu-system-xen", "strace", without=("usr/share", "usr/lib/ipxe"))
    attach(lab)
    guest.sees(*DISKS.values())
    for load in LOADS:
        taken: dict[str, list[float]] = {name: [] for name in DISKS}
        for number in range(rounds + 1):
            for name, disk in DISKS.items():
                lasted = seconds(guest, disk, load)
                # The first time, pages are mapped that stay so, and memory is had for the first time.
                if number:
                    taken[name].append(lasted)
        tell(load, {name: statistics.median(times) for name, times in taken.items()})
    print("system calls a request of the queue's threads, as strace counts them and as the backend does")
    for name in WAYS:
        for load in LOADS:
            if "4 KiB" in load:
                try:
                    traced(lab, guest, name, load)
                except XentoolError as error:
                    print(f"  {name:<12} {load:<12} {error}")


def traced(lab: Lab, guest: Guest, name: str, load: str) -> None:
    """Print how many system calls our backend makes for a load."""
    disk = DISKS[name]
    statistics_of = f"/local/domain/0/backend/udisk/{guest.domid}/{vdev.number(disk)}/statistics"

    def counted() -> dict[str, int]:
        # Told once a second.
        time.sleep(2.5)
        return {what: int(lab.run("xenstore-read", f"{statistics_of}/{what}")) for what in ("requests", "syscalls")}

    before = counted()
    lab.run("sh", "-c", TRACE, disk)
    # A traced process is slow.
    seconds(guest, disk, load, 8)
    calls = {call: int(number) for call, number in map(str.split, lab.run("sh", "-c", TRACED, disk).splitlines())}
    done = {what: number - before[what] for what, number in counted().items()}
    each, others = done["requests"], calls.pop("others")
    most = sorted(((number, call) for call, number in calls.items()), reverse=True)[:5]
    told = ", ".join(f"{call} {number / each:.2f}" for number, call in most)
    print(
        f"  {name:<12} {load:<12} {sum(calls.values()) / each:6.2f} {done['syscalls'] / each:6.2f}  {told};"
        f" other threads {others / each:.2f}"
    )


def main() -> None:
    """Boot a lab, measure, and end it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{os.cpu_count()} cores, emulated")
    api.up(NAME)
    try:
        lab = Lab(NAME, api.DEFAULT_XEN)
        measure(lab, rounds)
        lab.close()
    finally:
        api.down(NAME)


if __name__ == "__main__":
    main()
